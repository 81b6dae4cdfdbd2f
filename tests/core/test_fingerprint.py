"""Fingerprints: equal values agree in every process, different ones differ, and what has no content has none."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import os
import pathlib
import pickle
import socket
import sqlite3
import subprocess
import sys
import threading
import uuid
import zoneinfo
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellwerk.sdk import fingerprint as module
from stellwerk.sdk.fingerprint import call_inputs, combine, fingerprint, obstacle, register, set_code_hook


@dataclasses.dataclass
class Point:
    x: int
    tags: set[str] = dataclasses.field(default_factory=lambda: {"a", "b", "c"})

    @functools.cached_property
    def norm(self) -> int:
        return abs(self.x)


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    x: int


class Plain:
    def __init__(self, x: Any) -> None:
        self.x = x
        self.names = {"one", "two", "three"}


class Colour(enum.Enum):
    RED = 1
    GREEN = 2


class Flags(enum.Flag):
    A = 1
    B = 2


class Model(pydantic.BaseModel):
    x: int
    y: float = 2.0


class Keyed:
    def __init__(self, name: str) -> None:
        self.name, self.lock = name, threading.Lock()

    def __call_key__(self) -> str:
        return self.name


class Refusing:
    def __call_key__(self) -> None:
        return None


class Words(set[str]):
    pass


class Table(dict[str, int]):
    pass


Pair = collections.namedtuple("Pair", "a b")


def module_function(x: int) -> int:
    return x


MOMENT = datetime.datetime(2024, 3, 31, 2, 30, tzinfo=zoneinfo.ZoneInfo("Europe/Zurich"))

# Each differs from every other, although several compare equal.
DISTINCT: list[Any] = [
    *(None, True, False, 1, 0, 1.0, 0.0, -0.0, float("nan"), float("inf"), 1j, "1", "", b"1", b"", bytearray(b"1")),
    *(
        (),
        [],
        {},
        set(),
        frozenset(),
        (1,),
        [1],
        {1: 1},
        {1},
        frozenset({1}),
        [[1]],
        [(1,)],
        [1, 1],
        ["11"],
        ["1", "1"],
    ),
    *(range(3), slice(3), ..., 2**70, -(2**70), 10**5000, "\ud800", "a" * 100, b"a" * 100, [1.0] * 20, [1] * 20),
    *(["1"] * 20, (1,) * 20, [True] * 20, ["ab", "c"] * 8, ["a", "bc"] * 8),
    *(Point(1), Point(2), Slotted(1), Plain(1), Plain(1.0), Colour.RED, Colour.GREEN, Flags.A, Flags.A | Flags.B),
    *(Model(x=1), Model(x=2), Keyed("a"), Keyed("b"), Words({"a"}), Table(a=1), Pair(1, 2), (1, 2)),
    *(MOMENT, MOMENT.replace(fold=1), MOMENT.date(), MOMENT.time(), datetime.timedelta(1), datetime.UTC),
    *(decimal.Decimal("1.0"), decimal.Decimal("1.00"), fractions.Fraction(1), uuid.UUID(int=1), pathlib.Path("a")),
    *(collections.OrderedDict(a=1, b=2), collections.OrderedDict(b=2, a=1), {"a": 1, "b": 2}, collections.Counter("a")),
    *(collections.defaultdict(list), collections.defaultdict(int), collections.deque([1]), collections.deque([1], 3)),
    *(len, str.upper, int, Point, module_function, functools.partial(int, base=2), Plain(1).__init__, list[int]),
    *(np.int64(1), np.int32(1), np.float64(1), np.array(1), np.array([1]), np.array([[1]]), np.array([1], "i4")),
    *(np.array(["a"], object), np.array(["a"]), np.datetime64("2024"), np.array([(1, 2.0)], "i1,f8")),
    *(pd.Series([1]), pd.Series([1.0]), pd.Series([1], name="a"), pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})),
    *(pd.Index([1]), pd.Categorical(["a"]), pd.Timestamp("2024"), pd.NA, pd.NaT, pd.Series(["a", None])),
    *(pa.array([1]), pa.array([1], pa.int8()), pa.array([None]), pa.array(["a", None]), pa.table({"a": [1]})),
    *(ValueError("a"), ValueError("b"), KeyError("a")),
]


def test_values_of_different_type_or_content_differ() -> None:
    seen: dict[bytes, Any] = {}
    for value in DISTINCT:
        found = fingerprint(value)
        assert found is not None, value
        assert len(found) == 16
        assert found not in seen, f"{value!r} and {seen[found]!r}"
        seen[found] = value


def _picklable() -> list[Any]:
    return [v for v in DISTINCT if not isinstance(v, Keyed)]


@pytest.mark.parametrize("value", _picklable(), ids=lambda v: type(v).__name__)
def test_a_copy_made_by_pickle_is_equal(value: Any) -> None:
    assert fingerprint(pickle.loads(pickle.dumps(value))) == fingerprint(value)


_SCRIPT = """
import pickle, sys
sys.path[:0] = [{folder!r}]
import test_fingerprint as t
from stellwerk.sdk.fingerprint import fingerprint
print(" ".join(fingerprint(v).hex() for v in t.DISTINCT))
"""


def test_equal_in_every_process() -> None:
    folder = os.path.dirname(os.path.abspath(__file__))
    said = set()
    for seed in ("0", "1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", _SCRIPT.format(folder=folder)]
        said.add(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert len(said) == 1


# ── properties ───────────────────────────────────────────────────────────────────────────────────────────────────────
_ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.decimals(allow_nan=False),
)
_KEYS = st.one_of(st.booleans(), st.integers(), st.text(), st.binary())
_VALUES = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=20),
        st.lists(inner).map(tuple),
        st.dictionaries(_KEYS, inner),
        st.sets(_KEYS),
        st.frozensets(_KEYS),
        inner.map(Plain),
    ),
    max_leaves=30,
)


def _written(value: Any) -> Any:
    """Write a value as plain tuples, with its types, such that equality means what the fingerprint promises."""
    kind = type(value).__name__
    if isinstance(value, (list, tuple)):
        return kind, *[_written(item) for item in value]
    if isinstance(value, dict):
        return kind, frozenset((_written(k), _written(v)) for k, v in value.items())
    if isinstance(value, (set, frozenset)):
        return kind, frozenset(map(_written, value))
    if isinstance(value, Plain):
        return kind, _written(value.x)
    return kind, repr(value)


def _rebuilt(value: Any) -> Any:
    """Copy a value so that nothing is shared, and dicts and sets are filled in the opposite order."""
    if isinstance(value, (list, tuple)):
        return type(value)(_rebuilt(item) for item in value)
    if isinstance(value, dict):
        return {k: _rebuilt(v) for k, v in reversed(list(value.items()))}
    if isinstance(value, (set, frozenset)):
        return type(value)(reversed(list(value)))
    return Plain(_rebuilt(value.x)) if isinstance(value, Plain) else value


@given(_VALUES)
def test_equal_values_agree_whatever_they_share(value: Any) -> None:
    assert fingerprint([value, value]) == fingerprint([value, _rebuilt(value)])


@given(_VALUES, _VALUES)
def test_fingerprints_are_equal_exactly_when_values_are(one: Any, other: Any) -> None:
    assert (fingerprint(one) == fingerprint(other)) == (_written(one) == _written(other))


@given(st.dictionaries(st.from_regex(r"[a-z]{1,3}", fullmatch=True), _VALUES))
def test_inputs_combine_the_fingerprints_of_arguments_in_any_order(arguments: dict[str, Any]) -> None:
    each = {name: fingerprint(value) or b"" for name, value in arguments.items()}
    found = call_inputs(arguments)
    assert found == combine(each) == call_inputs(dict(reversed(arguments.items())))
    assert found != call_inputs({**arguments, "more": None})


# ── sharing, cycles, depth ───────────────────────────────────────────────────────────────────────────────────────────
def test_shared_parts_are_encoded_once() -> None:
    one: Any = [1, 2]
    for _ in range(200):  # 2**200 items when written out
        one = [one, one]
    assert fingerprint(one) is not None


def test_cycles_end() -> None:
    def cycle(content: int) -> list[Any]:
        outer: list[Any] = [content]
        outer.append({"again": (outer,)})
        return outer

    assert fingerprint(cycle(1)) == fingerprint(cycle(1)) != fingerprint(cycle(2))
    node = Plain(None)
    node.x = node
    assert fingerprint(node) is not None


def test_a_dense_graph_has_none_in_good_time() -> None:
    graph: list[Any] = [[] for _ in range(40)]
    for node in graph:
        node.extend(graph)
    assert fingerprint(graph) is None


def test_deeper_than_the_stack_has_none() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    assert fingerprint(deep) is None
    assert "nested too deeply" in str(obstacle(deep))


# ── arrays and frames ────────────────────────────────────────────────────────────────────────────────────────────────
def test_arrays_count_by_content_not_by_layout() -> None:
    array = np.arange(24.0).reshape(4, 6)
    assert fingerprint(array) == fingerprint(np.asfortranarray(array)) == fingerprint(np.repeat(array, 2, 0)[::2])
    assert fingerprint(array) != fingerprint(array.T)
    assert fingerprint(array) != fingerprint(array.reshape(6, 4))


def test_padding_does_not_count() -> None:
    layout = np.dtype([("a", "i1"), ("b", "f8")], align=True)
    one, other = np.zeros(3, layout), np.frombuffer(bytearray(b"\xff" * 3 * layout.itemsize), layout).copy()
    other["a"], other["b"] = 0, 0
    assert fingerprint(one) == fingerprint(other)


def _frame() -> pd.DataFrame:
    columns = {
        "n": np.arange(6),
        "f": np.linspace(0, 1, 6),
        "text": ["a", "b", None, "d", "e", "f"],
        "object": pd.Series(["x", 1, None, 2.5, "y", "z"], dtype=object),
        "when": pd.date_range("2024-01-01", periods=6, tz="Europe/Zurich"),
        "kind": pd.Categorical(["u", "v"] * 3),
        "maybe": pd.array([1, None, 3, 4, 5, 6], dtype="Int64"),
        "arrow": pd.array([1, None, 3, 4, 5, 6], dtype="int64[pyarrow]"),
        "period": pd.period_range("2024", periods=6, freq="M"),
    }
    return pd.DataFrame(columns)


def test_frames_count_by_content() -> None:
    frame = _frame()
    assert fingerprint(frame) == fingerprint(_frame()) == fingerprint(frame[frame.columns[::-1]][frame.columns])
    halves = pd.concat([frame.iloc[:3], frame.iloc[3:]])
    assert fingerprint(halves) == fingerprint(frame)
    for column in frame.columns:
        changed = frame.copy()
        changed[column] = changed[column].iloc[::-1].array
        assert fingerprint(changed) != fingerprint(frame), column
    assert fingerprint(frame.set_index(["n", "text"])) == fingerprint(_frame().set_index(["n", "text"]))
    assert fingerprint(frame.set_index(["n", "text"])) != fingerprint(frame)
    assert fingerprint(frame.astype({"n": "int32"})) != fingerprint(frame)


def test_what_lies_under_a_missing_value_does_not_count() -> None:
    values, mask = np.array([1, 2, 3]), np.array([False, True, False])
    one, other = pd.arrays.IntegerArray(values, mask), pd.arrays.IntegerArray(np.array([1, 9, 3]), mask)
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    ("kind", "items"),
    [
        (pa.int64(), [1, None, 3, 4]),
        (pa.bool_(), [True, None, False, True]),
        (pa.string(), ["a", None, "", "dé"]),
        (pa.large_string(), ["a", None, "", "dé"]),
        (pa.string_view(), ["a", None, "", "dé"]),
        (pa.binary(2), [b"ab", None, b"cd", b"ef"]),
        (pa.list_(pa.int64()), [[1], None, [], [2, None]]),
        (pa.struct([("a", pa.string())]), [{"a": "x"}, None, {"a": None}, {"a": "y"}]),
        (pa.dictionary(pa.int8(), pa.string()), ["a", None, "b", "a"]),
        (pa.decimal128(5, 2), [decimal.Decimal("1.20"), None, decimal.Decimal("0.10"), decimal.Decimal("3.00")]),
        (pa.map_(pa.string(), pa.int8()), [[("a", 1)], None, [], [("b", None)]]),
        (pa.null(), [None, None, None, None]),
        (pa.timestamp("us", "UTC"), [MOMENT, None, MOMENT, MOMENT]),
    ],
    ids=lambda v: str(v) if isinstance(v, pa.DataType) else "",
)
def test_arrow_counts_by_content_not_by_chunks_or_offsets(kind: pa.DataType, items: list[Any]) -> None:
    whole = pa.array(items, kind)
    sliced = pa.array([items[-1], *items, items[0]], kind).slice(1, len(items))
    assert fingerprint(sliced) == fingerprint(whole)
    chunked = pa.chunked_array([pa.array(items[:1], kind), pa.array(items[1:], kind)])
    assert fingerprint(chunked) == fingerprint(pa.chunked_array([whole]))
    if len({str(item) for item in items}) > 1:
        assert fingerprint(pa.array(items[::-1], kind)) != fingerprint(whole)


# ── objects ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_cached_property_that_was_read_does_not_count() -> None:
    point = Point(-3)
    before = fingerprint(point)
    assert point.norm == 3
    assert fingerprint(point) == before


def test_a_model_counts_by_its_values_not_by_which_were_given() -> None:
    assert fingerprint(Model(x=1)) == fingerprint(Model(x=1, y=2.0)) != fingerprint(Model(x=1, y=3.0))


def test_an_object_may_define_its_key() -> None:
    assert fingerprint(Keyed("a")) == fingerprint(Keyed("a")) != fingerprint(Keyed("b"))
    assert fingerprint(Refusing()) is None


def test_a_registered_class_counts_as_its_function_says() -> None:
    class Future:
        def __init__(self, key: bytes | None) -> None:
            self.key = key

    class Derived(Future):
        pass

    assert fingerprint(Future(b"k")) is not None
    register(Future, lambda future: future.key)
    try:
        assert fingerprint([Future(b"k")]) == fingerprint([Derived(b"k")]) != fingerprint([Future(b"l")])
        assert fingerprint([Future(None)]) is None
    finally:
        module._registered.pop(Future)
        module._ENCODERS.forget()


def test_functions_count_by_what_the_hook_says() -> None:
    assert fingerprint(module_function) is not None
    previous = module._code_hook
    try:
        set_code_hook(None)
        assert fingerprint(lambda: 1) is None  # without a hook, the name says too little
        set_code_hook(lambda value: b"one")
        one, partial_one = fingerprint(lambda: 1), fingerprint(functools.partial(module_function, 1))
        set_code_hook(lambda value: b"two")
        assert None is not one != fingerprint(lambda: 1)
        assert partial_one != fingerprint(functools.partial(module_function, 1))
    finally:
        set_code_hook(previous)


def test_classes_made_on_the_fly_do_not_pile_up() -> None:
    for number in range(module._MAX_KNOWN_TYPES + 10):
        fingerprint(type(f"Made{number}", (), {})())
    assert len(module._ENCODERS) <= module._MAX_KNOWN_TYPES + 2


# ── none ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _numbers() -> Any:
    yield 1


@pytest.mark.parametrize(
    "make",
    [
        threading.Lock,
        threading.Event,
        threading.current_thread,
        socket.socket,
        _numbers,
        lambda: iter([1]),
        lambda: map(int, []),
        lambda: open(os.devnull),  # noqa: SIM115  # the test closes it
        lambda: sqlite3.connect(":memory:"),
        lambda: open(os.devnull, "rb", buffering=0),  # noqa: SIM115  # as above
    ],
    ids=["lock", "event", "thread", "socket", "generator", "iterator", "map", "file", "connection", "raw file"],
)
def test_what_has_no_lasting_content_has_none(make: Any) -> None:
    value = make()
    try:
        assert fingerprint(value) is None
        assert fingerprint([{"deep": (value,)}]) is None
        assert fingerprint(Plain(value)) is None
        assert call_inputs({"x": 1, "y": value}) is None
        assert "." in str(obstacle(value))
    finally:
        getattr(value, "close", lambda: None)()


def test_the_obstacle_is_named() -> None:
    assert obstacle([1, {"a": threading.Lock()}]) == "_thread.lock"
    assert obstacle([1]) is None


def test_a_failing_reduce_means_none() -> None:
    class Failing:
        def __reduce__(self) -> Any:
            raise OSError("not now")

    assert fingerprint(Failing()) is None
