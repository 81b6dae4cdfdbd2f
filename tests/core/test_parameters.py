"""Parameters: binding as Python binds, checking as pydantic checks, and showing without ever failing."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import functools
import inspect
import json
import os
import pathlib
import subprocess
import sys
import typing
import uuid
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd  # type: ignore[import-untyped,unused-ignore]  # it has no types of its own
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellwerk.errors import DefinitionError, ParameterError
from stellwerk.sdk.parameters import SHOWN_LIMIT, Parameters, jsonable, run_name, shown


class Model(pydantic.BaseModel):
    rate: float = 0.1
    layers: list[int] = []
    password: str = pydantic.Field(default="secret", repr=False)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Stranger:
    """Stand for a class that pydantic knows nothing about."""


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Future:
    """Stand for a future."""


def is_future(value: object) -> bool:
    return isinstance(value, Future)


def plain(a, b=2):  # type: ignore[no-untyped-def]  # users write such
    return a, b


def everything(a, b=2, /, c=3, *rest, d, e=5, **more):  # type: ignore[no-untyped-def]  # users write such
    return a, b, c, rest, d, e, more


def keyword_after(a, *, b):  # type: ignore[no-untyped-def]  # users write such
    return a, b


def nothing() -> None:
    return None


class Owner:
    def method(self, x: int, y: int = 1) -> int:
        return x + y

    def __call__(self, x: int) -> int:
        return x


def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return inner


CALLABLES = [
    plain,
    everything,
    keyword_after,
    nothing,
    Owner().method,
    Owner.method,
    Owner(),
    wrap(everything),
    functools.partial(everything, 1, d=4),
    lambda *args, **kwargs: (args, kwargs),
]
ARGS = st.lists(st.integers(), max_size=5).map(tuple)
KWARGS = st.dictionaries(st.sampled_from("abcdexyz"), st.integers(), max_size=5)


@given(st.sampled_from(CALLABLES), ARGS, KWARGS)
def test_binding_agrees_with_python(
    function: Callable[..., Any], args: tuple[int, ...], kwargs: dict[str, int]
) -> None:
    parameters = Parameters(function)
    try:
        result = function(*args, **kwargs)
    except TypeError:
        with pytest.raises(ParameterError):
            parameters.bind(args, kwargs)
        return
    bound = parameters.bind(args, kwargs)
    assert parameters.call(function, bound) == result
    assert tuple(bound) == parameters.names == tuple(inspect.signature(function).parameters)
    unpacked = parameters.unpack(bound)
    assert parameters.bind(tuple(unpacked[0]), unpacked[1]) == bound


@given(st.sampled_from(CALLABLES), ARGS, KWARGS)
def test_binding_agrees_with_inspect(
    function: Callable[..., Any], args: tuple[int, ...], kwargs: dict[str, int]
) -> None:
    try:
        function(*args, **kwargs)
        expected = inspect.signature(function).bind(*args, **kwargs)
    except TypeError:
        # From inspect also, wrongly, for a positional-only name that comes again among **kwargs; Python 3.13.0 in turn
        # binds such calls where the function itself refuses them.
        return
    expected.apply_defaults()
    assert Parameters(function).bind(args, kwargs) == dict(expected.arguments)


def test_calling_unpacks_every_kind_of_parameter() -> None:
    parameters = Parameters(everything)
    bound = parameters.bind((1, 9, 8, 7, 6), {"d": 4, "z": 0})
    assert parameters.call(everything, bound) == (1, 9, 8, (7, 6), 4, 5, {"z": 0})
    # A positional-only name may come again as a keyword of its own.
    assert parameters.bind((1,), {"d": 4, "a": 5})["more"] == {"a": 5}


def test_defaults_are_the_functions_own_objects() -> None:
    default: list[int] = []

    def function(x: list[int] = default) -> list[int]:
        return x

    assert Parameters(function).bind((), {})["x"] is default


def test_one_binding_error_names_all_and_suggests() -> None:
    def train(model, rows, *, rate=0.1):  # type: ignore[no-untyped-def]  # users write such
        return model

    with pytest.raises(ParameterError) as caught:
        Parameters(train).bind((), {"modle": "ridge", "rate": 1})
    message = str(caught.value)
    for part in ("train(modle='ridge', rate=1)", "'model' is missing", "'rows' is missing", "did you mean 'model'"):
        assert part in message
    assert "train(model, rows, *, rate=0.1)" in message
    with pytest.raises(ParameterError, match="'a' is given twice"):
        Parameters(plain).bind((1,), {"a": 2})
    with pytest.raises(ParameterError, match="takes 2 positional arguments, not 3"):
        Parameters(plain).bind((1, 2, 3), {})

    def only(a, /):  # type: ignore[no-untyped-def]  # users write such
        return a

    with pytest.raises(ParameterError, match="only be given by position"):
        Parameters(only).bind((), {"a": 1})


def test_a_callable_without_a_signature_is_refused() -> None:
    with pytest.raises(DefinitionError, match="no signature"):
        Parameters(type("Opaque", (), {"__signature__": 3, "__call__": None}))
    with pytest.raises(DefinitionError, match="no signature"):
        Parameters(dict)


def check(function: Callable[..., Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
    parameters = Parameters(function)
    return parameters.validate(parameters.bind(args, kwargs), is_future)


def test_values_are_coerced_from_annotations() -> None:
    def flow(
        n: int,
        when: dt.date,
        colour: Colour,
        mode: Literal["fast", "slow"],
        model: Model,
        ids: list[int],
        point: Point,
        maybe: float | None = None,
        size: Annotated[int, pydantic.Field(gt=0)] = 1,
    ) -> None: ...

    checked = check(
        flow, "3", "2013-01-31", "red", "fast", {"rate": "0.5"}, ("1", 2), {"x": "1"}, maybe="2.5", size="7"
    )
    assert checked == {
        "n": 3,
        "when": dt.date(2013, 1, 31),
        "colour": Colour.RED,
        "mode": "fast",
        "model": Model(rate=0.5),
        "ids": [1, 2],
        "point": Point(1),
        "maybe": 2.5,
        "size": 7,
    }
    assert list(checked) == list(Parameters(flow).names)


def test_one_error_names_all_bad_parameters_with_value_and_reason() -> None:
    def flow(n: int, colour: Colour, model: Model, good: int, mode: Literal["a", "b"] = "a") -> None: ...

    with pytest.raises(ParameterError) as caught:
        check(flow, "many", "green", {"rate": 1, "layers": [1, "x"]}, 5, mode="c")
    message = str(caught.value)
    for part in ("n = 'many': ", "colour = 'green': ", "'red' or 'blue'", "model.layers.1 = 'x': ", "mode = 'c': "):
        assert part in message
    assert "good = " not in message
    assert caught.value.facts["parameters"] == ("n", "colour", "model", "mode")


def test_many_errors_of_one_parameter_are_counted() -> None:
    def flow(ids: list[int]) -> None: ...

    with pytest.raises(ParameterError, match="and 95 more"):
        check(flow, ["x"] * 100)


def test_variadic_parameters_are_checked_item_by_item() -> None:
    def flow(*numbers: int, **rates: float) -> None: ...

    assert check(flow, "1", 2, a="0.5") == {"numbers": (1, 2), "rates": {"a": 0.5}}
    with pytest.raises(ParameterError) as caught:
        check(flow, 1, "x", a="y")
    assert "numbers[1] = 'x'" in str(caught.value)
    assert "a = 'y'" in str(caught.value)


def test_futures_are_left_untouched_also_inside_collections() -> None:
    def flow(n: int, ids: list[int], table: dict[str, int]) -> None: ...

    future = Future()
    ids, table = [1, future], {"a": future}
    checked = check(flow, future, ids, table)
    assert checked["n"] is future
    assert checked["ids"] is ids
    assert checked["table"] is table


def test_defaults_are_not_checked() -> None:
    def flow(n: int = None, m: int = "x") -> None: ...  # type: ignore[assignment]  # noqa: RUF013 - users write such

    assert check(flow) == {"n": None, "m": "x"}
    assert check(flow, None) == {"n": None, "m": "x"}


def test_instances_of_arbitrary_classes_pass_and_others_do_not() -> None:
    def flow(stranger: Stranger, several: list[Stranger], frame: pd.DataFrame, rng: np.random.Generator) -> None: ...

    one, frame, rng = Stranger(), pd.DataFrame({"a": [1]}), np.random.default_rng(0)
    checked = check(flow, one, [one], frame, rng)
    assert (checked["stranger"], checked["several"]) == (one, [one])
    assert checked["frame"] is frame
    assert checked["rng"] is rng
    with pytest.raises(ParameterError) as caught:
        check(flow, 1, [2], 3, 4)
    assert caught.value.facts["parameters"] == ("stranger", "several", "frame", "rng")


class Closes(typing.Protocol):
    def close(self) -> None: ...


def test_what_cannot_be_checked_is_left_as_it_is() -> None:
    def flow(
        a: Missing,  # type: ignore[name-defined]  # noqa: F821 - users write such
        b: list[Missing],  # type: ignore[name-defined]  # noqa: F821 - users write such
        c: Closes,
        d: any,  # type: ignore[valid-type]  # users write such
        e: 5,  # type: ignore[valid-type]  # users write such
        f: 1 / 0,  # type: ignore[valid-type]  # users write such
        n: int,
        g: Any = None,
        h: object = None,
    ) -> None: ...

    checked = check(flow, 1, [2], 3, 4, 5, 6, "7", 8, 9)
    assert checked == {"a": 1, "b": [2], "c": 3, "d": 4, "e": 5, "f": 6, "n": 7, "g": 8, "h": 9}


def test_streams_are_not_used_up() -> None:
    def flow(a: Iterable[int], b: Iterable[int] | None = None) -> None: ...

    a, b = iter("xy"), ["x"]
    checked = check(flow, a, b)
    assert checked["a"] is a
    assert checked["b"] is b
    assert list(a) == ["x", "y"]


def test_annotations_are_found_in_closure_and_namespace() -> None:
    class Local(pydantic.BaseModel):
        x: int

    def closed(model: Local) -> type[Local]:
        return Local

    def apart(model: Local) -> None: ...

    assert check(closed, {"x": "1"})["model"] == Local(x=1)
    assert check(apart, {"x": "1"})["model"] == {"x": "1"}
    parameters = Parameters(apart, namespace=locals())
    assert parameters.validate({"model": {"x": "1"}})["model"] == Local(x=1)
    assert check(wrap(closed), {"x": "1"})["model"] == Local(x=1)
    assert check(functools.partial(closed), {"x": "1"})["model"] == Local(x=1)


def test_bound_methods_and_callable_objects_are_checked() -> None:
    assert check(Owner().method, "1", y="2") == {"x": 1, "y": 2}
    assert check(Owner(), "1") == {"x": 1}


def test_scalars_of_numpy_count_as_pythons() -> None:
    def flow(n: int, x: float, s: str, b: bool) -> None: ...

    checked = check(flow, np.int64(3), np.float32(0.5), np.str_("s"), np.bool_(True))
    assert checked == {"n": 3, "x": 0.5, "s": "s", "b": True}


def test_a_validator_that_raises_anything_is_a_bad_parameter() -> None:
    def explode(value: object) -> object:
        raise RuntimeError("boom")

    def flow(n: Annotated[int, pydantic.BeforeValidator(explode)]) -> None: ...

    with pytest.raises(ParameterError, match="n = 1: RuntimeError: boom"):
        Parameters(flow, namespace={"explode": explode}).validate({"n": 1})


def test_plain_annotations_do_not_import_pydantic() -> None:
    code = (
        "import sys\n"
        "from stellwerk.sdk.parameters import Parameters\n"
        "assert not {'pydantic', 'difflib'} & (set(sys.modules) - before)\n"
        "def flow(n: int, name: 'str' = 'x', rate: float | None = None): ...\n"
        "p = Parameters(flow)\n"
        "p.validate(p.bind((1,), {'rate': 0.5}))\n"
        "assert not {'pydantic', 'difflib'} & (set(sys.modules) - before)\n"
        "p.validate(p.bind(('1',), {}))\n"
        "assert 'pydantic' in sys.modules\n"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    code = "import sys; before = set(sys.modules)\n" + code
    done = subprocess.run([sys.executable, "-S", "-c", code], env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_run_names() -> None:
    arguments = {"model": "ridge", "when": dt.date(2013, 1, 1), "config": Model()}
    assert run_name("train-{model}-{when:%Y}-{config.rate}", arguments) == "train-ridge-2013-0.1"
    assert run_name(lambda: "plain", arguments) == "plain"
    assert run_name(lambda parameters: parameters["model"], arguments) == "ridge"
    assert run_name("a\n  b", {}) == "a b"
    assert len(run_name("{x}", {"x": "y" * 1000})) == 200
    with pytest.raises(DefinitionError, match="needs 'modle'") as caught:
        run_name("train-{modle}", arguments)
    assert "model, when, config" in str(caught.value)
    for wrong in ("{}", "{model.depth}", "{model", "{model:d}"):
        with pytest.raises(DefinitionError):
            run_name(wrong, arguments)
    with pytest.raises(DefinitionError, match="not a text"):
        run_name(lambda: 3, arguments)  # type: ignore[arg-type,return-value]  # the point of the test


class Hostile:
    """Fail at whatever is asked."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    def __getattr__(self, name: str) -> object:
        raise RuntimeError(name)


