"""Identities: UUID version 7, kept as 16 bytes everywhere and shown as text at the edges.

Source: RFC 9562, section 5.7. The random part comes from the caller, since this floor has no randomness of its own.
"""

from __future__ import annotations

from stellwerk.errors import UsageError

NIL = bytes(16)


def uuid7(milliseconds: int, random_bits: int) -> bytes:
    """Build a UUID version 7.

    Args:
        milliseconds: since the Unix epoch, UTC; 48 bits are used.
        random_bits: 74 random (or counting) bits; the highest 12 come first, so a counter there keeps order.
    """
    value = (milliseconds & 0xFFFFFFFFFFFF) << 80
    value |= 0x7 << 76 | (random_bits >> 62 & 0xFFF) << 64
    value |= 0b10 << 62 | random_bits & 0x3FFFFFFFFFFFFFFF
    return value.to_bytes(16, "big")


def to_text(identity: bytes) -> str:
    """Show an identity as canonical UUID text."""
    text = identity.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def from_text(text: str) -> bytes:
    """Read an identity from UUID text, with or without hyphens.

    Raises:
        UsageError: the text is not a UUID.
    """
    try:
        value = bytes.fromhex(text.replace("-", ""))
    except ValueError:
        value = b""
    if len(value) != 16:
        raise UsageError(
            f"{text!r} is not a run id.", hint="An id has 32 hexadecimal digits; `stellwerk runs ls` lists them."
        )
    return value
