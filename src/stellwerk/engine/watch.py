"""What changed: the one engine behind the live feed of pages, and behind every other way to be told of changes.

Theory of operation: a *topic* is a root run, or all runs together. Each change gives the topics it touches the next
number of one count, their *version*; a version can be compared within one server's life only. Commits of this process
are told by its writer (`noticed`). Those of other processes are looked for on a thread, only while somebody listens:
the store says cheaply whether anything may have been committed, and the leases say what: which are held, under which
fence, up to which batch; and which root runs are new. What this process's own writer has told already is left out.

Only a bounded number of versions is remembered, those that changed last. Of a topic that is not among them it is known
that its version is not above the *floor*, and the floor is given as its version: so a cursor is always answered right,
if sometimes with a change that was none. After a time in which nobody listened, and so nobody looked, the floor is
raised to the present: everything may have changed.

A `Listener` keeps one number a topic it has subscribed to, however slowly it is read. It hands out the first change at
once, and then at most one every `PAUSE_SECONDS` a topic.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

from stellwerk.errors import StellwerkError, UsageError
from stellwerk.model.identity import from_text, to_text
from stellwerk.store.port import Store, in_chunks

Topic = bytes
"""The id of a root run, or `RUNS`."""

RUNS: Topic = b""
"""Any run at all: for lists and counts."""

PAUSE_SECONDS = 0.25  # between two changes of a topic that a listener is told
REMEMBERED = 4096  # topics whose version is known
LINGER_SECONDS = 10.0  # that are still looked through after the last listener left: long polls come back within them
TROUBLE_SECONDS = 1.0  # before the next look when the database could not be asked
REVISED_SECONDS = 10.0  # for which a root run may stay uncommitted after it took its number (Postgres)
CLOSING_SECONDS = 5.0  # for a look that is under way when the watch closes; a database may never answer it
MOST_NEW = 1_000  # root runs that one look finds
FIRST_FENCE = 1
PROJECT = "default"

_log = logging.getLogger(__name__)


def parse_topic(text: str) -> Topic:
    """Read a topic as pages write it: `runs`, or `run:` and the id of a root run.

    Raises:
        UsageError: it is neither.
    """
    if text == "runs":
        return RUNS
    head, colon, name = text.partition(":")
    if head == "run" and colon:
        try:
            return from_text(name)
        except UsageError:
            pass
    raise UsageError(f"{text[:100]!r} is not a topic.", hint="There are `runs`, and `run:` with the id of a root run.")


def write_topic(topic: Topic) -> str:
    """Write a topic as pages read it."""
    return f"run:{to_text(topic)}" if topic else "runs"


class Listener:
    """Be told of changes. Made by `Watch.listen`; used by one thread (or event loop), woken by any."""

    def __init__(self, watch: Watch, wake: Callable[[], None]) -> None:
        self._watch = watch
        self._wake = wake
        self._pending: dict[Topic, int] = {}
        self._told_at: dict[Topic, float] = {}  # of the topics that are subscribed to

    @property
    def topics(self) -> frozenset[Topic]:
        """Name what is subscribed to."""
        return frozenset(self._told_at)

    def subscribe(self, topics: Iterable[Topic]) -> dict[Topic, int]:
        """Listen to these topics, and no longer to others; return their present versions."""
        return self._watch._subscribe(self, topics)

    def take(self) -> tuple[dict[Topic, int], float | None]:
        """Take the changes that are due.

        Returns: topic → version, and after how many seconds the next is due; None when none is known, and the listener
            will be woken.
        """
        return self._watch._take(self)

    def close(self) -> None:
        """Listen no longer. Idempotent."""
        self._watch._leave(self)


class Watch:
    """Number changes, and tell them.

    Args:
        store: where other processes write, too.
        clock: monotonic seconds.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._is_wanted = threading.Condition(self._lock)
        self._count = 1
        self._floor = 1
        self._runs = 1  # the version of RUNS
        self._versions: OrderedDict[Topic, int] = OrderedDict()
        self._listening: dict[Topic, set[Listener]] = {}
        self._listeners: set[Listener] = set()
        self._left_at = float("-inf")
        self._own: set[Topic] = set()  # told by our own writer since the last look
        self._is_looking = False
        self._thread: threading.Thread | None = None
        self.is_closed = False

    # ── telling ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def noticed(self, root_ids: Iterable[bytes]) -> None:
        """Tell that this process has committed changes of these root runs. From any thread; does not wait."""
        with self._lock:
            told = set(root_ids)
            if self._is_looking:
                self._own |= told
            wakes = self._change(told)
        _wake(wakes)

    def _change(self, topics: set[Topic]) -> list[Listener]:
        """Number a change; the caller holds the lock and wakes who is returned."""
        self._count = self._runs = self._count + 1
        for topic in topics:
            self._versions[topic] = self._count
            self._versions.move_to_end(topic)
        while len(self._versions) > REMEMBERED:
            self._floor = self._versions.popitem(last=False)[1]
        wakes: list[Listener] = []
        for topic in (RUNS, *topics):
            for listener in self._listening.get(topic, ()):
                if topic not in listener._pending:
                    wakes.append(listener)
                listener._pending[topic] = self._count
        return wakes

    def _change_all(self) -> None:
        """Tell that anything may have changed."""
        with self._lock:
            self._count = self._runs = self._floor = self._count + 1
            self._versions.clear()
            for listener in self._listeners:
                listener._pending = dict.fromkeys(listener._told_at, self._count)
            wakes = list(self._listeners)
        _wake(wakes)

    # ── listening ────────────────────────────────────────────────────────────────────────────────────────────────────
    def listen(self, wake: Callable[[], None]) -> Listener:
        """Begin to listen.

        Args:
            wake: called, on any thread, when there is something to take, and when the watch closes; must be quick.
        """
        listener = Listener(self, wake)
        with self._lock:
            self._listeners.add(listener)
            if self._thread is None and not self.is_closed:
                self._thread = threading.Thread(target=self._look_on, name="stellwerk-watch", daemon=True)
                self._thread.start()
            self._is_wanted.notify_all()
        return listener

    @property
    def count(self) -> int:
        """Tell the newest version of all: a cursor for `since`."""
        return self._count

    def versions(self, topics: Iterable[Topic]) -> dict[Topic, int]:
        """Tell the present versions of topics; those not remembered have the highest that they can have."""
        with self._lock:
            return self._versions_of(topics)

    def since(self, topics: Iterable[Topic], cursor: int) -> dict[Topic, int]:
        """Tell which topics (may) have changed since a cursor."""
        with self._lock:
            return {topic: version for topic, version in self._versions_of(topics).items() if version > cursor}

    def _versions_of(self, topics: Iterable[Topic]) -> dict[Topic, int]:
        return {topic: self._versions.get(topic, self._floor) if topic else self._runs for topic in topics}

    def _subscribe(self, listener: Listener, topics: Iterable[Topic]) -> dict[Topic, int]:
        with self._lock:
            wanted = dict.fromkeys(topics)
            versions = self._versions_of(wanted)
            if listener not in self._listeners:
                return versions
            self._forget(listener)
            now = self._clock()
            listener._pending = {}
            listener._told_at = {topic: listener._told_at.get(topic, now - PAUSE_SECONDS) for topic in wanted}
            for topic in wanted:
                self._listening.setdefault(topic, set()).add(listener)
            return versions

    def _take(self, listener: Listener) -> tuple[dict[Topic, int], float | None]:
        with self._lock:
            now = self._clock()
            due: dict[Topic, int] = {}
            wait: float | None = None
            for topic, version in list(listener._pending.items()):
                left = listener._told_at[topic] + PAUSE_SECONDS - now
                if left <= 0:
                    due[topic] = version
                    listener._told_at[topic] = now
                    del listener._pending[topic]
                else:
                    wait = left if wait is None else min(wait, left)
            return due, wait

    def _leave(self, listener: Listener) -> None:
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)
                self._forget(listener)
                self._left_at = self._clock()

    def _forget(self, listener: Listener) -> None:
        for topic in listener._told_at:
            others = self._listening.get(topic)
            if others is not None:
                others.discard(listener)
                if not others:
                    del self._listening[topic]

    def close(self) -> None:
        """Stop looking, and wake all listeners, so that they end. Idempotent."""
        with self._lock:
            self.is_closed = True
            wakes = list(self._listeners)
            thread = self._thread
            self._is_wanted.notify_all()
        _wake(wakes)
        if thread is not None and thread is not threading.current_thread():
            thread.join(CLOSING_SECONDS)

    # ── looking for what other processes committed ───────────────────────────────────────────────────────────────────
    def _look_on(self) -> None:
        outside = _Outside(self._store, self._clock)
        is_first = True
        while True:
            is_first |= self._wait_until_wanted()
            if self.is_closed:
                return
            try:
                with self._lock:
                    own, self._own = self._own, set()
                if is_first:
                    outside.begin()
                    self._change_all()
                else:
                    self._tell(outside.changed(own))
                is_first = False
                pause = self._store.look_seconds
            except StellwerkError as problem:
                _log.warning("Changes of other processes can't be looked for: %s", problem.message)
                is_first, pause = True, TROUBLE_SECONDS
            except Exception:
                _log.exception("Changes of other processes can't be looked for")
                is_first, pause = True, TROUBLE_SECONDS
            self._pause(pause)

    def _pause(self, seconds: float) -> None:
        """Wait, whoever begins to listen meanwhile, until it is time for the next look."""
        end = time.monotonic() + seconds
        with self._lock:
            while not self.is_closed and (left := end - time.monotonic()) > 0:
                self._is_wanted.wait(left)

    def _wait_until_wanted(self) -> bool:
        """Wait until somebody listens, or did just now; tell whether there was a time in which nobody did."""
        has_slept = False
        with self._lock:
            while not self.is_closed and not self._listeners and self._clock() > self._left_at + LINGER_SECONDS:
                has_slept = True
                self._is_looking = False
                self._own.clear()
                self._is_wanted.wait()
            self._is_looking = True
        return has_slept

    def _tell(self, topics: set[Topic]) -> None:
        if topics:
            with self._lock:
                wakes = self._change(topics)
            _wake(wakes)


