"""Scalars: from what a request says to what a statement takes.

Both databases must take a value alike, so what only one of them could (NUL in a text, a number beyond 64 bits) is
refused here, before anything is asked.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from graphql import GraphQLError, GraphQLScalarType

from stellwerk.errors import UsageError
from stellwerk.model.identity import from_text

__all__ = [
    "BIGINT",
    "JSON",
    "TIME",
    "UUID",
    "bigint_of",
    "hex_of",
    "microseconds_of",
    "text_of",
    "time_of",
    "uuid_of",
]

LONGEST_TEXT = 100_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXACT = 1 << 53
_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1


def text_of(value: Any) -> str:
    """Take a text that both databases can hold.

    Raises:
        GraphQLError: it is none, has a NUL or half a character, or is too long.
    """
    if not isinstance(value, str):
        raise GraphQLError(f"A text is expected, not {_shown(value)}.")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise GraphQLError("A text can't contain NUL or half a surrogate pair.")
    if len(value) > LONGEST_TEXT:
        raise GraphQLError(f"A text has at most {LONGEST_TEXT:,} characters.")
    return value


def uuid_of(value: Any) -> bytes:
    """Take an identity: UUID text, with or without hyphens."""
    try:
        return from_text(text_of(value))
    except UsageError:
        raise GraphQLError(f"{_shown(value)} is not a UUID.") from None


def hex_of(value: Any) -> bytes:
    """Take bytes: hexadecimal digits."""
    try:
        return bytes.fromhex(text_of(value))
    except ValueError:
        raise GraphQLError(f"{_shown(value)} is not hexadecimal.") from None


def time_of(value: Any) -> int:
    """Take a moment: RFC 3339 text; without an offset it is UTC. Returns microseconds since the Unix epoch."""
    try:
        moment = datetime.fromisoformat(text_of(value))
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return (moment - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        raise GraphQLError(f"{_shown(value)} is not a time such as 2026-11-24T10:00:00Z.") from None


def bigint_of(value: Any) -> int:
    """Take a whole number of 64 bits, as a number or as a text of digits."""
    if isinstance(value, str) and len(value) < 21:
        try:
            value = int(value)
        except ValueError:
            value = None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not _LOWEST <= value <= _HIGHEST:
        raise GraphQLError(f"{_shown(value)} is not a whole number of 64 bits.")
    return value


def microseconds_of(seconds: float) -> float:
    """Turn seconds into microseconds: a whole number if the fraction has up to six digits.

    A product of binary fractions may miss it: 1.005 s × 10^6 is a little less than 1,005,000.
    """
    product = float(seconds) * 1_000_000
    if abs(product) > _EXACT:
        return product
    whole = round(product)
    return float(whole) if whole / 1_000_000 == seconds else product


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


def _scalar(name: str, about: str, parse: Any) -> GraphQLScalarType:
    return GraphQLScalarType(name, description=about, parse_value=parse)


UUID = _scalar("uuid", "An identity: a UUID as text, with or without hyphens on the way in.", uuid_of)
TIME = _scalar(
    "timestamptz",
    "A moment: RFC 3339, in UTC with microseconds on the way out: 2026-11-24T10:00:00.123456Z.",
    time_of,
)
BIGINT = _scalar("bigint", "A whole number of 64 bits; beyond 2^53 it is written as a text.", bigint_of)


def _refuse(value: Any) -> Any:
    raise GraphQLError("A JSON value can't be given here.")


JSON = _scalar("json", "Any JSON value.", _refuse)
