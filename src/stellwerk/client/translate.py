"""From what a server or the network says to our errors; translated here, once."""

from __future__ import annotations

import errno
import socket
import ssl

import msgspec

from stellwerk import errors
from stellwerk.errors import ConfigError, InternalError, StellwerkError, Unauthenticated, UnavailableError
from stellwerk.model.wire import PROTOCOL

__all__ = [
    "away",
    "error_of",
    "http_error",
    "lost",
    "nonsense",
    "not_ours",
    "other_version",
    "reason_of",
    "unreachable",
]

_BY_CODE: dict[str, type[StellwerkError]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, StellwerkError) and kind is not StellwerkError
}
_SAID = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "it broke off the connection",
    errno.EPIPE: "it broke off the connection",
    errno.EHOSTUNREACH: "no route to its host",
    errno.ENETUNREACH: "the network can't be reached",
    errno.ETIMEDOUT: "no answer in time",
}


class _Told(msgspec.Struct):
    code: str
    message: str
    hint: str = ""


class _Refusal(msgspec.Struct):
    error: _Told


def error_of(
    code: str, message: str, hint: str, url: str, remedy: str = "", is_passing: bool = False
) -> StellwerkError:
    """Make the exception that a server's error code stands for.

    Args:
        remedy: what to do where the server does not know us; it can't know where our token comes from.
        is_passing: whether asking again soon makes sense.
    """
    if code == "version_mismatch":
        return ConfigError(message, hint=hint, server=url)
    kind = _BY_CODE.get(code, InternalError)
    if kind is Unauthenticated:
        hint = remedy or hint
    if kind is UnavailableError:
        return UnavailableError(message, hint=hint, server=url, is_passing=is_passing)
    return kind(message, hint=hint, server=url)


def http_error(status: int, kind: str, maker: str, body: bytes, url: str, remedy: str = "") -> StellwerkError:
    """Make the exception that an HTTP answer with an error stands for.

    Args:
        kind: the answer's content type.
        maker: its `Server` header.
    """
    try:
        told = msgspec.json.decode(body, type=_Refusal).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        if status in (502, 503, 504):  # of a proxy in front of the server
            return unreachable(url, f"the proxy in front of it answers {status}")
        return not_ours(url, status, kind, maker)
    return error_of(told.code, told.message, told.hint, url, remedy, is_passing=status == 503)


def not_ours(url: str, status: int, kind: str, maker: str = "") -> ConfigError:
    """Say that something answers that is not Stellwerk."""
    who = f" ({maker})" if maker else ""
    what = kind.partition(";")[0].strip() or "no content type"
    return ConfigError(
        f"{url} answers, but is not a Stellwerk server: status {status} and {what}{who}.",
        hint="Correct the URL; it is the server's root, with its sub-path if it has one, and without /api.",
        server=url,
    )


def unreachable(url: str, reason: str) -> UnavailableError:
    """Say that a server can't be reached, which may pass."""
    return UnavailableError(
        f"The server {url} can't be reached ({reason}).",
        hint="See whether it runs there and whether the network lets us through.",
        server=url,
        reason=reason,
        is_passing=True,
    )


def lost(url: str, problem: OSError) -> StellwerkError:
    """Say what an error of the network means: one that may pass, or one that somebody has to mend."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return ConfigError(
            f"The certificate of {url} can't be verified: {problem.verify_message}.",
            hint="Correct the URL, or name the file of the authority that signed it in SSL_CERT_FILE.",
            server=url,
        )
    if isinstance(problem, ssl.SSLError) and not isinstance(problem, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return ConfigError(
            f"{url} answers, but not by TLS: {problem.reason or problem}.",
            hint="Correct the URL; does the server speak http:// there?",
            server=url,
        )
    return unreachable(url, reason_of(problem))


def reason_of(problem: OSError) -> str:
    """Say in a few words why something could not be reached."""
    if isinstance(problem, socket.gaierror):
        return "its host name is not known"
    if isinstance(problem, TimeoutError):
        return "no answer in time"
    return _SAID.get(problem.errno or 0) or problem.strerror or str(problem) or type(problem).__name__


def nonsense(url: str) -> ConfigError:
    """Say that what came is no message of the run channel."""
    return ConfigError(
        f"{url} answers, but not as a Stellwerk server of this version does.",
        hint="Correct the URL, or install the same version of Stellwerk on both sides.",
        server=url,
    )


def other_version(url: str, theirs: str, their_protocol: int, ours: str) -> ConfigError:
    """Say that a server and this process do not speak the same protocol."""
    return ConfigError(
        f"The server {url} is Stellwerk {theirs} and speaks protocol {their_protocol}; this process is Stellwerk "
        f"{ours} and speaks protocol {PROTOCOL}.",
        hint="Upgrade the older of the two.",
        server=url,
    )


def away(url: str, reason: str) -> UnavailableError:
    """Say that a server that was there is away, which may pass."""
    return UnavailableError(
        f"The server {url} is away ({reason}).",
        hint="See whether it runs there and whether the network lets us through.",
        server=url,
        reason=reason,
        is_passing=True,
    )
