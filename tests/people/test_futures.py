"""Futures: waiting, states, what is resolved where, and maps."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest

from stellwerk import (
    Future,
    Futures,
    ParameterError,
    allow_failure,
    as_completed,
    flow,
    task,
    unmapped,
    wait,
)
from stellwerk.testing import Recorded


class Pair(NamedTuple):
    left: Any
    right: Any


@dataclass(frozen=True)
class Box:
    content: Any
    label: str = "box"


@dataclass(slots=True)
class Crate:
    boxes: list[Any]


@task
def add(a: int, b: int = 0) -> int:
    return a + b


@task
def same(value: Any) -> Any:
    return value


@task
def fails(text: str = "broken") -> None:
    raise ValueError(text)


def test_result_waits_and_can_time_out(recorded: Recorded) -> None:
    go = threading.Event()

    @task
    def slow() -> int:
        go.wait(30)
        return 1

    @flow
    def pipeline() -> int:
        future = slow.submit()
        assert not future.done()
        assert future.state.name in ("pending", "running")
        with pytest.raises(TimeoutError, match="slow-0"):
            future.result(timeout=0.01)
        assert future.wait(0.01) is False
        assert future.wait(-1) is False
        go.set()
        assert future.wait() is True
        return future.result(timeout=0)

    assert pipeline() == 1


def test_failed_result_is_raised_or_returned(recorded: Recorded) -> None:
    @flow
    def pipeline() -> str:
        future = fails.submit()
        with pytest.raises(ValueError, match="broken"):
            future.result()
        problem = future.result(raise_on_failure=False)
        assert isinstance(problem, ValueError)
        assert future.state == "failed"
        assert future.state != "completed"
        assert future.state.error.type == "ValueError"
        assert future.state.cause == "user_error"
        assert str(future.state) == "failed"
        return "went on"

    assert pipeline() == "went on"
    run = recorded.run(task="fails")
    assert run["error"]["message"] == "broken"
    assert run["error"]["type"] == "ValueError"
    assert "raise ValueError(text)" in run["error"]["traceback"]
    assert "stellwerk/execute" not in run["error"]["traceback"]
    assert recorded.run(kind="flow")["state"] == "completed"


def test_futures_are_resolved_wherever_they_hide(recorded: Recorded) -> None:
    @flow
    def pipeline() -> dict[str, Any]:
        one, two = same.submit(1), same.submit(2)
        ordered: OrderedDict[str, Any] = OrderedDict(z=one, a=two)
        grouped: defaultdict[str, list[Any]] = defaultdict(list, x=[one])
        got = {
            "future": same(one),
            "list": same([one, [two, 3]]),
            "tuple": same((one, 2)),
            "dict": same({"a": one, "b": {"c": two}}),
            "named": same(Pair(one, [two])),
            "box": same(Box(one)),
            "crate": same(Crate([Box(two), one])),
            "ordered": same(ordered),
            "grouped": same(grouped),
            "futures": same(same.map([7, 8])),
            "nothing": same([1, "x", None]),
        }
        submitted = same.submit(Pair(Box(one), {"k": (two,)}))
        got["submitted"] = submitted.result()
        return got

    got = pipeline()
    assert got == {
        "future": 1,
        "list": [1, [2, 3]],
        "tuple": (1, 2),
        "dict": {"a": 1, "b": {"c": 2}},
        "named": Pair(1, [2]),
        "box": Box(1),
        "crate": Crate([Box(2), 1]),
        "ordered": OrderedDict(z=1, a=2),
        "grouped": {"x": [1]},
        "futures": [7, 8],
        "nothing": [1, "x", None],
        "submitted": Pair(Box(1), {"k": (2,)}),
    }
    assert isinstance(got["named"], Pair)
    assert isinstance(got["grouped"], defaultdict)
    assert not [line for run in recorded.runs(kind="flow") for line in recorded.logs(run)], "no warnings"


def test_filling_leaves_the_callers_objects_alone(recorded: Recorded) -> None:
    @flow
    def pipeline() -> bool:
        future = same.submit(1)
        given = [future, {"k": future}]
        same(given)
        same.submit(given).result()
        return given[0] is future and given[1] == {"k": future}

    assert pipeline()


def test_dependencies_are_recorded(sql: Callable[..., list[Any]]) -> None:
    @flow
    def pipeline() -> int:
        one, two, three = add.submit(1), add.submit(2), add.submit(3)
        return add.submit(one, b=two, wait_for=[three]).result()

    assert pipeline() == 3
    pairs = sql(
        "SELECT below.name, above.name FROM edges "
        "JOIN runs below ON below.id = downstream_id JOIN runs above ON above.id = upstream_id"
    )
    assert sorted(pairs) == [("add-3", "add-0"), ("add-3", "add-1"), ("add-3", "add-2")]


def test_wait_for_orders_without_data(recorded: Recorded) -> None:
    order = []

    @task
    def note(name: str) -> None:
        order.append(name)

    @flow
    def pipeline() -> None:
        first = note.submit("first")
        second = note.submit("second", wait_for=[first])
        note.submit("third", wait_for=second)

    pipeline()
    assert order == ["first", "second", "third"]


def test_wait_and_as_completed(recorded: Recorded) -> None:
    go = threading.Event()

    @task
    def slow() -> str:
        go.wait(30)
        return "slow"

    @flow
    def pipeline() -> list[Any]:
        late, quick, broken = slow.submit(), same.submit("quick"), fails.submit()
        assert wait([quick, broken]).not_done == set()
        told = wait([late, quick], timeout=0.01)
        assert (told.done, told.not_done) == ({quick}, {late})
        with pytest.raises(TimeoutError):
            list(as_completed([late], timeout=0.01))
        got = []
        for future in as_completed([late, quick, broken]):
            got.append(future.result(raise_on_failure=False))
            go.set()
        assert list(as_completed([])) == []
        return got

    got = pipeline()
    assert got[-1] == "slow"
    assert {str(value) for value in got} == {"quick", "broken", "slow"}


def test_flow_returning_futures_gives_their_values(recorded: Recorded) -> None:
    @flow
    def pipeline() -> Any:
        return {"one": add.submit(1), "more": add.map([1, 2])}

    @flow
    def failing() -> Any:
        return [add.submit(1), fails.submit()]

    assert pipeline() == {"one": 1, "more": [1, 2]}
    with pytest.raises(ValueError, match="broken"):
        failing()
    assert recorded.run(flow="failing", kind="flow")["state"] == "failed"


def test_call_equal_to_another_has_its_own_run(sql: Callable[..., list[Any]]) -> None:
    @flow
    def pipeline() -> list[int]:
        return add.map([5, 5, 5]).result()

    assert pipeline() == [5, 5, 5]
    rows = sql("SELECT DISTINCT call_key FROM runs WHERE task = 'add'")
    assert len(rows) == 1
    assert sql("SELECT n FROM runs WHERE task = 'add' ORDER BY n") == [(0,), (1,), (2,)]


def test_awaiting_in_an_async_flow(recorded: Recorded) -> None:
    @task
    async def later(x: int) -> int:
        await asyncio.sleep(0)
        return x

    @flow
    async def pipeline() -> list[Any]:
        gathered = await asyncio.gather(later(1), later(2), later.submit(3))
        chained = await add.submit(later.submit(4), b=later.submit(5))
        with pytest.raises(Exception, match="await future"):
            later.submit(6).result()
        with pytest.raises(Exception, match="await"):
            list(as_completed([later.submit(7)]))
        return [*gathered, chained]

    assert asyncio.run(pipeline()) == [1, 2, 3, 9]


# ── maps ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_map_walks_side_by_side(recorded: Recorded) -> None:
    @flow
    def pipeline() -> list[Any]:
        futures = add.map([1, 2, 3], b=[10, 20, 30])
        assert isinstance(futures, Futures)
        assert len(futures) == 3
        assert isinstance(futures[0], Future)
        assert isinstance(futures[1:], Futures)
        assert futures.wait()
        return [futures.result(), futures[1:].result(), futures[-1].result(), [f.result() for f in futures]]

    assert pipeline() == [[11, 22, 33], [22, 33], 33, [11, 22, 33]]
    assert [run["parameters"] for run in recorded.runs(task="add")] == [
        {"a": 1, "b": 10},
        {"a": 2, "b": 20},
        {"a": 3, "b": 30},
    ]
    assert [run["name"] for run in recorded.runs(task="add")] == ["add-0", "add-1", "add-2"]


def test_map_refuses_different_lengths_and_nothing_to_map(recorded: Recorded) -> None:
    @flow
    def pipeline() -> None:
        with pytest.raises(ParameterError, match=r"different lengths: .* 2, b has 3"):
            add.map([1, 2], b=[1, 2, 3])
        with pytest.raises(ParameterError, match="nothing to iterate over"):
            same.map("text")
        with pytest.raises(ParameterError, match="nothing to iterate over"):
            add.map(1, b=2)

    pipeline()
    assert recorded.runs(kind="task") == []


def test_map_passes_scalars_and_unmapped_whole(recorded: Recorded) -> None:
    @task
    def show(item: int, text: str, raw: bytes, items: list[int], more: Any = None) -> tuple[Any, ...]:
        return item, text, raw, items, more

    @flow
    def pipeline() -> list[Any]:
        return show.map([1, 2], "ab", b"cd", unmapped([7, 8]), more=unmapped(same.submit("future"))).result()

    assert pipeline() == [(1, "ab", b"cd", [7, 8], "future"), (2, "ab", b"cd", [7, 8], "future")]


def test_map_over_nothing_gives_nothing(recorded: Recorded) -> None:
    @flow
    def pipeline() -> list[Any]:
        futures = same.map([])
        assert len(futures) == 0
        assert futures.wait()
        return futures.result()

    assert pipeline() == []
    assert recorded.runs(kind="task") == []


def test_map_takes_iterators_sets_and_futures_of_lists(recorded: Recorded) -> None:
    @flow
    def pipeline() -> list[Any]:
        numbers = same.submit([1, 2, 3])
        mapped = same.map(numbers)
        return [
            same.map(i * i for i in range(3)).result(),
            same.map({"k": 1, "l": 2}).result(),
            same.map(range(2)).result(),
            mapped.result(),
            add.map(mapped, b=1).result(),
            same.map([same.submit(8), 9]).result(),
        ]

    assert pipeline() == [[0, 1, 4], ["k", "l"], [0, 1], [1, 2, 3], [2, 3, 4], [8, 9]]


def test_map_with_failures(recorded: Recorded) -> None:
    @task
    def picky(x: int) -> int:
        if x == 2:
            raise ValueError(f"not {x}")
        return x

    @flow
    def pipeline() -> list[Any]:
        futures = picky.map([1, 2, 3])
        states = [future.state for future in futures if future.wait()]
        assert states == ["completed", "failed", "completed"]
        with pytest.raises(ValueError, match="not 2"):
            futures.result()
        kinds = futures.result(raise_on_failure=False)
        return [type(value).__name__ for value in kinds]

    assert pipeline() == ["int", "ValueError", "int"]


def test_map_with_wait_for(recorded: Recorded) -> None:
    seen = []

    @task
    def note(x: int) -> None:
        seen.append(x)

    @flow
    def pipeline() -> None:
        first = note.submit(0)
        note.map([1, 2], wait_for=[first])

    pipeline()
    assert seen[0] == 0
    assert sorted(seen) == [0, 1, 2]


def test_map_over_allowed_failures(recorded: Recorded) -> None:
    @flow
    def pipeline() -> list[str]:
        return [str(v) for v in same.map(allow_failure([fails.submit(), same.submit(1)])).result()]

    assert pipeline() == ["broken", "1"]
    assert recorded.run(kind="flow")["state"] == "completed"
