"""Upstream: which futures a call depends on, whether it may start, and what takes their place."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from stellwerk.errors import UpstreamFailed
from stellwerk.model import policy
from stellwerk.sdk.futures import Future, Futures, allow_failure

_PLAIN = frozenset({int, float, str, bool, bytes, type(None), complex, bytearray, range})


class Upstream:
    """Hold the futures that one call depends on.

    Attributes:
        arguments: futures whose values the call takes, with whether their failure is allowed.
        others: futures it only waits for.
    """

    __slots__ = ("arguments", "others")

    def __init__(self) -> None:
        self.arguments: list[tuple[Future[Any], bool]] = []
        self.others: list[Future[Any]] = []

    def futures(self) -> list[Future[Any]]:
        """List them all, each once."""
        return list(dict.fromkeys([*(future for future, _ in self.arguments), *self.others]))

    def decide(self, run_when: str) -> policy.Decision:
        """Decide whether the call may start by now: see `policy.decide`."""
        allowed = {future for future, is_allowed in self.arguments if is_allowed}
        outcomes: list[str | None] = []
        is_waiting = False
        for future in self.futures():
            if not future.done():
                is_waiting = is_waiting or future in allowed or future not in self.others
            if future not in allowed:
                outcomes.append(future.outcome()[0] if future.done() else None)
        decision = policy.condition(run_when, outcomes)
        return "wait" if decision == "run" and is_waiting else decision

    def why_failed(self) -> tuple[Future[Any], BaseException | None]:
        """Find the first upstream that failed, and its exception."""
        for future in self.futures():
            name, _, error = future.outcome()
            if future.done() and name in ("failed", "crashed", "cancelled"):
                return future, error
        return self.futures()[0], None


def find(arguments: Mapping[str, Any], wait_for: Iterable[Any] | None) -> Upstream | None:
    """Find the futures in a call's arguments, also inside lists, tuples, sets, dicts and dataclasses."""
    upstream = Upstream()
    for value in arguments.values():
        if type(value) not in _PLAIN:
            _search(value, False, upstream.arguments)
    if wait_for is not None:
        found: list[tuple[Future[Any], bool]] = []
        _search(list(wait_for) if not isinstance(wait_for, (Future, allow_failure)) else [wait_for], False, found)
        for future, allowed in found:
            if allowed:
                upstream.arguments.append((future, True))
            else:
                upstream.others.append(future)
    return upstream if upstream.arguments or upstream.others else None


def _search(value: Any, allowed: bool, found: list[tuple[Future[Any], bool]], depth: int = 0) -> None:
    kind = type(value)
    if kind in _PLAIN or depth > 20:
        return
    if isinstance(value, Future):
        found.append((value, allowed))
    elif isinstance(value, allow_failure):
        _search(value.value, True, found, depth + 1)
    elif isinstance(value, (list, tuple, set, frozenset, Futures)):
        for item in value:
            if type(item) not in _PLAIN:
                _search(item, allowed, found, depth + 1)
    elif isinstance(value, dict):
        for item in value.values():
            _search(item, allowed, found, depth + 1)
    elif hasattr(kind, "__dataclass_fields__"):
        for name in kind.__dataclass_fields__:
            _search(getattr(value, name, None), allowed, found, depth + 1)


def fill(arguments: Mapping[str, Any], takes_failures: bool) -> dict[str, Any]:
    """Put values in the place of futures.

    Args:
        takes_failures: whether a failed upstream's exception (or a skipped one's `Skip`) stands for its value.
    """
    return {name: _fill(value, takes_failures, 0) for name, value in arguments.items()}


def fill_value(value: Any) -> Any:
    """Put values in the place of futures inside one value, such as what a flow returned.

    Raises:
        BaseException: what a failed one raised.
    """
    return _fill(value, False, 0)


def _fill(value: Any, takes_failures: bool, depth: int) -> Any:
    kind = type(value)
    if kind in _PLAIN or depth > 20:
        return value
    if isinstance(value, Future):
        if takes_failures:
            value.handle()
            _, result, error = value.outcome()
            return result if error is None else error
        return value.result()
    if isinstance(value, allow_failure):
        return _fill(value.value, True, depth + 1)
    if isinstance(value, Futures):
        return [_fill(item, takes_failures, depth + 1) for item in value]
    if not _has_future(value):
        return value
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return kind(*(_fill(item, takes_failures, depth + 1) for item in value))
    if isinstance(value, (list, tuple, set, frozenset)):
        return kind(_fill(item, takes_failures, depth + 1) for item in value)
    if isinstance(value, dict):
        filled = {key: _fill(item, takes_failures, depth + 1) for key, item in value.items()}
        return filled if kind is dict else kind(filled)
    made = copy.copy(value)
    for name in kind.__dataclass_fields__:
        object.__setattr__(made, name, _fill(getattr(value, name), takes_failures, depth + 1))
    return made


def _has_future(value: Any) -> bool:
    found: list[tuple[Future[Any], bool]] = []
    _search(value, False, found)
    return bool(found)


def upstream_failed(name: str, upstream: Upstream) -> UpstreamFailed:
    """Make the exception of a call that could not run because of another's failure."""
    culprit, error = upstream.why_failed()
    while isinstance(error, UpstreamFailed) and error.__cause__ is not None:
        error = error.__cause__
    made = UpstreamFailed(
        f"{name!r} did not run: {culprit.name!r}, which it needs, failed with {type(error).__name__}: {error}.",
        hint="allow_failure(…) around the argument, or run_when=, lets a task run over failures.",
    )
    made.__cause__ = error
    return made