class _Outside:
    """Find root runs that changed between two looks at the database."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        # Postgres gives out numbers before a commit, so a smaller one may appear after a greater one.
        self._revised_seconds = REVISED_SECONDS if store.may_commit_late else 0.0
        self._token = -1
        self._held: dict[Topic, tuple[int, int]] = {}  # root run → fence and number of its last batch
        self._settled = 0  # up to this number all new root runs are known
        self._recent: dict[int, float] = {}  # numbers beyond it that are known → when they were first seen

    def begin(self) -> None:
        """Take what is there now as known."""
        self._token = self._store.data_version()
        # New runs before held leases: what comes in between is then found twice rather than never.
        newest = self._store.select("roots_newest", (PROJECT,))[0][0] or 0
        self._settled = newest - (MOST_NEW if self._revised_seconds else 0)
        self._recent = {}
        self._new_roots()
        self._held = self._look()

    def changed(self, own: set[Topic]) -> set[Topic]:
        """Name the root runs that changed since the last look, without those that only our own writer has changed.

        Cost: one cheap question when nothing was committed; else two statements on small indexes.
        """
        token = self._store.data_version()
        if token == self._token:
            return set()
        found = self._new_roots()
        is_complete = len(found) < MOST_NEW
        held = self._look()
        for root_id, told in held.items():
            known = self._held.get(root_id)
            # Under one fence a run is reported by one road alone: it was us, then.
            is_told = root_id in own and told[0] == (known[0] if known else FIRST_FENCE)
            if is_told and known is None:
                found.discard(root_id)
            elif known != told and not is_told:
                found.add(root_id)
        found |= self._ended_elsewhere([root_id for root_id in self._held if root_id not in held], own)
        self._held = held
        if is_complete:
            self._token = token
        return found

    def _look(self) -> dict[Topic, tuple[int, int]]:
        return {bytes(root_id): (fence, seq) for root_id, fence, seq in self._store.select("leases_watched")}

    def _new_roots(self) -> set[Topic]:
        """Find root runs that are new, at most `MOST_NEW` at a time."""
        now = self._clock()
        rows = self._store.select("roots_since", (PROJECT, self._settled, MOST_NEW))
        found = {bytes(root_id) for seq, root_id in rows if seq not in self._recent}
        for seq, _ in rows:
            self._recent.setdefault(seq, now)
        is_full = len(rows) >= MOST_NEW  # so many at once that late ones can't be waited for
        for seq, seen_at in list(self._recent.items()):
            if is_full or seen_at <= now - self._revised_seconds:
                self._settled = max(self._settled, seq)
                del self._recent[seq]
        return found

    def _ended_elsewhere(self, gone: list[Topic], own: set[Topic]) -> set[Topic]:
        """Name those that ended by somebody else than our own writer, which leaves the fence as it was."""
        ended = {root_id for root_id in gone if root_id not in own}
        for ids in in_chunks([root_id for root_id in gone if root_id in own]):
            for root_id, fence in self._store.select("lease_fences", (), ids):
                if fence != self._held[bytes(root_id)][0]:
                    ended.add(bytes(root_id))
        return ended


def _wake(listeners: Iterable[Listener]) -> None:
    """Wake listeners, outside the lock: what they do then may ask the watch."""
    for listener in listeners:
        try:
            listener._wake()
        except Exception:
            _log.exception("A listener could not be woken")
