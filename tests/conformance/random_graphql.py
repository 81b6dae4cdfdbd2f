"""Random requests, bounded, and how they are written: with values in the document or as variables, with aliases,
fragments and directives."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

from naive_graphql import Field, Model, Word, shown

from stellwerk.api.graphql.schema import OPERATORS
from stellwerk.store.catalogue import SOURCES, Column, Relation, Source

TYPES = {
    "text": "String",
    "hex": "String",
    "uuid": "uuid",
    "time": "timestamptz",
    "bigint": "bigint",
    "seconds": "Float",
}
PLAIN = {name for name, source in SOURCES.items() if source.is_root}
TEXTS = ["", "a", "%", "_", "\\", "'", '"', "é", "🚂", "x' OR '1'='1", "100%", "[a]*?", "A"]


class Chooser:
    """Choose requests that fit the schema, with values that rows have."""

    def __init__(self, chance: Random, model: Model) -> None:
        self.chance = chance
        self.model = model

    def request(self, depth: int = 2) -> list[Field]:
        """Choose one to three root fields, with relations up to so deep."""
        return [self._root(number, depth) for number in range(self.chance.randint(1, 3))]

    def _root(self, number: int, depth: int) -> Field:
        source = SOURCES[self.chance.choice(sorted(PLAIN))]
        kind = self.chance.random()
        alias = f"r{number}"
        if source.key and kind < 0.2:
            name, column = source.key
            row = self.chance.choice(self.model.tables[source.name])
            value = shown(source.column(column), row[column])
            return Field(name, alias, {column: value}, self._fields(source, depth))
        if kind < 0.4:
            return Field(f"{source.name}_aggregate", alias, self._where_argument(source), self._counts())
        return Field(source.name, alias, self._arguments(source), self._fields(source, depth))

    def _counts(self) -> list[Field]:
        inner = [Field("count")] + [Field("__typename")] * (self.chance.random() < 0.3)
        return [Field("aggregate", "", {}, inner)] + [Field("__typename", "t")] * (self.chance.random() < 0.3)

    def _fields(self, source: Source, depth: int) -> list[Field]:
        columns = [column.name for column in source.columns if column.is_shown]
        chosen = [Field(name) for name in self.chance.choices(columns, k=self.chance.randint(1, 6))]
        chosen += [Field(self.chance.choice(columns), f"x{n}") for n in range(self.chance.randint(0, 2))]
        if self.chance.random() < 0.2:
            chosen.append(Field("__typename"))
        if depth:
            for n in range(self.chance.randint(0, 2)):
                if source.relations:
                    chosen.append(self._relation(self.chance.choice(source.relations), f"y{n}", depth - 1))
        self.chance.shuffle(chosen)
        return chosen

    def _relation(self, relation: Relation, alias: str, depth: int) -> Field:
        target = SOURCES[relation.target]
        if relation.has_aggregate and self.chance.random() < 0.25:
            return Field(f"{relation.name}_aggregate", alias, self._where_argument(target), self._counts())
        arguments = self._arguments(target) if relation.is_many and not relation.is_plain else {}
        return Field(relation.name, alias, arguments, self._fields(target, depth))

    # ── arguments ────────────────────────────────────────────────────────────────────────────────────────────────────
    def _where_argument(self, source: Source) -> dict[str, Any]:
        return {"where": self.where(source, 3)} if self.chance.random() < 0.7 else {}

    def _arguments(self, source: Source) -> dict[str, Any]:
        chosen = self._where_argument(source)
        if self.chance.random() < 0.5:
            names = [
                column.name for column in source.columns if column.is_shown and column.kind not in ("json", "tags")
            ]
            picked = self.chance.sample(names, min(len(names), self.chance.randint(0, 3)))
            chosen["order_by"] = [{name: Word(self.chance.choice(["asc", "desc"]))} for name in picked]
        if self.chance.random() < 0.5:
            chosen["limit"] = self.chance.choice([0, 1, 2, 5, 1000, None])
        if self.chance.random() < 0.3:
            chosen["offset"] = self.chance.choice([0, 1, 3, 1000])
        return chosen

    def where(self, source: Source, depth: int) -> dict[str, Any]:
        """Choose a condition."""
        chosen: dict[str, Any] = {}
        for _ in range(self.chance.choices([0, 1, 2, 3], [1, 6, 3, 1])[0]):
            kind = self.chance.random()
            if depth and kind < 0.12:
                chosen["_not"] = self.where(source, depth - 1)
            elif depth and kind < 0.3:
                several = [self.where(source, depth - 1) for _ in range(self.chance.randint(0, 3))]
                chosen[self.chance.choice(["_and", "_or"])] = several
            elif depth and kind < 0.45 and source.relations:
                relation = self.chance.choice([each for each in source.relations if not each.is_plain])
                chosen[relation.name] = self.where(SOURCES[relation.target], depth - 1)
            else:
                column = self.chance.choice([each for each in source.columns if is_filtered(each)])
                chosen[column.name] = self._comparison(source, column)
        return chosen

    def _comparison(self, source: Source, column: Column) -> dict[str, Any]:
        chosen: dict[str, Any] = {}
        operators = OPERATORS[column.kind]
        for operator in self.chance.sample(operators, min(len(operators), self.chance.choice([1, 1, 1, 2]))):
            if operator == "_is_null":
                chosen[operator] = self.chance.random() < 0.5
            elif operator in ("_in", "_nin", "_contains"):
                most = 2 if operator == "_contains" else 4
                chosen[operator] = [self._value(source, column) for _ in range(self.chance.randint(0, most))]
            elif operator in ("_like", "_ilike"):
                chosen[operator] = self._pattern(self._value(source, column))
            else:
                chosen[operator] = self._value(source, column)
        return chosen

    def _value(self, source: Source, column: Column) -> Any:
        if column.kind in ("text", "tags") and self.chance.random() < 0.2:
            return self.chance.choice(TEXTS)
        found = [row[column.name] for row in self.model.tables[source.name] if row[column.name] is not None]
        if column.kind == "tags":
            tags = [tag for each in found for tag in json.loads(each)]
            return self.chance.choice(tags or TEXTS)
        other: dict[str, Any] = {
            "uuid": "00000000-0000-7000-8000-000000000000",
            "hex": "00",
            "time": "2026-01-01T00:00:00Z",
        }
        if not found:
            return other.get(column.kind, "" if column.kind == "text" else 7)
        value = shown(column, self.chance.choice(found))
        if column.kind in ("bigint", "seconds") and self.chance.random() < 0.2 and not isinstance(value, str):
            return value + self.chance.choice([1, -1])
        return value

    def _pattern(self, text: str) -> str:
        pieces = []
        for character in text[:200]:
            kind = self.chance.random()
            if kind < 0.15:
                pieces.append("_")
            elif kind < 0.25:
                pieces.append("%")
            else:
                escaped = "\\" + character if character in "\\%_" else character
                pieces.append(escaped.swapcase() if kind < 0.6 and escaped.isascii() else escaped)
        return "".join(pieces) + self.chance.choice(["", "%", "\\"])


def is_filtered(column: Column) -> bool:
    return column.is_shown and not (column.kind == "json" and column.missing != "null")


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Written:
    """Hold a request as it is sent."""

    chance: Random
    variables: dict[str, Any] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    fragments: list[str] = field(default_factory=list)

    def write(self, fields: list[Field]) -> str:
        """Write the document; the variables are in `variables`."""
        body = self._selection(fields, "Query")
        head = ", ".join(f"${name}: {kind}" for name, kind in self.types.items())
        return f"query Q{f'({head})' if head else ''} {body}\n" + "\n".join(self.fragments)

    def _selection(self, fields: list[Field], kind: str) -> str:
        texts = []
        for each in fields:
            how, directive = self.chance.random(), ""
            if how < 0.06:
                directive = f" @include(if: {self._variable(True, 'Boolean!')})"
            elif how < 0.12:
                directive = " @skip(if: false)"
            text = self._field(each, kind, directive)
            if 0.12 < how < 0.18:
                text = f"... on {kind} {{ {text} }}"
            elif 0.18 < how < 0.24:
                self.fragments.append(f"fragment f{len(self.fragments)} on {kind} {{ {text} }}")
                text = f"...f{len(self.fragments) - 1}"
            texts.append(text)
        if self.chance.random() < 0.1:
            texts.append(f"gone: __typename @skip(if: {self._variable(True, 'Boolean!')})")
        return "{ " + " ".join(texts) + " }"

    def _field(self, asked: Field, parent: str, directive: str) -> str:
        text = f"{asked.alias}: {asked.name}" if asked.alias else asked.name
        target, below = target_of(asked, parent)
        if asked.arguments:
            source = SOURCES[target]
            text += (
                "("
                + ", ".join(f"{name}: {self._argument(source, name, value)}" for name, value in asked.arguments.items())
                + ")"
            )
        text += directive
        if asked.fields is not None:
            text += " " + self._selection(asked.fields, below)
        return text

    def _argument(self, source: Source, name: str, value: Any) -> str:
        if name == "where":
            return self._perhaps(value, f"{source.name}_bool_exp", lambda: self._where(source, value))
        if name == "order_by":
            return self._perhaps(value, f"[{source.name}_order_by!]", lambda: literal(value))
        if name in ("limit", "offset"):
            return self._perhaps(value, "Int", lambda: literal(value))
        return self._perhaps(value, f"{TYPES[source.column(name).kind]}!", lambda: literal(value))

    def _where(self, source: Source, where: dict[str, Any]) -> str:
        relations = {relation.name: relation for relation in source.relations}
        texts = []
        for name, inner in where.items():
            if name in ("_and", "_or"):
                text = "[" + ", ".join(self._where(source, each) for each in inner) + "]"
            elif name == "_not":
                text = self._where(source, inner)
            elif name in relations:
                text = self._where(SOURCES[relations[name].target], inner)
            else:
                text = self._comparison(source.column(name), inner)
            texts.append(f"{name}: {text}")
        return "{" + ", ".join(texts) + "}"

    def _comparison(self, column: Column, inner: dict[str, Any]) -> str:
        texts = []
        for operator, value in inner.items():
            kind = TYPES.get(column.kind, "String")
            kind = "Boolean" if operator == "_is_null" else f"[{kind}!]" if isinstance(value, list) else kind
            texts.append(f"{operator}: {self._perhaps(value, kind, lambda value=value: literal(value))}")
        return "{" + ", ".join(texts) + "}"

    def _perhaps(self, value: Any, kind: str, write: Any) -> str:
        return self._variable(value, kind) if self.chance.random() < 0.3 else str(write())

    def _variable(self, value: Any, kind: str) -> str:
        name = f"v{len(self.variables)}"
        self.variables[name], self.types[name] = value, kind
        return f"${name}"


def target_of(asked: Field, parent: str) -> tuple[str, str]:
    """Tell of a field which source its arguments are about, and which type its own fields are of."""
    if parent not in SOURCES and parent != "Query":
        return "", "aggregate_fields"
    plain = asked.name.removesuffix("_aggregate")
    if parent == "Query":
        target = f"{plain}s" if plain in ("run", "flow") else plain
    else:
        relation = next((each for each in SOURCES[parent].relations if each.name == plain), None)
        target = relation.target if relation else ""
    return target, f"{target}_aggregate" if asked.name != plain else target


def literal(value: Any) -> str:
    """Write a value as GraphQL does."""
    if isinstance(value, Word):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {literal(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(literal(each) for each in value) + "]"
    return json.dumps(value)
