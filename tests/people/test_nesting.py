"""Flows in flows, tasks in tasks, and that waiting for each other never ends in a deadlock."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

import pytest

from stellwerk import Future, ThreadPoolTaskRunner, flow, get_run_context, task
from stellwerk.testing import Recorded


@task
def add(a: int, b: int = 0) -> int:
    return a + b


@task
def fails(text: str = "broken") -> None:
    raise ValueError(text)


@task
async def add_later(a: int, b: int = 0) -> int:
    await asyncio.sleep(0)
    return a + b


@task
def fibonacci(n: int) -> int:
    """Wait for two tasks of one's own kind, down to the bottom."""
    if n < 2:
        return n
    one, two = fibonacci.submit(n - 1), fibonacci.submit(n - 2)
    return one.result() + two.result()


@pytest.mark.parametrize("workers", [1, 2])
def test_tasks_that_wait_for_submitted_tasks_do_not_deadlock(recorded: Recorded, workers: int) -> None:
    @flow(task_runner=ThreadPoolTaskRunner(max_workers=workers))
    def pipeline() -> int:
        return fibonacci.submit(7).result()

    assert pipeline() == 13
    runs = recorded.runs(kind="task")
    assert len(runs) == 41
    assert {run["state"] for run in runs} == {"completed"}


def test_deep_chain_of_submitted_tasks_on_one_worker(recorded: Recorded) -> None:
    @task
    def down(n: int) -> int:
        return 0 if n == 0 else 1 + down.submit(n - 1).result()

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=1))
    def pipeline() -> int:
        return down.submit(60).result()

    assert pipeline() == 60


@pytest.mark.parametrize("workers", [1, 3])
def test_no_more_tasks_run_at_once_than_there_are_workers(recorded: Recorded, workers: int) -> None:
    lock = threading.Lock()
    running, most = [0], [0]

    @task
    def leaf(_: int) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        threading.Event().wait(0.002)
        with lock:
            running[0] -= 1

    @task
    def branch(n: int) -> None:
        leaf.map(range(n)).result()

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=workers))
    def pipeline() -> None:
        branch.map([4] * 5).result()

    pipeline()
    assert most[0] <= workers


def test_tasks_do_run_at_once(recorded: Recorded) -> None:
    meeting = threading.Barrier(3, timeout=30)

    @task
    def meet() -> int:
        return meeting.wait()

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=3))
    def pipeline() -> list[int]:
        add.submit(1).result()  # leaves an idle thread behind
        return sorted(future.result() for future in [meet.submit() for _ in range(3)])

    assert pipeline() == [0, 1, 2]


def test_nested_sync_flows(recorded: Recorded) -> None:
    @flow
    def child(n: int) -> int:
        return add(n, 1) + add.submit(n).result()

    @flow
    def parent(n: int) -> int:
        return child(n) + child(child(n))

    assert parent(1) == 3 + 7
    top = recorded.run(flow="parent", kind="flow")
    children = recorded.runs(flow="child", kind="flow")
    assert [run["parent_id"] for run in children] == [top["id"]] * 3
    assert {run["root_id"] for run in recorded.runs()} == {top["id"]}
    assert {run["parent_id"] for run in recorded.runs(task="add")} == {run["id"] for run in children}


def test_nested_async_and_mixed_flows(recorded: Recorded) -> None:
    @flow
    async def child(n: int) -> int:
        return await add_later(n, 1)

    @flow
    def sync_child(n: int) -> int:
        return add(n) + add.submit(n).result() + add_later.submit(n).result()

    @flow
    async def parent() -> list[int]:
        both = await asyncio.gather(child(1), child(2))
        return [*both, sync_child(3), await child(add_later.submit(4))]  # type: ignore[arg-type]  # a future

    assert asyncio.run(parent()) == [2, 3, 9, 5]
    assert {run["state"] for run in recorded.runs()} == {"completed"}
    top = recorded.run(flow="parent", kind="flow")
    assert {run["root_id"] for run in recorded.runs()} == {top["id"]}


def test_sync_flow_in_an_async_one_may_leave_async_tasks_to_themselves(recorded: Recorded) -> None:
    @flow
    def sync_child() -> None:
        add_later.submit(1)

    @flow
    async def parent() -> int:
        sync_child()
        return add.submit(2).result()

    assert asyncio.run(parent()) == 2
    assert recorded.run(task="add_later")["state"] == "completed"


def test_sync_task_of_an_async_flow_may_wait_for_async_tasks(recorded: Recorded) -> None:
    @task
    def waits(n: int) -> int:
        return add_later.submit(n).result()

    @flow
    async def parent() -> list[int]:
        return [waits(1), await waits.submit(2), waits.submit(3).result()]

    assert asyncio.run(parent()) == [1, 2, 3]


def test_blocking_on_what_needs_the_own_loop_is_refused(recorded: Recorded) -> None:
    @flow
    async def parent() -> int:
        future = add.submit(add_later.submit(1))
        with pytest.raises(Exception, match="block the event loop"):
            future.result()
        return await future

    assert asyncio.run(parent()) == 1


def test_child_flow_takes_futures(recorded: Recorded) -> None:
    @flow
    def child(n: int, more: list[int]) -> int:
        return n + sum(more)

    @flow
    def parent() -> int:
        return child(add.submit(1), [add.submit(2), 3])  # type: ignore[arg-type,list-item]

    assert parent() == 6
    assert recorded.run(flow="child")["parameters"] == {"n": 1, "more": [2, 3]}


