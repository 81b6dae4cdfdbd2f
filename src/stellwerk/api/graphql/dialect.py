"""Dialects: how each database writes a value as JSON text, and the few words in which they differ otherwise.

JSON is built as text and not by the databases' JSON functions: those take at most 50 (PostgreSQL) or 63 fields, and
write times and numbers each in its own way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from stellwerk.store.catalogue import Column

__all__ = ["DIALECTS", "Dialect", "balanced"]

_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999  # the years 1 to 9999, in microseconds
_EXACT = 1 << 53
_WIDE = 200  # operands of one chain; SQLite takes 1,000


class Dialect(Protocol):
    """Write the parts of a statement."""

    name: str
    collation: str
    casts: ClassVar[dict[str, str]]

    def json(self, column: Column, value: str) -> str:
        """Write an SQL value as JSON text; absent values are `column.missing`."""

    def array(self, element: str) -> str:
        """Join JSON texts by commas, in the order of their rows; NULL if there are none."""

    def as_bytes(self, text: str) -> str:
        """Turn text into bytes in UTF-8."""

    def is_among(self, value: str, values: str, is_negative: bool) -> str:
        """Compare with a list, which is one parameter."""

    def is_like(self, value: str, pattern: str, is_folding: bool) -> str:
        """Match a pattern, which `pattern_of` has written."""

    def has_text(self, text: str, part: str) -> str:
        """Find a text within another."""

    def pattern(self, parts: Sequence[str], is_folding: bool) -> str:
        r"""Write a pattern from its parts: `%`, `_`, the literal `\%`, `\_` and `\`, and other characters."""


def balanced(parts: Sequence[str]) -> str:
    """Concatenate SQL texts, in a form that is not deeper than it must be."""
    if len(parts) <= _WIDE:
        return " || ".join(parts)
    middle = len(parts) // 2
    return f"({balanced(parts[:middle])}) || ({balanced(parts[middle:])})"


def _pattern(parts: Sequence[str]) -> str:
    return "".join("\\\\" if part == "\\" else part for part in parts)


class _Sqlite:
    name = "sqlite"
    collation = ""
    casts: ClassVar[dict[str, str]] = {}

    def json(self, column: Column, value: str) -> str:
        return getattr(self, f"_{column.kind}")(value, column.missing)  # type: ignore[no-any-return]  # one of those below

    def _text(self, value: str, missing: str) -> str:
        return f"json_quote({value})"

    def _bigint(self, value: str, missing: str) -> str:
        return (
            f"COALESCE(CASE WHEN {value} BETWEEN -{_EXACT} AND {_EXACT} THEN {value}"
            f" ELSE '\"' || {value} || '\"' END, '{missing}')"
        )

    def _uuid(self, value: str, missing: str) -> str:
        pieces = " || '-' || ".join(
            f"hex(substr({value}, {start}, {length}))" for start, length in ((1, 4), (5, 2), (7, 2), (9, 2), (11, 6))
        )
        # The hexadecimal text of nothing is empty, and not nothing; a piece of nothing is.
        return f"COALESCE(lower('\"' || {pieces} || '\"') || substr({value}, 1, 0), '{missing}')"

    def _hex(self, value: str, missing: str) -> str:
        return f"CASE WHEN {value} IS NULL THEN '{missing}' ELSE '\"' || lower(hex({value})) || '\"' END"

    def _time(self, value: str, missing: str) -> str:
        # The remainder of a moment before 1970 is negative: then it belongs to the second before.
        seconds = f"{value} / 1000000 - ({value} % 1000000 < 0)"
        fraction = f"1000000 + {value} % 1000000 + 1000000 * ({value} % 1000000 < 0)"
        return (
            f"CASE WHEN {value} BETWEEN {_FIRST} AND {_LAST} THEN"
            f" strftime('\"%Y-%m-%dT%H:%M:%S.', {seconds}, 'unixepoch') || substr({fraction}, 2) || 'Z\"'"
            f" ELSE '{missing}' END"
        )

    def _seconds(self, value: str, missing: str) -> str:
        return f"COALESCE(({value} / 1000000) || '.' || substr(1000000 + {value} % 1000000, 2), '{missing}')"

    def _json(self, value: str, missing: str) -> str:
        return f"CASE WHEN {value} IS NULL THEN '{missing}' WHEN json_valid({value}) THEN {value} ELSE 'null' END"

    def _tags(self, value: str, missing: str) -> str:
        return f"CASE WHEN json_valid({value}) THEN {value} ELSE '{missing}' END"

    def array(self, element: str) -> str:
        return f"group_concat({element}, ',')"

    def as_bytes(self, text: str) -> str:
        return f"CAST({text} AS BLOB)"

    def is_among(self, value: str, values: str, is_negative: bool) -> str:
        return f"{value} {'NOT IN' if is_negative else 'IN'} ({values})"

    def is_like(self, value: str, pattern: str, is_folding: bool) -> str:
        return f"{value} LIKE {pattern} ESCAPE '\\'" if is_folding else f"{value} GLOB {pattern}"

    def has_text(self, text: str, part: str) -> str:
        return f"instr({text}, {part}) > 0"

    def pattern(self, parts: Sequence[str], is_folding: bool) -> str:
        if is_folding:
            return _pattern(parts)
        # Its LIKE folds letters; what does not is GLOB.
        special = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
        return "".join(special.get(part, part.removeprefix("\\") or "\\") for part in parts)


class _Postgres:
    name = "postgres"
    collation = ' COLLATE "C"'
    casts: ClassVar[dict[str, str]] = {
        "text": "::text",
        "uuid": "::bytea",
        "hex": "::bytea",
        "time": "::bigint",
        "bigint": "::bigint",
        "seconds": "::float8",
    }

    def json(self, column: Column, value: str) -> str:
        text: str = getattr(self, f"_{column.kind}")(value)
        return f"COALESCE({text}, '{column.missing}')"

    def _text(self, value: str) -> str:
        return f"to_json({value})::text"

    def _bigint(self, value: str) -> str:
        return f"CASE WHEN {value} BETWEEN -{_EXACT} AND {_EXACT} THEN {value}::text ELSE '\"' || {value}::text || '\"' END"

    def _uuid(self, value: str) -> str:
        return (
            f"CASE WHEN length({value}) = 16 THEN '\"' || encode({value}, 'hex')::uuid::text || '\"'"
            f" ELSE '\"' || encode({value}, 'hex') || '\"' END"
        )

    def _hex(self, value: str) -> str:
        return f"'\"' || encode({value}, 'hex') || '\"'"

    def _time(self, value: str) -> str:
        return (
            f"CASE WHEN {value} BETWEEN {_FIRST} AND {_LAST} THEN"
            f" '\"' || to_char(timestamp 'epoch' + {value} / 1000000 * interval '1 second'"
            f" + {value} % 1000000 * interval '1 microsecond', 'YYYY-MM-DD\"T\"HH24:MI:SS.US') || 'Z\"' END"
        )

    def _seconds(self, value: str) -> str:
        return f"trunc({value} / 1000000.0, 6)::text"

    def _json(self, value: str) -> str:
        return f"CASE WHEN {value} IS NOT NULL THEN COALESCE(json_or_null({value}), 'null') END"

    def _tags(self, value: str) -> str:
        return f"json_or_null({value})"

    def array(self, element: str) -> str:
        return f"string_agg({element}, ',')"

    def as_bytes(self, text: str) -> str:
        return f"convert_to({text}, 'UTF8')"

    def is_among(self, value: str, values: str, is_negative: bool) -> str:
        return f"{value} <> ALL({values})" if is_negative else f"{value} = ANY({values})"

    def is_like(self, value: str, pattern: str, is_folding: bool) -> str:
        return f'({value}) COLLATE "C" {"ILIKE" if is_folding else "LIKE"} {pattern}'

    def has_text(self, text: str, part: str) -> str:
        return f"strpos({text}, {part}) > 0"

    def pattern(self, parts: Sequence[str], is_folding: bool) -> str:
        return _pattern(parts)


DIALECTS: dict[str, Dialect] = {"sqlite": _Sqlite(), "postgres": _Postgres()}