def test_json_of_what_users_pass() -> None:
    arguments = {
        "none": None,
        "n": 3,
        "x": 0.5,
        "nan": float("nan"),
        "big": 1 << 80,
        "text": "Zürich",
        "raw": b"abc",
        "model": Model(layers=[1]),
        "point": Point(1),
        "colour": Colour.RED,
        "day": dt.date(2013, 1, 1),
        "span": dt.timedelta(hours=1),
        "path": pathlib.Path("/tmp/x"),
        "id": uuid.UUID(int=1),
        "money": Decimal("1.50"),
        "np": np.int64(4),
        "stamp": np.datetime64("2013-01-01"),
        "array": np.zeros((2, 3)),
        "frame": pd.DataFrame({"a": [1]}),
        "nested": {"a": (1, {2}), 3: Stranger},
        "hostile": Hostile(),
        "secret": pydantic.SecretStr("geheim"),
    }
    result = json.loads(jsonable(arguments))
    assert list(result) == list(arguments)
    assert result["nan"] == "nan"
    assert result["big"] == str(1 << 80)
    assert result["text"] == "Zürich"
    assert result["model"] == {"rate": 0.1, "layers": [1]}
    assert result["point"] == {"x": 1, "y": 0}
    assert (result["colour"], result["day"], result["path"]) == ("red", "2013-01-01", "/tmp/x")
    assert (result["span"], result["money"], result["np"]) == ("1:00:00", "1.50", 4)
    assert result["id"] == str(uuid.UUID(int=1))
    assert (result["stamp"], result["array"]) == ("2013-01-01", "<ndarray 2 x 3 float64>")
    assert result["frame"] == "<DataFrame 1 x 1>"
    assert result["nested"]["a"] == [1, [2]]
    assert result["hostile"] == "<Hostile>"
    assert "geheim" not in json.dumps(result)


