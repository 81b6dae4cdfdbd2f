"""Values that come and go: parameters, results, previews, exits and whatever else users throw at it."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from stellwerk import DefinitionError, ParameterError, flow, task
from stellwerk.testing import Recorded


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Order(BaseModel):
    number: int = Field(gt=0)
    items: list[str] = []


@dataclass
class Point:
    x: float
    y: float = 0.0


# ── parameters ───────────────────────────────────────────────────────────────────────────────────────────────────────
@flow
def typed(
    number: int,
    order: Order,
    colour: Colour = Colour.RED,
    day: dt.date | None = None,
    path: Path = Path("."),
    mode: Literal["fast", "slow"] = "fast",
    points: list[Point] | None = None,
) -> tuple[Any, ...]:
    return number, order, colour, day, path, mode, points


def test_parameters_are_coerced_by_their_annotations(recorded: Recorded) -> None:
    got = typed("5", {"number": "7", "items": ["a"]}, "blue", "2024-02-29", "/tmp/x", "slow", [{"x": 1}])  # type: ignore[arg-type]
    assert got == (
        5,
        Order(number=7, items=["a"]),
        Colour.BLUE,
        dt.date(2024, 2, 29),
        Path("/tmp/x"),
        "slow",
        [Point(1.0)],
    )
    assert recorded.run(kind="flow")["parameters"] == {
        "number": 5,
        "order": {"number": 7, "items": ["a"]},
        "colour": "blue",
        "day": "2024-02-29",
        "path": "/tmp/x",
        "mode": "slow",
        "points": [{"x": 1.0, "y": 0.0}],
    }


def test_all_bad_parameters_are_named_and_nothing_is_recorded(recorded: Recorded) -> None:
    with pytest.raises(ParameterError) as told:
        typed("five", {"number": -1}, "green", day="someday", mode="medium")  # type: ignore[arg-type]
    for name in ("number = 'five'", "order.number = -1", "colour = 'green'", "day = 'someday'", "mode = 'medium'"):
        assert name in str(told.value)
    assert recorded.runs() == []


def test_missing_and_unknown_parameters(recorded: Recorded) -> None:
    with pytest.raises(ParameterError, match=r"'order' is missing.*'colur' is not a parameter \(did you mean 'colour'"):
        typed(5, colur=1)  # type: ignore[call-arg]
    assert recorded.runs() == []


def test_validation_can_be_switched_off(recorded: Recorded) -> None:
    @flow(validate_parameters=False)
    def pipeline(n: int) -> Any:
        return n

    assert pipeline("five") == "five"  # type: ignore[arg-type]


def test_streams_are_not_used_up_by_validation(recorded: Recorded) -> None:
    @flow
    def pipeline(lines: Iterable[int]) -> int:
        return sum(lines)

    assert pipeline(i for i in range(4)) == 6


# ── results ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("value", "preview"),
    [
        (None, "None"),
        (5, "5"),
        ("text", "'text'"),
        ([1, 2], "[1, 2]"),
        ({"a": 1}, "{'a': 1}"),
        (Point(1.0, 2.0), "Point(x=1.0, y=2.0)"),
        ("nul\0 sur\ud800", r"'nul\x00 sur\ud800'"),
        (decimal.Decimal("1.5"), "Decimal('1.5')"),
    ],
)
def test_results_have_previews(recorded: Recorded, value: Any, preview: str) -> None:
    @task
    def give() -> Any:
        return value

    @flow
    def pipeline() -> Any:
        return give()

    assert pipeline() == value
    assert recorded.run(task="give")["result"]["preview"] == preview


def test_large_result_goes_to_the_blobs(recorded: Recorded, sql: Any) -> None:
    @task
    def give(n: int) -> bytes:
        return bytes(n)

    @flow
    def pipeline() -> int:
        return len(give(10_000)) + len(give(1_000_000)) + len(give(1_000_000))

    pipeline()
    rows = sql("SELECT result IS NULL, length(hex(result_hash)) FROM runs WHERE task = 'give' ORDER BY seq")
    assert rows == [(0, 64), (1, 64), (1, 64)]
    assert len([path for path in (recorded.home / "blobs").rglob("*") if path.is_file()]) == 1
    assert all(len(run["result"]["preview"]) <= 1_024 for run in recorded.runs(task="give"))


def test_result_may_be_left_out(recorded: Recorded) -> None:
    @task(persist_result=False)
    def give() -> int:
        return 5

    @flow(persist_result=False)
    def pipeline() -> int:
        return give()

    assert pipeline() == 5
    assert [run["result"] for run in recorded.runs()] == [None, None]


@pytest.mark.parametrize("how", ["direct", "submit"])
def test_result_that_cannot_be_pickled_completes_with_one_warning(recorded: Recorded, how: str) -> None:
    @task
    def give() -> Any:
        return threading.Lock()

    @flow
    def pipeline() -> int:
        for _ in range(3):
            value = give() if how == "direct" else give.submit().result()
            assert value.acquire()
        return 1

    assert pipeline() == 1
    assert {run["state"] for run in recorded.runs()} == {"completed"}
    [line] = recorded.logs(recorded.run(kind="flow"))
    assert line["level"] == "WARNING"
    assert "can't be recorded" in line["message"]
    assert "lock" in line["message"]


def test_argument_without_a_fingerprint_gives_one_warning(recorded: Recorded) -> None:
    @task
    def use(lock: Any) -> None:
        with lock:
            pass

    @flow
    def pipeline() -> None:
        lock = threading.Lock()
        for _ in range(3):
            use(lock)

    pipeline()
    [line] = recorded.logs(recorded.run(kind="flow"))
    assert "lock" in line["message"]
    assert recorded.run(kind="flow")["state"] == "completed"


def test_value_whose_repr_and_pickle_fail(recorded: Recorded) -> None:
    class Rude:
        def __repr__(self) -> str:
            raise RuntimeError("no repr")

        def __reduce__(self) -> Any:
            raise RuntimeError("no pickle")

        def __eq__(self, other: object) -> bool:
            raise RuntimeError("no equality")

        __hash__ = None  # type: ignore[assignment]

    @task
    def give(value: Any) -> Any:
        return value

    @flow
    def pipeline() -> bool:
        rude = Rude()
        return give(rude) is rude and give.submit([rude]).result()[0] is rude

    assert pipeline()
    assert {run["state"] for run in recorded.runs()} == {"completed"}


def test_huge_and_odd_parameters_are_shown_bounded(recorded: Recorded) -> None:
    @task
    def take(**values: Any) -> int:
        return len(values)

    @flow
    def pipeline() -> int:
        itself: list[Any] = [1]
        itself.append(itself)
        return take(
            text="x" * 1_000_000,
            many=list(range(100_000)),
            deep=[[[[[[[[[[[[1]]]]]]]]]]]],
            itself=itself,
            big=10**400,
            nan=float("nan"),
            raw=b"\xff\0",
            odd="\ud800\0",
            keys={1: 2, (3, 4): 5},
            function=len,
        )

    assert pipeline() == 10
    shown = recorded.run(task="take")["parameters"]
    assert len(str(shown)) < 40_000


def test_odd_names_and_tags_are_recorded(recorded: Recorded) -> None:
    @task(name="ü 🚂 \n", tags=["töö"], task_run_name="run\0{x}\ud800" + "y" * 1_000)
    def odd(x: str) -> str:
        return x

    @flow(name="'; DROP TABLE runs; --", flow_run_name="a\nb\0{x}")
    def pipeline(x: str) -> str:
        return odd(x)

    assert pipeline("\0\ud800") == "\0\ud800"
    run = recorded.run(kind="task")
    assert "\0" not in run["name"]
    assert run["tags"] == ["töö"]
    assert len(run["name"]) <= 200
    assert "\n" not in recorded.run(kind="flow")["name"]


@pytest.mark.parametrize("text", ["nul\0", "lone \ud800"])
def test_names_that_no_database_holds_are_refused(text: str) -> None:
    with pytest.raises(DefinitionError, match="can't be stored"):
        task(name=text)(lambda: None)
    with pytest.raises(DefinitionError, match="can't be stored"):
        flow(tags=[text])(lambda: None)


# ── exceptions and exits ─────────────────────────────────────────────────────────────────────────────────────────────
class NoText(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class OddText(Exception):
    def __str__(self) -> str:
        return "nul\0 sur\ud800"


class NotText(Exception):
    def __str__(self) -> str:
        return 5  # type: ignore[return-value]  # noqa: PLE0307 - that is what it is for


class HugeText(Exception):
    def __str__(self) -> str:
        return "x" * 10_000_000


class NeedsArguments(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__("needs two")
        self.lock = threading.Lock()  # can't be pickled


class OwnBase(BaseException):
    pass


@pytest.mark.parametrize(
    "make", [NoText, OddText, NotText, HugeText, lambda: NeedsArguments(1, 2), OwnBase, lambda: GeneratorExit()]
)
@pytest.mark.parametrize("how", ["direct", "submit"])
def test_any_exception_is_recorded_and_raised(recorded: Recorded, make: Any, how: str) -> None:
    problem = make()

    @task
    def fails() -> None:
        raise problem

    @flow
    def pipeline() -> str:
        run_it = fails if how == "direct" else lambda: fails.submit().result()
        with pytest.raises(BaseException) as told:
            run_it()
        assert told.value is problem
        return "caught"

    assert pipeline() == "caught"
    run = recorded.run(task="fails")
    assert run["state"] == "failed"
    assert run["cause"] == "user_error"
    assert type(problem).__name__ in run["error"]["type"]
    assert len(run["error"]["message"]) <= 20_000
    assert "\0" not in run["error"]["message"] + run["error"]["traceback"]


def test_causes_and_groups_are_told(recorded: Recorded) -> None:
    @task
    def chained() -> None:
        try:
            raise KeyError("first")
        except KeyError as problem:
            raise ValueError("second") from problem

    @task
    def grouped() -> None:
        raise ExceptionGroup("several", [ValueError("one"), TypeError("two")])

    @flow
    def pipeline() -> None:
        for broken in (chained, grouped):
            broken.submit().result(raise_on_failure=False)

    pipeline()
    told = recorded.run(task="chained")["error"]["traceback"]
    assert "KeyError: 'first'" in told
    assert "direct cause" in told
    assert "TypeError: two" in recorded.run(task="grouped")["error"]["traceback"]


def test_traceback_that_users_see_begins_in_their_code(recorded: Recorded) -> None:
    @task
    def fails() -> None:
        raise ValueError("here")

    @flow
    def pipeline() -> None:
        fails()

    with pytest.raises(ValueError, match="here"):
        pipeline()
    told = recorded.run(kind="flow")["error"]["traceback"]
    assert "in pipeline" in told
    assert "in fails" in told
    assert "execute/tasks.py" not in told


@pytest.mark.parametrize("code", [3, 0, None, "a message"])
@pytest.mark.parametrize("how", ["direct", "submit"])
def test_exit_of_a_task(recorded: Recorded, code: Any, how: str) -> None:
    calls = []

    @task(retries=2)
    def leaves() -> None:
        calls.append(1)
        raise SystemExit(code)

    @flow
    def pipeline() -> None:
        if how == "direct":
            leaves()
        else:
            leaves.submit()

    with pytest.raises(SystemExit) as told:
        pipeline()
    assert told.value.code == code
    assert calls == [1], "an exit is not tried again"
    for run in recorded.runs():
        assert (run["state"], run["label"], run["cause"]) == ("failed", "Exited", "exited")
    assert str(code) in recorded.run(task="leaves")["evidence"]


def test_exit_can_be_handled(recorded: Recorded) -> None:
    @task
    def leaves() -> None:
        raise SystemExit(3)

    @flow
    def pipeline() -> str:
        return str(leaves.submit().state if leaves.submit().wait() else "") + str(
            leaves.submit().result(raise_on_failure=False)
        )

    with pytest.raises(SystemExit):
        pipeline()

    @flow
    def handles() -> str:
        return repr(leaves.submit().result(raise_on_failure=False))

    assert handles() == "SystemExit(3)"
    assert recorded.run(flow="handles", kind="flow")["state"] == "completed"


def test_exit_with_a_code_that_has_no_repr(recorded: Recorded) -> None:
    class Rude:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    @task
    def leaves() -> None:
        raise SystemExit(Rude())

    @flow
    def pipeline() -> str:
        return type(leaves.submit().result(raise_on_failure=False)).__name__

    assert pipeline() == "SystemExit"


def test_interrupt_raised_by_user_code_stops_everything(recorded: Recorded) -> None:
    began = threading.Event()

    @task
    def runs_on() -> None:
        began.set()
        while True:
            threading.Event().wait(0.001)

    @flow
    def pipeline() -> None:
        runs_on.submit()
        began.wait(30)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline()
    assert {run["state"] for run in recorded.runs()} == {"cancelled"}
    assert recorded.run(task="runs_on")["cause"] == "cancelled"
