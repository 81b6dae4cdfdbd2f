"""Values of a request: read alike whether they stand in the document or come as variables.

Theory of operation: a plan is made for an operation and the *shape* of its variables: which are there, how long their
lists are, and those words that decide what the statement looks like (truth values, directions, words of closed lists).
All other values become parameters, which a `Slot` takes from the variables of each request.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, cast

import msgspec
from graphql import (
    GraphQLError,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    get_nullable_type,
    value_from_ast,
)

from stellwerk.store.catalogue import SOURCES

__all__ = ["LOOKED_AT", "Given", "Order", "Slot", "Value", "shape_of"]

LOOKED_AT = 20  # elements of a list that may decide what a statement looks like
_WORDS = frozenset(word for source in SOURCES.values() for column in source.columns for word in column.choices)


class Order(enum.Enum):
    """A direction."""

    ASC = "asc"
    DESC = "desc"


class Given(NamedTuple):
    """What a statement is given when it runs."""

    variables: Mapping[str, Any]
    now: int


class Slot(msgspec.Struct, frozen=True):
    """Hold the place of a parameter.

    Args:
        take: finds its value.
        kind: of a catalogue's column, for its type.
        is_list: its value is a list.
    """

    take: Callable[[Given], Any]
    kind: str
    is_list: bool = False


class Value:
    """Read one value, of a document or of a variable, with its type.

    `seen` is the value itself while it is decided what the statement looks like: only what `shape_of` tells of it may
    be looked at.
    """

    def __init__(
        self,
        kind: GraphQLInputType,
        node: ValueNode | None,
        variables: Mapping[str, Any],
        take: Callable[[Given], Any] | None = None,
        seen: Any = Undefined,
    ) -> None:
        if isinstance(node, VariableNode):
            name = node.name.value
            seen = variables.get(name, Undefined)
            take = lambda given: given.variables.get(name, Undefined)  # noqa: E731 - as those below
            node = None
        self._kind, self._node, self._variables = get_nullable_type(kind), node, variables
        self._take, self._seen = take, seen

    @property
    def is_absent(self) -> bool:
        """Whether it was left out."""
        return self._node is None and self._seen is Undefined

    @property
    def is_null(self) -> bool:
        """Whether it is null."""
        return self._seen is None or isinstance(self._node, NullValueNode)

    @property
    def node(self) -> ValueNode | None:
        """Where it stands in the document, if it does."""
        return self._node

    def fields(self) -> Iterator[tuple[str, Value]]:
        """List the fields of an object that are there, with their values."""
        assert isinstance(self._kind, GraphQLInputObjectType)
        types: Mapping[str, GraphQLInputField] = self._kind.fields
        if isinstance(self._node, ObjectValueNode):
            for field in self._node.fields:
                value = Value(types[field.name.value].type, field.value, self._variables)
                if not value.is_absent:
                    yield field.name.value, value
            return
        for name, seen in self._seen.items():
            yield name, Value(types[name].type, None, self._variables, self._step(name), seen)

    def elements(self) -> Iterator[Value]:
        """List the elements of a list; a single value is a list of one."""
        assert isinstance(self._kind, GraphQLList)
        kind = self._kind.of_type
        if self._node is not None:
            nodes = self._node.values if isinstance(self._node, ListValueNode) else (self._node,)
            for node in nodes:
                yield Value(kind, node, self._variables)
            return
        for place, seen in enumerate(self._seen):
            yield Value(kind, None, self._variables, self._step(place), seen)

    def _step(self, key: Any) -> Callable[[Given], Any]:
        take = self._take
        assert take is not None
        return lambda given: take(given)[key]

    def seen(self) -> Any:
        """Return the value as it is now: only for what belongs to the shape."""
        return self.taker()(Given(self._variables, 0))

    def taker(self) -> Callable[[Given], Any]:
        """Return what finds the value when the statement runs."""
        if self._node is None:
            assert self._take is not None
            return self._take
        if isinstance(self._kind, GraphQLList):
            takers = [element.taker() for element in self.elements()]
            return lambda given: [take(given) for take in takers]
        value = value_from_ast(self._node, cast(GraphQLInputType, self._kind))
        if value is Undefined:
            raise GraphQLError("This value does not fit its place.", nodes=self._node)
        return lambda _given: value


def shape_of(value: Any) -> Any:
    """Tell of a value what may decide what a statement looks like; equal shapes have one plan."""
    if value is None or isinstance(value, (bool, Order)):
        return value
    if isinstance(value, str):
        return value if value in _WORDS else str
    if isinstance(value, Mapping):
        return tuple((name, shape_of(each)) for name, each in value.items())
    if isinstance(value, list):
        is_long = len(value) > LOOKED_AT and not any(isinstance(each, Mapping) for each in value)
        return list if is_long else (list, *(shape_of(each) for each in value))
    return type(value)