def test_json_is_bounded_and_says_what_it_left_out() -> None:
    result = json.loads(jsonable({"all": list(range(1_000_000)), "last": "here"}))
    assert result["last"] == "here"
    assert result["all"][:3] == [0, 1, 2]
    assert result["all"][-1] == f"… {1_000_000 - len(result['all']) + 1:,} more"
    text = json.loads(jsonable({"text": "x" * 100_000, "n": 1}))
    assert text["n"] == 1
    assert text["text"].endswith("…")
    assert len(text["text"]) > 4_000
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    circle: dict[str, Any] = {}
    circle["self"] = circle
    for value in (deep, circle, "\0" * 50_000, "\ud800", ["ü" * 300] * 300, {str(i): i for i in range(10_000)}):
        assert len(jsonable({"value": value})) <= SHOWN_LIMIT
        json.loads(jsonable({"value": value}))
    json.loads(jsonable({f"p{i}": "x" * 500 for i in range(2_000)}))


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates() | st.decimals(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON_LIKE, max_size=4))
def test_json_never_raises(arguments: dict[str, Any]) -> None:
    encoded = jsonable(arguments)
    assert len(encoded) <= SHOWN_LIMIT
    json.loads(encoded)


@given(st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9), st.lists, max_leaves=20))
def test_small_plain_values_survive_json(value: Any) -> None:
    assert json.loads(jsonable({"value": value})) == {"value": value}


def test_shown_is_bounded() -> None:
    assert shown("x") == "'x'"
    assert len(shown("x" * 1_000_000)) <= 80
    assert shown(list(range(1000))) == "<list of 1,000 items>"
    assert shown(Hostile()) == "<Hostile>"
    assert shown(np.zeros(3)) == "<ndarray 3 float64>"
