"""A statement while it is made: its parameters, its aliases, and how much it may still grow.

Theory of operation: SQL is composed as text in which a parameter is a mark with its number, so that a piece may be used
twice; the finished text is cut at the marks once, and each request fills them in the order in which they stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from graphql import GraphQLError

from stellwerk.api.graphql.dialect import DIALECTS, Dialect
from stellwerk.api.graphql.limits import MOST_BOUND, MOST_CONDITIONS, MOST_DEPTH, MOST_STATEMENT
from stellwerk.api.graphql.values import Given, Slot
from stellwerk.store.catalogue import Branch, Column, Source, Way

__all__ = ["EVERYTHING", "Plan", "Row", "Sight", "Statement"]

_MARK = re.compile("\1([0-9]+)\2")
_ALIAS = re.compile("{([a-z])}")
Row = Mapping[str, str]
"""A row that a piece of SQL is about: an expression for each column of its source."""


class Sight(msgspec.Struct, frozen=True):
    """Say what a request may see: the one place for permissions.

    The compiler AND-s `guard` to every source that a statement touches, at the root, in relations, in conditions and in
    counts; what the catalogue reads within an expression has `{project}` in it. Plans are kept for each sight.
    """

    project: str = "default"

    def guard(self, source: Source) -> str:
        """Return the predicate over `{t[…]}` that limits a source; empty when all of it may be seen."""
        return source.guard


EVERYTHING = Sight()


class Plan(msgspec.Struct, frozen=True):
    """Hold a finished statement: texts and the parameters between them.

    `names` are the response names of its columns; each column is the JSON of one root field. `depth` is how deep it
    nests, as `limits.MOST_DEPTH` counts; never less than what SQLite's parser holds.
    """

    names: tuple[str, ...]
    texts: tuple[str, ...]
    slots: tuple[Slot, ...]
    dialect: Dialect
    depth: int

    def bind(self, given: Given) -> tuple[str, list[Any]]:
        """Fill in the parameters.

        Raises:
            GraphQLError: a value can't be taken.
        """
        parameters: list[Any] = []
        pieces = [self.texts[0]]
        is_postgres = self.dialect.name == "postgres"
        for slot, text in zip(self.slots, self.texts[1:], strict=True):
            value = slot.take(given)
            cast = self.dialect.casts.get(slot.kind, "")
            if not slot.is_list:
                parameters.append(value)
                pieces.append(f"%s{cast}" if is_postgres else "?")
            elif is_postgres:
                parameters.append(value)
                pieces.append(f"%s{cast}[]")
            else:
                parameters.extend(value)
                pieces.append(",".join("?" * len(value)))
            pieces.append(text)
        if len(parameters) > MOST_BOUND:
            raise GraphQLError(f"A request has at most {MOST_BOUND:,} values.")
        return "".join(pieces), parameters


class Statement:
    """Collect what belongs to one statement."""

    def __init__(self, dialect: str, sight: Sight) -> None:
        self.dialect = DIALECTS[dialect]
        self.sight = sight
        self._slots: list[Slot] = []
        self._aliases = 0
        self._conditions = 0
        self._length = 0
        self.deepest = 0
        project = sight.project.replace("'", "''")
        self._words = {
            "c": self.dialect.collation,
            "project": f"'{project}'",
            "now": self.slot(Slot(lambda given: given.now, "bigint")),
        }

    def slot(self, slot: Slot) -> str:
        """Add a parameter; return its mark."""
        self._slots.append(slot)
        return f"\1{len(self._slots) - 1}\2"

    def value(self, take: Callable[[Given], Any], kind: str, is_list: bool = False) -> str:
        """Add a parameter by what finds it."""
        return self.slot(Slot(take, kind, is_list))

    def alias(self) -> str:
        """Make a name that nothing else in the statement has."""
        self._aliases += 1
        return f"a{self._aliases}"

    def count_condition(self) -> None:
        """Count one more condition.

        Raises:
            GraphQLError: there are too many.
        """
        self._conditions += 1
        if self._conditions > MOST_CONDITIONS:
            raise GraphQLError(f"A request has at most {MOST_CONDITIONS} conditions.")

    def reach(self, depth: int) -> None:
        """Note how deep the statement nests.

        Raises:
            GraphQLError: it nests too deep.
        """
        self.deepest = max(self.deepest, depth)
        if depth > MOST_DEPTH:
            raise GraphQLError("The request nests relations and conditions too deep: ask for less at once.")

    def measure(self, sql: str) -> str:
        """Return a finished piece, having counted its length.

        Raises:
            GraphQLError: the statement grows too long.
        """
        self._length = max(self._length, len(sql))
        if self._length > MOST_STATEMENT:
            raise GraphQLError("The request asks for too much at once: ask for fewer fields, or in several requests.")
        return sql

    # ── the catalogue's templates ────────────────────────────────────────────────────────────────────────────────────
    def open(
        self, source: Source, branch: Branch, way: Way | None = None, above: Row | None = None
    ) -> tuple[str, Row, list[str]]:
        """Open one branch of a source, perhaps by a way from a row above.

        Returns: the FROM, the row, and the conditions that every row must meet.
        """
        template = branch.tables
        if way is not None:
            template = way.tables or template
            if way.join:
                template += f" CROSS JOIN {way.join}" if self.dialect.name == "postgres" else f" JOIN {way.join}"
        names = {name: self.alias() for name in dict.fromkeys(_ALIAS.findall(template)) if name != "c"}
        words: dict[str, Any] = {**self._words, **names, "k": above or {}}
        tables = template.format_map(words)
        row = {name: expression.format_map(words) for name, expression in branch.columns.items()}
        for column in source.columns:
            if column.late:
                row[column.name] = self.late(column, row)
        conditions = [branch.condition.format_map(words)] if branch.condition else []
        words["t"] = row
        if way is not None and way.condition:
            conditions.append(way.condition.format_map(words))
        guard = self.sight.guard(source)
        if guard:
            conditions.append(guard.format_map(words))
        return tables, row, conditions

    def late(self, column: Column, row: Row) -> str:
        """Return the expression of a late column."""
        return column.late.format_map({**self._words, "k": row})

    def finish(self, columns: Sequence[tuple[str, str]]) -> Plan:
        """Cut the statement that selects columns of JSON text, by response name, at its marks."""
        fields = ", ".join(f'{self.dialect.as_bytes(sql)} AS "{place}"' for place, (_name, sql) in enumerate(columns))
        whole = self.measure(f"SELECT {fields}")
        pieces = _MARK.split(whole)
        texts = pieces[::2]
        if self.dialect.name == "postgres":
            texts = [text.replace("%", "%%") for text in texts]
        slots = tuple(self._slots[int(number)] for number in pieces[1::2])
        return Plan(tuple(name for name, _ in columns), tuple(texts), slots, self.dialect, self.deepest)
