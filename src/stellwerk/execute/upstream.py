"""Upstream: which futures a call depends on, whether it may start, and what takes their place."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from stellwerk.core import admit
from stellwerk.errors import UpstreamFailed
from stellwerk.sdk.futures import Future, Futures, allow_failure

_PLAIN = frozenset({int, float, str, bool, bytes, type(None), complex, bytearray, range})


class Upstream:
    """Hold the futures that one call depends on, and count how they end.

    Args:
        arguments: futures whose values the call takes, with whether their failure is allowed.
        others: futures it only waits for, likewise.

    Cost: linear to make; each future that ends costs the same, however many there are.
    """

    __slots__ = ("_allowed", "_awaited", "_ended", "_futures", "_needed", "lock")

    def __init__(self, arguments: list[tuple[Future[Any], bool]], others: list[tuple[Future[Any], bool]]) -> None:
        self._allowed = [future for future, is_allowed in (*arguments, *others) if is_allowed]
        self._awaited = {future for future, _ in arguments} | {future for future, is_allowed in others if is_allowed}
        # Those that count for the condition; what may fail wherever it is taken does not.
        self._needed = {future for future, is_allowed in (*arguments, *others) if not is_allowed}
        self._futures = list(dict.fromkeys(future for future, _ in (*arguments, *others)))
        self._ended = {"completed": 0, "skipped": 0, "failed": 0}
        self.lock = threading.Lock()

    def futures(self) -> list[Future[Any]]:
        """List them all, each once."""
        return self._futures

    def allowed(self) -> list[Future[Any]]:
        """List those that may fail in at least one place."""
        return self._allowed

    def count(self, future: Future[Any]) -> None:
        """Take note that one of the futures has ended; called once for each."""
        with self.lock:
            self._awaited.discard(future)
            if future in self._needed:
                name = future.outcome()[0]
                self._ended[name if name in self._ended else "failed"] += 1

    def facts(self, run_when: str) -> admit.Waiting:
        """Count how the upstream stands by now."""
        succeeded, failed, skipped = self._ended["completed"], self._ended["failed"], self._ended["skipped"]
        unfinished = len(self._needed) - succeeded - failed - skipped
        return admit.Waiting(run_when, succeeded, failed, skipped, unfinished, len(self._awaited))

    def decide(self, run_when: str) -> admit.Decision:
        """Decide whether the call may start by now: see `admit.admits`."""
        return admit.admits(self.facts(run_when))

    def why_failed(self) -> tuple[Future[Any], BaseException | None]:
        """Find the first upstream that failed and may not, and its exception."""
        for future in self._futures:
            name, _, error = future.outcome()
            if future in self._needed and future.done() and name in ("failed", "crashed", "cancelled"):
                return future, error
        return self._futures[0], None


def find(arguments: Mapping[str, Any], wait_for: Iterable[Any] | None) -> Upstream | None:
    """Find the futures in a call's arguments, also inside lists, tuples, sets, dicts and dataclasses."""
    taken: list[tuple[Future[Any], bool]] = []
    for value in arguments.values():
        if type(value) not in _PLAIN:
            _search(value, False, taken)
    others: list[tuple[Future[Any], bool]] = []
    if wait_for is not None:
        _search([wait_for] if isinstance(wait_for, (Future, allow_failure)) else list(wait_for), False, others)
    return Upstream(taken, others) if taken or others else None


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
        # Copied, since a defaultdict, a Counter or a user's own is not made from its items alone.
        filled = {} if kind is dict else copy.copy(value)
        for key, item in value.items():
            filled[key] = _fill(item, takes_failures, depth + 1)
        return filled
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
