"""Tasks and flows as users write them: every kind of function gives its ordinary value, and its run is recorded."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from stellwerk import (
    DefinitionError,
    Flow,
    ParameterError,
    Task,
    flow,
    get_run_context,
    task,
)
from stellwerk.testing import Recorded, recording_off


@task
def double(x: int) -> int:
    """Double a number."""
    return 2 * x


@task
async def double_later(x: int) -> int:
    await asyncio.sleep(0)
    return 2 * x


@task
def count(n: int) -> Iterator[int]:
    yield from range(n)


@task
async def count_later(n: int) -> AsyncIterator[int]:
    for i in range(n):
        await asyncio.sleep(0)
        yield i


class Scaler:
    """A class with tasks for methods."""

    def __init__(self, factor: int) -> None:
        self.factor = factor

    @task
    def scale(self, x: int) -> int:
        return self.factor * x

    @task(name="shift", tags=["moves"])
    def shift_by(self, x: int, by: int = 1) -> int:
        return x + by

    @staticmethod
    @task
    def negate(x: int) -> int:
        return -x

    @classmethod
    @task
    def named(cls, x: int) -> str:
        return f"{cls.__name__}{x}"

    @task
    @classmethod
    def named_too(cls, x: int) -> str:
        return f"{cls.__name__}{x}"

    @task(name="absolute")
    @staticmethod
    def absolute(x: int) -> int:
        return abs(x)

    @flow
    def run(self, x: int) -> int:
        return self.scale(x) + self.scale.submit(x + 1).result()


def test_direct_call_gives_the_value_and_is_recorded(recorded: Recorded) -> None:
    @flow
    def pipeline(x: int) -> int:
        return double(double(x))

    assert pipeline(3) == 12
    run = recorded.run(kind="flow")
    assert (run["flow"], run["task"], run["state"], run["label"], run["parent_id"]) == (
        "pipeline",
        None,
        "completed",
        None,
        None,
    )
    assert run["parameters"] == {"x": 3}
    assert run["result"]["preview"] == "12"
    first, second = recorded.runs(kind="task")
    assert [first["name"], second["name"]] == ["double-0", "double-1"]
    assert (first["flow"], first["task"], first["parent_id"], first["root_id"]) == (
        "pipeline",
        "double",
        run["id"],
        run["id"],
    )
    assert [first["parameters"], second["parameters"]] == [{"x": 3}, {"x": 6}]
    assert run["created_at"] <= first["started_at"] <= first["ended_at"] <= second["started_at"] <= run["ended_at"]
    assert [step["event"] for step in recorded.story(first)] == ["submitted", "granted", "began", "completed"]
    assert first["attempts"][0]["number"] == 1


def test_submitted_call_gives_a_future(recorded: Recorded) -> None:
    @flow
    def pipeline() -> int:
        future = double.submit(4)
        assert future.task_name == "double"
        assert future.name == "double-0"
        value = future.result()
        assert future.done()
        assert future.state == "completed"
        assert future.state.is_completed()
        return value

    assert pipeline() == 8
    assert recorded.run(task="double")["state"] == "completed"


def test_future_tells_the_id_of_its_run(recorded: Recorded) -> None:
    @flow
    def pipeline() -> str:
        return double.submit(1).run_id

    assert pipeline() == recorded.run(task="double")["id"]


def test_async_task_in_async_flow(recorded: Recorded) -> None:
    @flow
    async def pipeline() -> list[int]:
        direct = await double_later(1)
        submitted = await double_later.submit(2)
        mapped = [await future for future in double_later.map([3, 4])]
        return [direct, submitted, *mapped, double(5), await double.submit(6)]

    assert asyncio.run(pipeline()) == [2, 4, 6, 8, 10, 12]
    assert [run["state"] for run in recorded.runs()] == ["completed"] * 7


def test_async_task_in_sync_flow(recorded: Recorded) -> None:
    @flow
    def pipeline() -> list[int]:
        return [double_later.submit(1).result(), *double_later.map([2, 3]).result()]

    assert pipeline() == [2, 4, 6]
    assert {run["state"] for run in recorded.runs()} == {"completed"}


def test_generator_task_gives_its_items_and_records_each(recorded: Recorded, sql: Callable[..., list[Any]]) -> None:
    @flow
    def pipeline() -> list[int]:
        direct = list(count(3))
        return direct + count.submit(2).result()

    assert pipeline() == [0, 1, 2, 0, 1]
    direct, submitted = recorded.runs(task="count")
    assert (direct["state"], submitted["state"]) == ("completed", "completed")
    assert submitted["result"]["preview"] == "[0, 1]"
    assert sql("SELECT n, preview FROM items ORDER BY n") == [(0, "0"), (1, "1"), (2, "2")]


def test_generator_task_is_consumed_as_far_as_it_is_asked(recorded: Recorded) -> None:
    reached = []

    @task
    def endless() -> Iterator[int]:
        for i in range(1_000):
            reached.append(i)
            yield i

    @flow
    def pipeline() -> int:
        return next(i for i in endless() if i == 3)

    assert pipeline() == 3
    assert reached == [0, 1, 2, 3]
    # Its function never returned.
    assert recorded.run(task="endless")["state"] == "cancelled"
    assert recorded.run(flow="pipeline", task=None)["state"] == "completed"


def test_generator_task_hands_out_what_came_before_its_failure(recorded: Recorded) -> None:
    @task
    def breaks() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    @flow
    def pipeline() -> list[int]:
        got = []
        try:
            for item in breaks():
                got.append(item)
        except ValueError:
            got.append(-1)
        return got

    assert pipeline() == [1, -1]
    assert recorded.run(task="breaks")["error"]["message"] == "broken"


def test_tasks_called_between_the_items_of_a_generator_belong_to_the_flow(recorded: Recorded) -> None:
    @flow
    def pipeline() -> list[int]:
        return [double(item) for item in count(2)]

    assert pipeline() == [0, 2]
    flow_id = recorded.run(kind="flow")["id"]
    assert {run["parent_id"] for run in recorded.runs(kind="task")} == {flow_id}


def test_generator_left_open_by_a_flow_does_not_stay_running(recorded: Recorded) -> None:
    kept = []

    @flow
    def pipeline() -> int:
        items = count(5)
        kept.append(items)
        return next(items)

    assert pipeline() == 0
    assert recorded.run(task="count")["ended_at"] is not None


def test_async_generator_task(recorded: Recorded) -> None:
    @flow
    async def pipeline() -> list[int]:
        return [item async for item in count_later(3)] + await count_later.submit(2)

    assert asyncio.run(pipeline()) == [0, 1, 2, 0, 1]
    assert [run["state"] for run in recorded.runs(task="count_later")] == ["completed"] * 2


def test_generator_flows(recorded: Recorded) -> None:
    @flow
    def rows(n: int) -> Iterator[int]:
        for i in range(n):
            yield double(i)

    @flow
    async def rows_later(n: int) -> AsyncIterator[int]:
        for i in range(n):
            yield await double_later(i)

    async def gather() -> list[int]:
        return [item async for item in rows_later(2)]

    assert list(rows(3)) == [0, 2, 4]
    assert asyncio.run(gather()) == [0, 2]
    assert {run["state"] for run in recorded.runs()} == {"completed"}
    assert len(recorded.runs(flow="rows", kind="task")) == 3


def test_generator_flow_that_is_left_waits_for_what_it_submitted(recorded: Recorded) -> None:
    @flow
    def rows() -> Iterator[int]:
        for i in range(10):
            double.submit(i)
            yield i

    items = rows()
    assert next(items) == 0
    items.close()
    assert recorded.run(flow="rows", task=None)["state"] == "cancelled"
    assert recorded.run(task="double")["state"] == "completed"


def test_methods_take_their_instance_as_an_input(recorded: Recorded) -> None:
    two, three = Scaler(2), Scaler(3)

    @flow
    def pipeline() -> list[Any]:
        return [
            two.scale(5),
            three.scale.submit(5).result(),
            *two.scale.map([1, 2]).result(),
            two.shift_by(1, by=10),
            Scaler.negate(4),
            two.negate.submit(4).result(),
            Scaler.named(1),
            two.named(2),
            Scaler.named_too.submit(3).result(),
            two.named_too.with_options(name="renamed")(4),
            Scaler.absolute.submit(-5).result(),
            two.absolute(-6),
            Scaler.scale(three, 7),
        ]

    assert pipeline() == [10, 15, 2, 4, 11, -4, -4, "Scaler1", "Scaler2", "Scaler3", "Scaler4", 5, 6, 21]
    assert recorded.run(task="shift")["tags"] == ["moves"]
    assert two.run(1) == 6


def test_equal_instances_give_equal_keys_and_others_do_not(recorded: Recorded) -> None:
    @flow
    def pipeline() -> tuple[bytes, ...]:
        futures = [Scaler(n).scale.submit(5) for n in (2, 2, 3)]
        return tuple(future.call_key for future in futures)

    first, again, other = pipeline()
    assert first[:-4] == again[:-4] != other[:-4]
    assert first != again, "the second equal call is counted"


def test_lambdas_partials_and_callables(recorded: Recorded) -> None:
    class Adder:
        def __init__(self, n: int) -> None:
            self.n = n

        def __call__(self, x: int) -> int:
            return self.n + x

    @flow
    def pipeline() -> list[int]:
        return [
            task(lambda x: x + 1)(1),
            task(functools.partial(pow, 2))(5),
            task(Adder(10), name="adder")(1),
            task(Adder(20)).submit(1).result(),
        ]

    assert pipeline() == [2, 32, 11, 21]
    assert {run["state"] for run in recorded.runs()} == {"completed"}


def test_decorated_wrapper_of_another_task_is_a_task_of_its_own(recorded: Recorded) -> None:
    @task(name="outer", tags=["own"])
    @functools.wraps(double)
    def wrapper(x: int) -> int:
        return double(x) + 1

    @flow
    def pipeline() -> int:
        return wrapper(1)

    assert pipeline() == 3
    assert recorded.run(task="outer")["tags"] == ["own"]
    assert double.tags == ()


def test_definition_keeps_the_look_of_its_function() -> None:
    assert isinstance(double, Task)
    assert double.name == "double"
    assert double.__doc__ == "Double a number."
    assert double.__name__ == "double"
    assert double.__wrapped__ is double.fn
    assert repr(double) == "<task double>"

    @flow(name="nightly")
    def pipeline() -> None: ...

    assert isinstance(pipeline, Flow)
    assert repr(pipeline) == "<flow nightly>"


def test_fn_is_the_plain_function(recorded: Recorded) -> None:
    assert double.fn(3) == 6
    assert asyncio.run(double_later.fn(3)) == 6
    assert list(count.fn(2)) == [0, 1]
    assert recorded.runs() == []


def test_with_options_makes_another_task(recorded: Recorded) -> None:
    other = double.with_options(name="twice", tags=["x", "a"], task_run_name="twice {x}")

    @flow
    def pipeline() -> int:
        return other(2) + double(3)

    assert pipeline() == 10
    run = recorded.run(task="twice")
    assert (run["name"], run["tags"]) == ("twice 2", ["a", "x"])
    assert recorded.run(task="double")["tags"] == []
    assert double.name == "double"


def test_with_options_of_a_method_keeps_its_instance(recorded: Recorded) -> None:
    scaler = Scaler(4)

    @flow
    def pipeline() -> int:
        return scaler.scale.with_options(name="other")(2) + Scaler.scale.with_options(name="third")(scaler, 1)

    assert pipeline() == 12
    assert {run["task"] for run in recorded.runs(kind="task")} == {"other", "third"}


def test_flow_with_options(recorded: Recorded) -> None:
    @flow(tags=["team"], flow_run_name="for {day}")
    def pipeline(day: str) -> str:
        return get_run_context().name

    assert pipeline("monday") == "for monday"
    assert pipeline.with_options(flow_run_name=lambda: "fixed", name="renamed")("tuesday") == "fixed"
    assert recorded.run(flow="renamed")["tags"] == ["team"]


@pytest.mark.parametrize(
    "options",
    [
        {"retries": -1},
        {"retries": True},
        {"retry_delay_seconds": []},
        {"retry_delay_seconds": -1},
        {"retry_delay_seconds": ["soon"]},
        {"retry_jitter_factor": -0.1},
        {"timeout_seconds": 0},
        {"timeout_seconds": "5"},
        {"run_when": "sometimes"},
        {"tags": "one"},
        {"name": 5},
        {"no_such_option": 1},
        {"retry_condition_fn": 5},
        {"key": 5},
        {"version": 5},
    ],
)
def test_wrong_option_is_refused_at_definition(options: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError) as told:
        task(**options)(lambda: None)
    assert next(iter(options)) in str(told.value)
    with pytest.raises(DefinitionError):
        double.with_options(**options)


@pytest.mark.parametrize(
    "options",
    [{"retries": 1.5}, {"durability": "none"}, {"task_runner": "threads"}, {"timeout_seconds": -1}, {"run_when": "x"}],
)
def test_wrong_option_of_a_flow_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError):
        flow(**options)(lambda: None)


def test_decorating_twice_or_no_function_is_refused() -> None:
    with pytest.raises(DefinitionError, match="decorated already"):
        task(double)
    with pytest.raises(DefinitionError, match="needs a function"):
        task(5)  # type: ignore[call-overload]


def test_wrong_arguments_are_refused_before_anything_is_recorded(recorded: Recorded) -> None:
    @flow
    def pipeline(kind: str) -> None:
        with pytest.raises(ParameterError, match="'y' is not a parameter"):
            double.submit(1, y=2)
        with pytest.raises(ParameterError, match="'x' is missing"):
            double()
        with pytest.raises(ParameterError):
            double.map([1], [2])

    pipeline("x")
    assert recorded.runs(kind="task") == []


def test_tags_are_inherited_and_sorted(recorded: Recorded) -> None:
    @task(tags=["z"])
    def inner() -> None: ...

    @flow(tags=["b"])
    def child() -> None:
        inner()

    @flow(tags=["a"])
    def parent() -> None:
        child()

    parent()
    assert recorded.run(flow="parent", kind="flow")["tags"] == ["a"]
    assert recorded.run(flow="child", kind="flow")["tags"] == ["a", "b"]
    assert recorded.run(task="inner")["tags"] == ["a", "b", "z"]


def test_run_names_by_template(recorded: Recorded) -> None:
    @task(task_run_name="train-{model}-{depth:03}")
    def train(model: str, depth: int = 7) -> None: ...

    @task(task_run_name=lambda parameters: f"got {parameters['x']}")
    def named(x: int) -> None: ...

    @flow(flow_run_name="{what} run")
    def pipeline(what: str) -> None:
        train("tree")
        named(5)

    pipeline("big")
    assert {run["name"] for run in recorded.runs()} == {"big run", "train-tree-007", "got 5"}


def test_run_name_that_cannot_be_made_leaves_nothing(recorded: Recorded) -> None:
    @flow(flow_run_name="{nothing}")
    def pipeline(x: int) -> None: ...

    with pytest.raises(DefinitionError, match="nothing"):
        pipeline(1)
    assert recorded.runs() == []


def test_context_tells_which_run_one_is_in(recorded: Recorded) -> None:
    told: dict[str, Any] = {}

    @task(tags=["t"])
    def inner(x: int) -> None:
        context = get_run_context()
        told["task"] = (context.kind, context.name, context.task_name, context.flow_name, context.attempt)
        told["parameters"] = dict(context.parameters)
        told["tags"] = context.tags
        told["id"] = context.run_id
        assert context.parent is not None
        told["parent"] = context.parent.name

    @flow(flow_run_name="outer")
    def pipeline() -> str:
        inner.submit(5).result()
        return get_run_context().run_id

    flow_id = pipeline()
    run = recorded.run(task="inner")
    assert told == {
        "task": ("task", "inner-0", "inner", "pipeline", 1),
        "parameters": {"x": 5},
        "tags": ("t",),
        "id": run["id"],
        "parent": "outer",
    }
    assert recorded.run(kind="flow")["id"] == flow_id
    with pytest.raises(DefinitionError, match="no run here"):
        get_run_context()


def test_task_outside_a_flow_is_a_run_of_its_own(recorded: Recorded) -> None:
    @task
    def nesting(x: int) -> int:
        return double(x) + double.submit(x).result() + sum(double.map([1, 2]).result())

    assert double(4) == 8
    assert asyncio.run(double_later(4)) == 8
    assert nesting(1) == 10
    alone = recorded.runs(task="double")[0]
    assert (alone["kind"], alone["state"], alone["parent_id"], alone["root_id"]) == (
        "task",
        "completed",
        None,
        alone["id"],
    )
    outer = recorded.run(task="nesting")
    assert [run["parent_id"] for run in recorded.runs(task="double")] == [None] + [outer["id"]] * 4


def test_generator_task_outside_a_flow_is_lazy_too(recorded: Recorded) -> None:
    items = count(3)
    assert next(items) == 0
    assert list(items) == [1, 2]
    assert recorded.run(task="count")["state"] == "completed"

    async def gather() -> list[int]:
        return [item async for item in count_later(2)]

    assert asyncio.run(gather()) == [0, 1]
    assert recorded.run(task="count_later")["state"] == "completed"


def test_failing_task_outside_a_flow_raises_and_is_recorded(recorded: Recorded) -> None:
    @task
    def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fails()
    assert recorded.run(task="fails")["state"] == "failed"


def test_submit_outside_a_flow_says_what_to_do(recorded: Recorded) -> None:
    with pytest.raises(DefinitionError, match="outside any flow"):
        double.submit(1)
    with pytest.raises(DefinitionError, match="outside any flow"):
        double.map([1])
    assert recorded.runs() == []


def test_recording_off_runs_plain_functions(recorded: Recorded) -> None:
    @task
    def fails() -> None:
        raise ValueError("no")

    @flow
    def pipeline(n: int) -> list[Any]:
        failed = fails.submit()
        failed.wait()
        assert failed.state == "failed"
        assert isinstance(failed.result(raise_on_failure=False), ValueError)
        future = double.submit(1)
        return [
            double(n),
            double.submit(future).result(),
            double.map(range(3)).result(),
            list(count(2)),
            count.submit(2).result(),
            double_later.submit(2).result(),
            Scaler(3).scale(2),
        ]

    with recording_off():
        assert pipeline("4") == [8, 4, [0, 2, 4], [0, 1], [0, 1], 4, 6]  # type: ignore[arg-type]  # coerced
        assert asyncio.run(double_later(2)) == 4
        with pytest.raises(ParameterError):
            pipeline("many")  # type: ignore[arg-type]
    assert recorded.runs() == []


def test_flow_called_with_a_stranger_parameter_type_is_recorded(recorded: Recorded) -> None:
    class Opaque:
        __slots__ = ()

        def __repr__(self) -> str:
            raise RuntimeError("no repr")

    @flow
    def pipeline(thing: Opaque) -> int:
        return 1

    assert pipeline(Opaque()) == 1
    assert recorded.run(kind="flow")["state"] == "completed"