def test_failing_child_flow_can_be_caught(recorded: Recorded) -> None:
    @flow
    def child() -> None:
        fails.submit()

    @flow
    def parent() -> str:
        try:
            child()
        except ValueError as problem:
            return f"caught {problem}"
        return ""

    assert parent() == "caught broken"
    assert recorded.run(flow="child", kind="flow")["state"] == "failed"
    assert recorded.run(flow="parent", kind="flow")["state"] == "completed"


def test_nested_tasks(recorded: Recorded) -> None:
    @task
    def inner(n: int) -> int:
        return n + 1

    @task
    def outer(n: int) -> int:
        return inner(n) + inner.submit(n).result()

    @flow
    def pipeline() -> int:
        return outer(1) + outer.submit(2).result()

    assert pipeline() == 4 + 6
    outers = recorded.runs(task="outer")
    parents = [run["parent_id"] for run in recorded.runs(task="inner")]
    assert parents == [outers[0]["id"]] * 2 + [outers[1]["id"]] * 2


def test_task_ends_after_what_it_submitted(recorded: Recorded) -> None:
    @task
    def slow() -> None:
        threading.Event().wait(0.02)

    @task
    def leaves() -> str:
        slow.submit()
        return "left"

    @task
    async def leaves_later() -> str:
        slow.submit()
        add_later.submit(1)
        return "left"

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=1))
    def pipeline() -> list[str]:
        return [leaves.submit().result(), leaves(), leaves_later.submit().result()]

    assert pipeline() == ["left"] * 3
    by_id = {run["id"]: run for run in recorded.runs()}
    for run in recorded.runs(task="slow"):
        assert run["state"] == "completed"
        assert run["ended_at"] <= by_id[run["parent_id"]]["ended_at"]


def test_unhandled_failure_below_a_task_fails_the_task(recorded: Recorded) -> None:
    @task
    def leaves() -> str:
        fails.submit("below")
        return "left"

    @flow
    def pipeline() -> str:
        future = leaves.submit()
        with pytest.raises(ValueError, match="below"):
            future.result()
        with pytest.raises(ValueError, match="below"):
            leaves()
        return "went on"

    assert pipeline() == "went on"
    assert [run["state"] for run in recorded.runs(task="leaves")] == ["failed"] * 2


def test_failing_task_waits_for_what_it_submitted(recorded: Recorded) -> None:
    @task
    def slow() -> None:
        threading.Event().wait(0.02)

    @task
    def breaks() -> None:
        slow.submit()
        raise ValueError("early")

    @flow
    def pipeline() -> None:
        breaks.submit().result(raise_on_failure=False)

    pipeline()
    assert recorded.run(task="slow")["state"] == "completed"
    assert recorded.run(task="slow")["ended_at"] <= recorded.run(task="breaks")["ended_at"]


def test_future_returned_by_a_task_is_its_value(recorded: Recorded) -> None:
    @task
    def hands_on(n: int) -> Future[int]:
        return add.submit(n, 1)

    @flow
    def pipeline() -> Any:
        return hands_on(1), hands_on.submit(2).result()

    assert pipeline() == (2, 3)


def test_flow_called_by_a_task(recorded: Recorded) -> None:
    @flow
    def child() -> int:
        return add.submit(1).result()

    @task
    def calls() -> int:
        return child()

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=1))
    def pipeline() -> int:
        return calls.submit().result() + calls()

    assert pipeline() == 2
    assert [run["parent_id"] for run in recorded.runs(flow="child", kind="flow")] == [
        run["id"] for run in recorded.runs(task="calls")
    ]


def test_recursion_of_a_task(recorded: Recorded) -> None:
    @task
    def down(n: int) -> int:
        return 0 if n == 0 else 1 + down(n - 1)

    @flow
    def pipeline() -> int:
        return down(40)

    assert pipeline() == 40
    depths = recorded.runs(task="down")
    assert len(depths) == 41
    assert depths[1]["parent_id"] == depths[0]["id"]


def test_endless_recursion_ends_in_a_recursion_error(recorded: Recorded) -> None:
    @task
    def down(n: int) -> int:
        return down(n + 1)

    @flow
    def pipeline() -> str:
        try:
            return str(down(0))
        except RecursionError:
            return "too deep"

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(400)
    try:
        assert pipeline() == "too deep"
    finally:
        sys.setrecursionlimit(limit)
    states = {run["state"] for run in recorded.runs(task="down")}
    assert states <= {"failed", "crashed"}, "the engine's own code may be what was too deep"
    assert "failed" in states


def test_threads_of_users_may_submit(recorded: Recorded) -> None:
    import contextvars

    @flow
    def pipeline() -> list[int]:
        got: list[int] = []

        def work(n: int) -> None:
            assert get_run_context().kind == "flow"
            got.append(add.submit(n).result())

        threads = [threading.Thread(target=contextvars.copy_context().run, args=(work, number)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(got)

    assert pipeline() == list(range(8))
    assert len({run["name"] for run in recorded.runs(task="add")}) == 8


def test_two_flows_at_once_in_threads(recorded: Recorded) -> None:
    @flow
    def pipeline(n: int) -> int:
        return sum(add.map([n] * 20).result())

    got: list[int] = []
    threads = [threading.Thread(target=lambda n=n: got.append(pipeline(n))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [0, 20, 40, 60]
    assert len(recorded.runs(task="add", state="completed")) == 80


def test_many_futures_and_one_that_takes_them_all(recorded: Recorded) -> None:
    @task
    def total(values: list[int]) -> int:
        return sum(values)

    @flow
    def pipeline() -> int:
        futures = add.map(range(3_000))
        first = total.submit(list(futures), wait_for=None)
        second = total.submit([1], wait_for=futures)
        return first.result() + second.result()

    assert pipeline() == 3_000 * 2_999 // 2 + 1
    assert len(recorded.runs(task="add", state="completed")) == 3_000
