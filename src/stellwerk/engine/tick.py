"""Events born of time: owners that are gone, or were not heard for a lease.

A process of the same host that no longer exists is decided at once, by whoever looks. For everybody else there is the
lease: a counter that is renewed from outside the interpreter that runs user code. It has lapsed when it stood still for
`lease_seconds` on the observer's own monotonic clock, and only time in which the observer could hear counts: not what
was before it began to look, not a gap in which it did not look (it was stopped, or the database was away), not while
what it was told waited to be written. So a server that was away, or a clock that was set, kills no one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import msgspec

from stellwerk.engine.apply import crash
from stellwerk.errors import StellwerkError, UnavailableError
from stellwerk.model.messages import Holder
from stellwerk.model.states import Cause
from stellwerk.store.port import Row, Store, in_chunks

LOOK_SECONDS = 1.0  # between two looks
DEAF_SECONDS = 3.0  # a gap between two looks, or a wait of what was sent to us, from which on the time does not count

_log = logging.getLogger(__name__)


class Swept(msgspec.Struct, frozen=True):
    """Tell of a root run that its owner has lost: which, why, and under which fence who held it."""

    run_id: bytes
    evidence: str
    fence: int
    holder: Holder


def sweep(store: Store, condition: Callable[[Holder], str]) -> list[Swept]:
    """End the runs whose owner on this host is gone.

    Args:
        condition: looks at a process: `alive`, `stopped`, `gone` or `elsewhere`.

    Returns: what was ended, oldest first; empty when every owner lives.

    Idempotent: by the fence of each run.
    Cost: one statement on a partial index, and a look at /proc for each run in hand.
    """
    ended: list[Swept] = []
    for root_id, fence, _seq, _counter, _seconds, *named in store.select("leases_held"):
        holder = Holder(*named)
        if condition(holder) != "gone":
            continue
        lost = Swept(root_id, _gone(holder), fence, holder)
        if _end(store, lost, None):
            ended.append(lost)
    return ended


class _Heard:
    """Remember what a lease last said, and for how long it has said nothing since."""

    __slots__ = ("fence", "holder", "said", "silent_seconds")

    def __init__(self, fence: int, said: tuple[int, int], holder: Holder) -> None:
        self.fence = fence
        self.said = said
        self.holder = holder
        self.silent_seconds = 0.0


class Observer:
    """End the runs of owners that are gone or have let their lease lapse: what a server does about once a second.

    Args:
        store: what is looked at.
        condition: looks at a process: `alive`, `stopped`, `gone` or `elsewhere`.
        write: does what writes; a server passes its intake, behind whose queue a take-over stands, so that an owner
            whose renewal was received in time keeps its run.
        lag: for how many seconds the oldest thing that was received has waited to be written.
        clock: monotonic seconds.

    An owner of this host that is alive keeps its lease without a renewal; one that is stopped (SIGSTOP) does not.
    """

    def __init__(
        self,
        store: Store,
        condition: Callable[[Holder], str],
        write: Callable[[Callable[[Store], bool], tuple[bytes, ...]], bool] | None = None,
        lag: Callable[[], float] = float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._condition = condition
        self._write = write or (lambda verb, _roots: verb(store))
        self._lag = lag
        self._clock = clock
        self._looked_at: float | None = None
        self._heard: dict[bytes, _Heard] = {}

    def look(self) -> list[Swept]:
        """Look at all leases in hand once.

        Returns: what owners lost since the last look: ended here, or taken over by somebody else; whoever is still
            connected is to be told.

        Raises:
            UnavailableError: the database could not be read or written; the time until the next look does not count.

        Cost: one statement on a partial index, and one more for runs that are no longer in hand.
        """
        rows = self._store.select("leases_held")
        now = self._clock()
        gap = now - self._looked_at if self._looked_at is not None else 0.0
        self._looked_at = None  # until this look has come to its end
        if gap > DEAF_SECONDS or self._lag() > DEAF_SECONDS:
            gap = 0.0
        before, self._heard = self._heard, {}
        conditions: dict[Holder, str] = {}
        lost: list[Swept] = []
        for row in rows:
            holder = Holder(*row[5:])
            if holder not in conditions:
                conditions[holder] = self._condition(holder)
            ended = self._look_at(row, holder, conditions[holder], before.get(row[0]), gap)
            if ended is not None:
                lost.append(ended)
        lost += self._taken_over(before, {swept.run_id for swept in lost})
        self._looked_at = now
        return lost

    def _look_at(self, row: Row, holder: Holder, condition: str, heard: _Heard | None, gap: float) -> Swept | None:
        root_id, fence, seq, counter, lease_seconds = row[:5]
        if condition == "gone":
            return self._end(Swept(root_id, _gone(holder), fence, holder), None)
        if heard is None or heard.fence != fence:
            heard = _Heard(fence, (seq, counter), holder)
        elif heard.said != (seq, counter) or condition == "alive":
            heard.said, heard.silent_seconds = (seq, counter), 0.0
        else:
            heard.silent_seconds += gap
        self._heard[root_id] = heard
        if heard.silent_seconds < lease_seconds:
            return None
        who = f"process {holder.pid} on {holder.host}"
        evidence = f"nobody renewed the lease of {who} for {lease_seconds:g} s"
        if condition == "stopped":
            evidence = f"{who} is stopped and was not heard for {lease_seconds:g} s"
        return self._end(Swept(root_id, evidence, fence, holder), heard.said)

    def _end(self, lost: Swept, last_heard: tuple[int, int] | None) -> Swept | None:
        try:
            is_ended = self._write(lambda store: _end(store, lost, last_heard), (lost.run_id,))
        except UnavailableError:
            raise
        except StellwerkError as problem:
            _log.error("Run %s can't be ended: %s", lost.run_id.hex(), problem)  # the others must not suffer
            return None
        if is_ended:
            self._heard.pop(lost.run_id, None)
            return lost
        return None

    def _taken_over(self, before: dict[bytes, _Heard], ended: set[bytes]) -> list[Swept]:
        """Find runs that were in hand at the last look and have a greater fence now: somebody else took them."""
        gone = [
            root_id
            for root_id, heard in before.items()
            if root_id not in ended and (root_id not in self._heard or self._heard[root_id].fence != heard.fence)
        ]
        lost = []
        for ids in in_chunks(gone):
            for root_id, fence in self._store.select("lease_fences", (), ids):
                heard = before[root_id]
                if fence > heard.fence:
                    lost.append(Swept(root_id, "another process took it over or ended it", heard.fence, heard.holder))
        return lost


def _gone(holder: Holder) -> str:
    return f"process {holder.pid} on {holder.host} is gone"


def _end(store: Store, lost: Swept, last_heard: tuple[int, int] | None) -> bool:
    at = time.time_ns() // 1000
    cause = Cause("lease_lost", lost.evidence)
    return crash(store, lost.run_id, lost.fence, at, cause, "OwnerLost", last_heard)
