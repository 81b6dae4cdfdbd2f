"""Retries and time limits."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from typing import Any

import pytest

from stellwerk import (
    RunCancelled,
    Skip,
    State,
    Task,
    TaskTimedOut,
    exponential_backoff,
    flow,
    get_run_context,
    task,
)
from stellwerk.testing import Recorded

LONG = 60.0  # seconds: longer than any test; nobody waits for it


class Flaky:
    """Fail a number of times, then work."""

    def __init__(self, failures: int) -> None:
        self.left = failures
        self.tried = 0

    def __call__(self) -> str:
        self.tried += 1
        if self.left:
            self.left -= 1
            raise ValueError(f"try {self.tried}")
        return f"after {self.tried}"


@pytest.mark.parametrize("how", ["direct", "submit", "map"])
def test_task_is_tried_again(recorded: Recorded, how: str) -> None:
    work = Flaky(2)
    attempts = []

    @task(retries=3)
    def flaky(_: int = 0) -> str:
        attempts.append(get_run_context().attempt)
        return work()

    @flow
    def pipeline() -> str:
        if how == "direct":
            return flaky()
        return flaky.submit().result() if how == "submit" else flaky.map([1]).result()[0]

    assert pipeline() == "after 3"
    assert attempts == [1, 2, 3]
    run = recorded.run(task="flaky")
    assert (run["state"], run["label"], run["error"], run["cause"]) == ("completed", None, None, None)
    told = [(a["number"], a["state"], a["error"] and a["error"]["message"]) for a in run["attempts"]]
    assert told == [(1, "failed", "try 1"), (2, "failed", "try 2"), (3, "completed", None)]
    steps = [(step["event"], step["to_state"], step["label"]) for step in recorded.story(run)]
    assert steps.count(("retried", "scheduled", "AwaitingRetry")) == 2
    assert steps[-1] == ("completed", "completed", None)


def test_async_task_is_tried_again(recorded: Recorded) -> None:
    first, second = Flaky(1), Flaky(1)

    @task(retries=1)
    async def flaky(second_one: bool) -> str:
        return second() if second_one else first()

    @flow
    async def pipeline() -> list[str]:
        return [await flaky(False), await flaky.submit(True)]

    assert asyncio.run(pipeline()) == ["after 2", "after 2"]
    assert [len(run["attempts"]) for run in recorded.runs(task="flaky")] == [2, 2]


def test_last_failure_counts_when_all_tries_are_used_up(recorded: Recorded) -> None:
    work = Flaky(9)

    @task(retries=2)
    def flaky() -> str:
        return work()

    @flow
    def pipeline() -> None:
        with pytest.raises(ValueError, match="try 3"):
            flaky()
        flaky.submit()

    with pytest.raises(ValueError, match="try 6"):
        pipeline()
    run = recorded.runs(task="flaky")[0]
    assert (run["state"], run["error"]["message"], len(run["attempts"])) == ("failed", "try 3", 3)


@pytest.mark.parametrize(
    ("delays", "expected"),
    [
        (0.001, [0.001] * 3),
        ([0.001, 0.002], [0.001, 0.002, 0.002]),
        (lambda number: number / 1000, [0.001, 0.002, 0.003]),
        (exponential_backoff(0.001), [0.001, 0.002, 0.004]),
    ],
)
def test_delays_between_tries(recorded: Recorded, delays: Any, expected: list[float]) -> None:
    work = Flaky(3)

    @task(retries=3, retry_delay_seconds=delays)
    def flaky() -> str:
        return work()

    @flow
    def pipeline() -> str:
        return flaky.submit().result()

    assert pipeline() == "after 4"
    attempts = recorded.run(task="flaky")["attempts"]
    for one, other, delay in zip(attempts, attempts[1:], expected, strict=False):
        assert _seconds(other["started_at"]) - _seconds(one["ended_at"]) >= delay * 0.99


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_jitter_only_lengthens(recorded: Recorded) -> None:
    work = Flaky(3)

    @task(retries=3, retry_delay_seconds=0.002, retry_jitter_factor=1.0)
    def flaky() -> str:
        return work()

    @flow
    def pipeline() -> str:
        return flaky()

    pipeline()
    attempts = recorded.run(task="flaky")["attempts"]
    for one, other in itertools.pairwise(attempts):
        assert _seconds(other["started_at"]) - _seconds(one["ended_at"]) >= 0.00199


def test_retry_condition_decides(recorded: Recorded) -> None:
    asked: list[tuple[str, int, str, str]] = []

    def only_first(asked_task: Task[..., Any], run: Any, state: State) -> bool:
        assert state.error is not None
        asked.append((asked_task.name, run.attempt, state.name, state.error.message))
        return run.attempt == 1

    work = Flaky(9)

    @task(retries=5, retry_condition_fn=only_first)
    def flaky() -> str:
        return work()

    @flow
    def pipeline() -> None:
        flaky()

    with pytest.raises(ValueError, match="try 2"):
        pipeline()
    assert asked == [("flaky", 1, "failed", "try 1"), ("flaky", 2, "failed", "try 2")]


@pytest.mark.parametrize(
    "options", [{"retry_condition_fn": lambda *_: 1 / 0}, {"retry_delay_seconds": lambda _: 1 / 0}]
)
def test_failing_callable_ends_the_retries_with_a_warning(recorded: Recorded, options: dict[str, Any]) -> None:
    work = Flaky(9)

    @task(retries=5, **options)
    def flaky() -> str:
        return work()

    @flow
    def pipeline() -> None:
        with pytest.raises(ValueError, match="try 1"):
            flaky.submit().result()

    pipeline()
    [line] = recorded.logs(recorded.run(kind="flow"))
    assert line["level"] == "WARNING"
    assert "division by zero" in line["message"]


def test_failing_delay_of_a_flow_ends_its_retries(recorded: Recorded) -> None:
    work = Flaky(9)

    @flow(retries=2, retry_delay_seconds=lambda _: 1 / 0)
    def pipeline() -> None:
        work()

    with pytest.raises(ValueError, match="try 1"):
        pipeline()
    assert recorded.run(kind="flow")["state"] == "failed"


def test_skip_is_not_tried_again(recorded: Recorded) -> None:
    calls = []

    @task(retries=3)
    def skips() -> None:
        calls.append(1)
        raise Skip("no")

    @flow
    def pipeline() -> None:
        skips.submit()

    pipeline()
    assert calls == [1]


def test_flow_retry_does_not_run_completed_tasks_again(recorded: Recorded) -> None:
    calls: list[str] = []
    work = Flaky(1)

    @task
    def step(name: str) -> str:
        calls.append(name)
        return name.upper()

    @task
    def flaky() -> str:
        return work()

    @flow(retries=1)
    def pipeline() -> list[str]:
        first = step("a")
        second = step.submit("b")
        twice = step.map(["c", "c"]).result()
        return [first, second.result(), *twice, flaky(), step("d")]

    assert pipeline() == ["A", "B", "C", "C", "after 2", "D"]
    assert sorted(calls) == ["a", "b", "c", "c", "d"]
    run = recorded.run(kind="flow")
    assert [attempt["state"] for attempt in run["attempts"]] == ["failed", "completed"]
    assert len(recorded.runs(task="step")) == 5


def test_task_that_the_flow_retry_changes_runs_again(recorded: Recorded) -> None:
    calls: list[int] = []

    @task
    def step(n: int) -> int:
        calls.append(n)
        return n

    @flow(retries=1)
    def pipeline() -> int:
        attempt = get_run_context().attempt
        step(0)
        got = step(attempt)
        if attempt == 1:
            raise ValueError("again")
        return got

    assert pipeline() == 2
    assert calls == [0, 1, 2]


def test_flow_retries_of_an_async_flow(recorded: Recorded) -> None:
    work = Flaky(1)
    calls = []

    @task
    async def step() -> int:
        calls.append(1)
        return 1

    @flow(retries=1, retry_delay_seconds=0)
    async def pipeline() -> str:
        await step()
        await step.submit()
        return work()

    assert asyncio.run(pipeline()) == "after 2"
    assert len(calls) == 2


def test_nested_flow_retries(recorded: Recorded) -> None:
    work = Flaky(1)

    @flow(retries=2)
    def child() -> str:
        return work()

    @flow
    def parent() -> str:
        return child()

    assert parent() == "after 2"
    assert len(recorded.run(flow="child")["attempts"]) == 2


# ── time limits ──────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("is_direct", [True, False])
def test_sync_task_times_out(recorded: Recorded, is_direct: bool) -> None:
    @task(timeout_seconds=0.05)
    def sleeps() -> None:
        time.sleep(LONG)

    @flow
    def pipeline() -> None:
        run_it = sleeps if is_direct else lambda: sleeps.submit().result()
        with pytest.raises(TaskTimedOut, match=r"longer than its timeout_seconds = 0.05") as told:
            run_it()
        assert isinstance(told.value, TimeoutError)

    pipeline()
    run = recorded.run(task="sleeps")
    assert (run["state"], run["label"], run["cause"]) == ("failed", "TimedOut", "timeout")


def test_async_task_times_out_and_its_coroutine_is_cancelled(recorded: Recorded) -> None:
    seen = []

    @task(timeout_seconds=0.05)
    async def sleeps() -> None:
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    @flow
    async def pipeline() -> None:
        with pytest.raises(TaskTimedOut):
            await sleeps()
        with pytest.raises(TaskTimedOut):
            await sleeps.submit()

    asyncio.run(pipeline())
    assert seen == ["cancelled"] * 2
    assert {run["label"] for run in recorded.runs(task="sleeps")} == {"TimedOut"}


def test_timeout_error_of_the_user_is_the_users(recorded: Recorded) -> None:
    @task(timeout_seconds=LONG)
    def raises() -> None:
        raise TimeoutError("mine")

    @task(timeout_seconds=LONG)
    async def raises_later() -> None:
        raise TimeoutError("mine")

    @flow
    def pipeline() -> None:
        for future in (raises.submit(), raises_later.submit()):
            with pytest.raises(TimeoutError, match="mine"):
                future.result()

    pipeline()
    for run in recorded.runs(kind="task"):
        assert (run["label"], run["cause"]) == (None, "user_error")


def test_timed_out_attempt_is_tried_again(recorded: Recorded) -> None:
    @task(timeout_seconds=0.05, retries=1)
    def slow_once() -> str:
        if get_run_context().attempt == 1:
            time.sleep(LONG)
        return "second"

    @flow
    def pipeline() -> str:
        return slow_once.submit().result()

    assert pipeline() == "second"
    attempts = recorded.run(task="slow_once")["attempts"]
    assert [(a["state"], a["cause"]) for a in attempts] == [
        ("failed", "timeout"),
        ("completed", None),
    ]


def test_limit_that_is_not_reached_changes_nothing(recorded: Recorded) -> None:
    @task(timeout_seconds=LONG)
    def inner(x: int) -> int:
        return x + 1

    @task(timeout_seconds=LONG)
    def outer(x: int) -> int:
        assert get_run_context().task_name == "outer"
        return inner(x) + inner.submit(x).result()

    @flow(timeout_seconds=LONG)
    def pipeline() -> int:
        return outer(1) + outer.submit(2).result()

    assert pipeline() == 10


def test_timed_out_flow_leaves_nothing_running(recorded: Recorded) -> None:
    began = threading.Event()

    @task
    def sleeps() -> None:
        began.set()
        while True:
            time.sleep(0.001)

    @task
    def never() -> None: ...

    @flow(timeout_seconds=0.3)
    def pipeline() -> None:
        future = sleeps.submit()
        never.submit(wait_for=[future])
        began.wait(30)
        sleeps()

    with pytest.raises(TaskTimedOut):
        pipeline()
    run = recorded.run(kind="flow")
    assert (run["state"], run["label"]) == ("failed", "TimedOut")
    assert {run["state"] for run in recorded.runs(kind="task")} == {"cancelled"}


def test_timed_out_async_flow_leaves_nothing_running(recorded: Recorded) -> None:
    @task
    async def sleeps() -> None:
        await asyncio.sleep(LONG)

    @flow(timeout_seconds=0.2)
    async def pipeline() -> None:
        sleeps.submit()
        await sleeps()

    with pytest.raises(TaskTimedOut):
        asyncio.run(pipeline())
    assert {run["state"] for run in recorded.runs(kind="task")} == {"cancelled"}


def test_timed_out_child_flow_can_be_caught(recorded: Recorded) -> None:
    @task
    def sleeps() -> None:
        time.sleep(LONG)

    @flow(timeout_seconds=0.1)
    def child() -> None:
        sleeps.submit().result()

    @flow
    def parent() -> str:
        try:
            child()
        except TaskTimedOut:
            return "too slow"
        return ""

    assert parent() == "too slow"
    assert recorded.run(flow="child", kind="flow")["label"] == "TimedOut"
    assert recorded.run(task="sleeps")["state"] == "cancelled"


def test_time_limits_that_strike_in_the_midst_of_the_engine(recorded: Recorded) -> None:
    @task
    def leaf(n: int) -> int:
        return n

    @task
    def busy(n: int, seconds: float) -> int:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            leaf(n)
            leaf.submit(n).result()
        return n

    limited = busy.with_options(name="limited", timeout_seconds=0.02)

    @flow
    def pipeline() -> None:
        futures = [(limited if n % 2 else busy).submit(n, LONG if n % 2 else 0.02) for n in range(24)]
        for n, future in enumerate(futures):
            assert future.wait(), "nothing of the others went down with it"
            assert future.state == ("failed" if n % 2 else "completed")

    pipeline()
    assert {run["state"] for run in recorded.runs(task="limited")} == {"failed"}
    assert {run["state"] for run in recorded.runs(task="leaf")} <= {"completed", "cancelled"}


def test_abandoned_code_cannot_start_anything_more(recorded: Recorded) -> None:
    go, done = threading.Event(), threading.Event()
    problems: list[BaseException] = []

    @task
    def late() -> None: ...

    @task(timeout_seconds=0.05)
    def stubborn() -> None:
        while not go.is_set():
            try:
                go.wait(30)
            except BaseException:  # it does not want to stop
                pass
        for start in (late, late.submit):
            try:
                start()
            except BaseException as problem:
                problems.append(problem)
        done.set()

    @flow
    def pipeline() -> None:
        with pytest.raises(TaskTimedOut):
            stubborn()
        go.set()
        assert done.wait(30)

    pipeline()
    assert len(problems) == 2
    assert recorded.runs(task="late") == []


def test_cancelled_asyncio_task_is_recorded_as_cancelled(recorded: Recorded) -> None:
    @task
    async def sleeps() -> None:
        await asyncio.sleep(LONG)

    @task(retries=1, retry_delay_seconds=LONG)
    async def fails() -> None:
        raise ValueError

    @flow
    async def pipeline() -> None:
        for call in (sleeps, fails):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(call(), 0.1)

    asyncio.run(pipeline())
    assert [run["state"] for run in recorded.runs()] == ["completed", "cancelled", "cancelled"]


def test_result_of_a_cancelled_run_raises(recorded: Recorded) -> None:
    @flow
    async def pipeline() -> None:
        @task
        async def cancels() -> None:
            raise asyncio.CancelledError

        with pytest.raises(RunCancelled):
            await cancels.submit()

    asyncio.run(pipeline())
    assert recorded.run(task="cancels")["state"] == "cancelled"
