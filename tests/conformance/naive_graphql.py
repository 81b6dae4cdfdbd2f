"""A naive evaluator of GraphQL requests: it reads every row, and filters, sorts, cuts and follows relations in Python.

A request is a tree of `Field`; what it should be answered by is worked out from the tables and from `api.views`, which
unfold what is folded into a run's row. Truth has three values: None is neither.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from wire import query, rows

from stellwerk.api import views
from stellwerk.model.identity import to_text
from stellwerk.model.records import RUN_COLUMNS
from stellwerk.store.catalogue import SOURCES, Column, Source
from stellwerk.store.port import Store

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LEVELS = {10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL"}
RENAMED = {
    "flow_name": "flow",
    "index": "item_index",
    "attempt_count": "attempts",
    "result_preview": "preview",
    "result_size_bytes": "result_size",
}
Row = dict[str, Any]


class Word(str):
    """A name of GraphQL's: a direction."""


@dataclass
class Field:
    """Hold one field of a request; `arguments` and conditions are as JSON has them."""

    name: str
    alias: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    fields: list[Field] | None = None

    @property
    def key(self) -> str:
        """Give the name in the response."""
        return self.alias or self.name


def microseconds(text: str | None) -> int | None:
    return None if text is None else (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


class Model:
    """Hold all rows of a store, as raw values by column, and answer requests from them."""

    def __init__(self, store: Store, url: str, now: int) -> None:
        told = query(url, f"SELECT seq, {', '.join(RUN_COLUMNS)} FROM runs ORDER BY seq")
        records = [dict(zip(("seq", *RUN_COLUMNS), row, strict=True)) for row in told]
        self.runs = [self._run(record, now) for record in records]
        self.by_id = {run["id"]: run for run in self.runs}
        self.attempts: list[Row] = []
        self.story: list[Row] = []
        for shown in views.recent_runs(store, 100_000, include_children=True):
            self._unfold(store, shown)
        names = ("root_id", "n", "run_id", "attempt", "at", "level_number", "logger", "message")
        self.logs = [dict(zip(names, row, strict=True)) for row in rows(url, "logs")]
        for line in self.logs:
            line["level"] = LEVELS.get(line["level_number"], str(line["level_number"]))
        self.sources = [dict(zip(("hash", "name", "file", "text"), row, strict=True)) for row in rows(url, "sources")]
        self.edges: list[tuple[bytes, bytes]] = [(row[0], row[1]) for row in rows(url, "edges")]
        self.counted = rows(url, "counters")
        self.flows = [
            self._flow(name) for name in sorted({run["flow_name"] for run in self.runs if run["kind"] == "flow"})
        ]
        self.tables = {
            "runs": self.runs,
            "flows": self.flows,
            "attempts": self.attempts,
            "story": self.story,
            "logs": self.logs,
            "sources": self.sources,
        }

    def _run(self, record: Row, now: int) -> Row:
        run = {
            column.name: record[RENAMED.get(column.name, column.name)]
            for column in SOURCES["runs"].columns
            if column.name != "duration_seconds"
        }
        started, ended = run["started_at"], run["ended_at"]
        run["duration_seconds"] = None if started is None else max(0, (now if ended is None else ended) - started)
        return run

    def _unfold(self, store: Store, shown: dict[str, Any]) -> None:
        run_id = bytes.fromhex(shown["id"].replace("-", ""))
        for attempt in shown["attempts"]:
            row = attempt | {"run_id": run_id, "error": attempt["error"] and json.dumps(attempt["error"])}
            row |= {name: microseconds(attempt[name]) for name in ("started_at", "ended_at")}
            self.attempts.append(row)
        for n, step in enumerate(views.story(store, shown), 1):
            self.story.append(step | {"run_id": run_id, "n": n, "at": microseconds(step["at"])})

    def _flow(self, name: str) -> Row:
        own = [run for run in self.runs if run["kind"] == "flow" and run["flow_name"] == name]
        first, last = own[0]["created_at"], own[-1]["created_at"]
        return {"name": name, "first_seen_at": first, "last_run_at": last, "run_count": len(own)}

    # ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def answer(self, fields: list[Field]) -> dict[str, Any]:
        """Work out the `data` of a request, in order."""
        found: dict[str, Any] = {}
        for name, (first, inner) in merged(fields).items():
            plain = first.name.removesuffix("_aggregate")
            if first.name == "__typename":
                found[name] = "Query"
            elif first.name in ("run", "flow"):
                source = SOURCES[f"{first.name}s"]
                ((column, value),) = first.arguments.items()
                wanted = raw(source.column(column), value)
                row = next((each for each in self.tables[source.name] if each[column] == wanted), None)
                found[name] = row and self.object(source, row, inner)
            elif first.name.endswith("_aggregate"):
                found[name] = self._aggregate(SOURCES[plain], self.tables[plain], first, inner)
            else:
                found[name] = self._list(SOURCES[plain], self.tables[plain], first, inner, SOURCES[plain].newest)
        return found

    def _aggregate(self, source: Source, found: list[Row], asked: Field, inner: list[Field]) -> Row:
        where = asked.arguments.get("where") or {}
        count = sum(self.holds(source, row, where) is True for row in found)
        told: Row = {}
        for name, (first, below) in merged(inner).items():
            if first.name == "__typename":
                told[name] = f"{source.name}_aggregate"
                continue
            told[name] = {
                key: "aggregate_fields" if each.name == "__typename" else count
                for key, (each, _) in merged(below).items()
            }
        return told

    def _list(
        self, source: Source, found: list[Row], asked: Field, inner: list[Field], default: Iterable[tuple[str, bool]]
    ) -> list[Row]:
        where = asked.arguments.get("where") or {}
        kept = [row for row in found if self.holds(source, row, where) is True]
        order = [(name, way == "desc") for each in asked.arguments.get("order_by") or () for name, way in each.items()]
        for name, is_descending in reversed([*order, *default]):
            there = sorted(
                (row for row in kept if row[name] is not None), key=lambda row: row[name], reverse=is_descending
            )
            # `sorted` keeps equals as they were only while ascending.
            if is_descending:
                there = stable_descending(kept, name)
            kept = there + [row for row in kept if row[name] is None]
        limit, offset = asked.arguments.get("limit"), asked.arguments.get("offset") or 0
        end = offset + (100 if limit is None else limit)
        return [self.object(source, row, inner) for row in kept[offset:end]]

    def object(self, source: Source, row: Row, fields: list[Field]) -> Row:
        """Show one row."""
        relations = {relation.name: relation for relation in source.relations}
        told: Row = {}
        for key, (first, inner) in merged(fields).items():
            plain = first.name.removesuffix("_aggregate")
            if first.name == "__typename":
                told[key] = source.name
            elif plain not in relations:
                told[key] = shown(source.column(first.name), row[first.name])
            else:
                relation = relations[plain]
                target, found = SOURCES[relation.target], self.related(source, plain, row)
                if first.name != plain:
                    told[key] = self._aggregate(target, found, first, inner)
                elif relation.is_plain:
                    told[key] = [self.object(target, each, inner) for each in found]
                elif relation.is_many:
                    default = target.newest if relation.is_newest_first else target.natural
                    told[key] = self._list(target, found, first, inner, default)
                else:
                    told[key] = self.object(target, found[0], inner) if found else None
        return told

    # ── relations ────────────────────────────────────────────────────────────────────────────────────────────────────
    def related(self, source: Source, name: str, row: Row) -> list[Row]:
        """Follow a relation."""
        if name == "run":
            return self._one(row["run_id"])
        if source.name == "flows":
            return self._of_flow(name, row)
        follow: dict[str, Callable[[], list[Row]]] = {
            "flow": lambda: [flow for flow in self.flows if flow["name"] == row["flow_name"]],
            "parent": lambda: self._one(row["parent_id"]),
            "root": lambda: self._one(row["root_id"]),
            "children": lambda: self._children(row["id"]),
            "attempts": lambda: [each for each in self.attempts if each["run_id"] == row["id"]],
            "story": lambda: [each for each in self.story if each["run_id"] == row["id"]],
            "upstream": lambda: [run for run in self.runs if (row["id"], run["id"]) in self.edges],
            "downstream": lambda: [run for run in self.runs if (run["id"], row["id"]) in self.edges],
            "logs": lambda: self._lines(row),
            "source": lambda: [each for each in self.sources if each["hash"] == row["code_hash"]],
            "tally": lambda: counts(run["state"] for run in self._children(row["id"])[:1000]),
        }
        return follow[name]()

    def _one(self, run_id: bytes | None) -> list[Row]:
        return [self.by_id[run_id]] if run_id in self.by_id else []

    def _children(self, run_id: bytes) -> list[Row]:
        return [run for run in self.runs if run["parent_id"] == run_id]

    def _lines(self, run: Row) -> list[Row]:
        if run["root_id"] == run["id"]:
            return [line for line in self.logs if line["root_id"] == run["id"]]
        below, new = {run["id"]}, [run["id"]]
        while new:
            new = [child["id"] for each in new for child in self._children(each)]
            below.update(new)
        return [line for line in self.logs if line["run_id"] in below]

    def _of_flow(self, name: str, flow: Row) -> list[Row]:
        if name == "runs":
            return [run for run in self.runs if run["kind"] == "flow" and run["flow_name"] == flow["name"]]
        counted: Counter[str] = Counter()
        for _project, _hour, of, kind, state, count in self.counted:
            if (of, kind) == (flow["name"], "flow"):
                counted[state] += count
        return [{"state": state, "count": count} for state, count in sorted(counted.items()) if count]

    # ── conditions ───────────────────────────────────────────────────────────────────────────────────────────────────
    def holds(self, source: Source, row: Row, where: dict[str, Any]) -> bool | None:
        """Decide a condition."""
        relations = {relation.name: relation for relation in source.relations}
        found: list[bool | None] = []
        for name, inner in where.items():
            if name == "_and":
                found.append(every(self.holds(source, row, each) for each in inner))
            elif name == "_or":
                found.append(negated(every(negated(self.holds(source, row, each)) for each in inner)))
            elif name == "_not":
                found.append(negated(self.holds(source, row, inner)))
            elif name in relations:
                target = SOURCES[relations[name].target]
                related = self.related(source, name, row)
                found.append(any(self.holds(target, each, inner) is True for each in related))
            else:
                column = source.column(name)
                found += [compared(column, row[name], operator, value) for operator, value in inner.items()]
        return every(found)


def merged(fields: list[Field]) -> dict[str, tuple[Field, list[Field]]]:
    """Merge fields of one response name."""
    found: dict[str, tuple[Field, list[Field]]] = {}
    for each in fields:
        found.setdefault(each.key, (each, []))[1].extend(each.fields or ())
    return found


def stable_descending(kept: list[Row], name: str) -> list[Row]:
    return sorted((row for row in reversed(kept) if row[name] is not None), key=lambda row: row[name])[::-1]


def counts(states: Iterable[str]) -> list[Row]:
    return [{"state": state, "count": count} for state, count in sorted(Counter(states).items())]


def every(values: Iterable[bool | None]) -> bool | None:
    found = list(values)
    return False if False in found else None if None in found else True


def negated(value: bool | None) -> bool | None:
    return None if value is None else not value


def raw(column: Column, value: Any) -> Any:
    """Turn a value of a request into one of a row."""
    if column.kind == "uuid":
        return bytes.fromhex(value.replace("-", ""))
    if column.kind == "hex":
        return bytes.fromhex(value)
    if column.kind == "time":
        return microseconds(value)
    if column.kind == "seconds":
        return value * 1_000_000
    return int(value) if column.kind == "bigint" else value


def compared(column: Column, own: Any, operator: str, value: Any) -> bool | None:
    """Compare a column's value."""
    if operator == "_is_null":
        return (own is None) is value
    if operator == "_contains":
        return set(value) <= set(json.loads(own or "[]"))
    if operator in ("_in", "_nin"):
        values = [raw(column, each) for each in value]
        if own is None:
            return None if values else operator == "_nin"
        return (own in values) is (operator == "_in")
    if own is None:
        return None
    if operator in ("_like", "_ilike"):
        return matches(own, value, operator == "_ilike")
    other = raw(column, value)
    return {
        "_eq": own == other,
        "_neq": own != other,
        "_gt": own > other,
        "_gte": own >= other,
        "_lt": own < other,
        "_lte": own <= other,
    }[operator]


def matches(text: str, pattern: str, is_folding: bool) -> bool:
    expression, characters = "", iter(folded(pattern) if is_folding else pattern)
    for character in characters:
        if character == "\\":
            expression += re.escape(next(characters, "\\"))
        else:
            expression += {"%": ".*", "_": "."}.get(character) or re.escape(character)
    return re.fullmatch(expression, folded(text) if is_folding else text, re.DOTALL) is not None


def folded(text: str) -> str:
    return "".join(chr(ord(each) + 32) if "A" <= each <= "Z" else each for each in text)


def shown(column: Column, value: Any) -> Any:
    """Show a value of a row as the response has it."""
    if column.kind in ("json", "tags"):
        if value is None:
            return json.loads(column.missing)
        try:
            return json.loads(value, parse_constant=reject)
        except ValueError:
            return None
    if value is None:
        return None
    if column.kind == "uuid":
        return to_text(value)
    if column.kind == "hex":
        return value.hex()
    if column.kind == "time":
        return (EPOCH + timedelta(microseconds=value)).isoformat(timespec="microseconds")[:-6] + "Z"
    if column.kind == "seconds":
        return value / 1_000_000
    if column.kind == "bigint" and abs(value) > 1 << 53:
        return str(value)
    return value


def reject(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
