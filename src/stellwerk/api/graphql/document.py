"""Documents: a text, parsed, validated and kept, so that a page's question is read once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import msgspec
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    OperationDefinitionNode,
    parse,
    validate,
    visit,
)
from graphql.language.visitor import Visitor

from stellwerk.api.graphql.limits import MOST_ALIKE, MOST_CHARACTERS, MOST_TOKENS
from stellwerk.api.graphql.scalars import text_of
from stellwerk.api.graphql.schema import schema

__all__ = ["Document", "Refused", "read"]

KEPT = 256
MOST_KEPT_CHARACTERS = 20_000  # of a document that is kept; longer ones are read each time


class Refused(Exception):
    """Raised when a request can't be answered as it is; nothing was asked of the database.

    Args:
        errors: what is wrong, each for itself.
    """

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = tuple(errors)


class Document(msgspec.Struct, frozen=True):
    """Hold a valid document."""

    node: DocumentNode
    operations: dict[str, OperationDefinitionNode]
    fragments: dict[str, FragmentDefinitionNode]

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """Find the operation to run: the one of that name, or the only one.

        Raises:
            Refused: there is none, or several and no name.
        """
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        if name is None:
            raise Refused([GraphQLError("The document has several operations: name one as `operationName`.")])
        if name not in self.operations:
            raise Refused([GraphQLError(f"The document has no operation {name[:80]!r}.")])
        return self.operations[name]


def read(text: str) -> Document:
    """Parse and validate a document; one that was read lately is taken as it is.

    Raises:
        Refused: it is no GraphQL, does not fit the schema, or is beyond a limit.

    Cost: some ms the first time, which grow with the square of how often a name occurs: hence that limit.
    """
    return _kept(text) if len(text) <= MOST_KEPT_CHARACTERS else _read(text)


def _read(text: str) -> Document:
    if len(text) > MOST_CHARACTERS:
        raise Refused([GraphQLError(f"A document has at most {MOST_CHARACTERS:,} characters.")])
    try:
        node = parse(text_of(text), max_tokens=MOST_TOKENS)
        names = _Names()
        visit(node, names)
        if sum(count * count for count in names.found.values()) > MOST_ALIKE:
            raise Refused([GraphQLError("The document has the same names too often: ask in several requests.")])
        errors = validate(schema(), node, max_errors=20)
    except GraphQLError as problem:
        raise Refused([problem]) from None
    except RecursionError:
        raise Refused([GraphQLError("The document is nested too deep.")]) from None
    if errors:
        raise Refused(errors)
    definitions = node.definitions
    return Document(
        node,
        {
            each.name.value if each.name else "": each
            for each in definitions
            if isinstance(each, OperationDefinitionNode)
        },
        {each.name.value: each for each in definitions if isinstance(each, FragmentDefinitionNode)},
    )


_kept = lru_cache(KEPT)(_read)


class _Names(Visitor):
    """Count the response names of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def enter_field(self, node: FieldNode, *_: object) -> None:
        self.found[(node.alias or node.name).value] += 1
