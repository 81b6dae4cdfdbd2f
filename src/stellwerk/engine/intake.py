"""The intake: the one thread of a server that writes.

Theory of operation: requests queue in the order in which they came. The writer takes what has gathered, up to a bound,
and applies it as one transaction (group commit): a lone batch is committed at once, and a hundred senders share a
commit. Every sender normally has one batch under way and waits for its answer, so first come, first served is fair. A
batch is answered after its commit, never before. What the database can't take just now is told to every sender of the
group, and is theirs to send again; what it refuses for good is found by applying each batch of the group for itself.

What waits is bounded: who reads from a wire asks `when_room` before it adds more, and so the senders are slowed.
"""

from __future__ import annotations

import logging
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from stellwerk.engine.apply import apply
from stellwerk.errors import InternalError, StellwerkError, UnavailableError
from stellwerk.model.messages import Ack, Batch
from stellwerk.store.port import Store

T = TypeVar("T")

MOST_BATCHES = 64  # in a transaction
MOST_MESSAGES = 20_000
FULL_REQUESTS = 2_000  # that wait, from which on nobody should add more
FULL_BYTES = 64 << 20
COMMIT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of the histogram of transactions; one more bucket takes what lasted longer."""

_log = logging.getLogger(__name__)


class _Request:
    """Hold what waits: a batch, or a verb that opens transactions of its own."""

    __slots__ = ("batch", "callback", "roots", "size_bytes", "submitted_at", "verb")

    def __init__(
        self,
        callback: Callable[[Any], None],
        batch: Batch | None = None,
        verb: Callable[[Store], Any] | None = None,
        size_bytes: int = 0,
        roots: tuple[bytes, ...] = (),
    ) -> None:
        self.callback = callback
        self.batch = batch
        self.verb = verb
        self.size_bytes = size_bytes
        self.roots = roots
        self.submitted_at = time.monotonic()


class Intake:
    """Write what reaches a server, in order, on one thread.

    Args:
        store: what is written to. Nobody else in the process should write to it for long.
        on_commit: called after each commit, on the writer's thread, with the root runs that it touched.

    The attributes without an underscore are counters for metrics; only the writer changes them.
    """

    def __init__(self, store: Store, on_commit: Callable[[Iterable[bytes]], None]) -> None:
        self.batches = 0  # answered, refused ones too
        self.refused = 0
        self.messages = 0  # of the batches that were committed
        self.commits = 0
        self.commit_seconds = 0.0  # in all
        self.commit_buckets = [0] * (len(COMMIT_SECONDS) + 1)
        self.waiting = 0  # requests that are not answered yet
        self.waiting_bytes = 0
        self._store = store
        self._on_commit = on_commit
        self._queue: SimpleQueue[_Request | None] = SimpleQueue()
        self._held: _Request | None = None  # taken from the queue, but for the next transaction
        self._lock = threading.Lock()
        self._is_closing = False
        self._has_ended = False
        self._oldest: float | None = None
        self._for_room: list[Callable[[], None]] = []
        self._thread = threading.Thread(target=self._work, name="stellwerk-intake", daemon=True)
        self._thread.start()

    def submit(self, batch: Batch, callback: Callable[[Ack | StellwerkError], None], size_bytes: int = 0) -> None:
        """Ask for a batch to be applied, from any thread, without waiting.

        Args:
            callback: called on the writer's thread after the commit with the acknowledgement, or with the error
                because of which nothing was applied. It must be quick and may not submit and wait.
            size_bytes: about what the batch takes while it waits.
        """
        self._put(_Request(callback, batch, size_bytes=size_bytes))

    def run(
        self, verb: Callable[[Store], T], callback: Callable[[T | StellwerkError], None], roots: tuple[bytes, ...] = ()
    ) -> None:
        """Ask for anything else that writes, from any thread, without waiting.

        Args:
            verb: called on the writer's thread with the store.
            callback: called there with what it returned, or with the error that it raised.
            roots: the root runs that it touches.
        """
        self._put(_Request(callback, verb=verb, roots=roots))

    def call(self, verb: Callable[[Store], T], roots: tuple[bytes, ...] = ()) -> T:
        """Do the same and wait for it; not from the writer's own thread.

        Raises:
            StellwerkError: what the verb raised.
        """
        answers: SimpleQueue[T | StellwerkError] = SimpleQueue()
        self.run(verb, answers.put, roots)
        answer = answers.get()
        if isinstance(answer, StellwerkError):
            raise answer
        return answer

    @property
    def is_full(self) -> bool:
        """Say whether so much waits that nobody should add more."""
        return self.waiting >= FULL_REQUESTS or self.waiting_bytes >= FULL_BYTES

    def when_room(self, callback: Callable[[], None]) -> None:
        """Call back once there is room: at once, or later on the writer's thread."""
        with self._lock:
            if self.is_full and not self._is_closing:
                self._for_room.append(callback)
                return
        callback()

    @property
    def lag_seconds(self) -> float:
        """Tell for how long the oldest request has waited; 0 when there is none."""
        oldest = self._oldest
        return time.monotonic() - oldest if oldest is not None else 0.0

    def close(self, timeout: float) -> bool:
        """Write what waits, then end. What comes from now on is told to come again later. Idempotent.

        Args:
            timeout: seconds; what still waits after them stays unanswered.

        Returns: whether everything was written.
        """
        with self._lock:
            if not self._is_closing:
                self._is_closing = True
                self._queue.put(None)
            waiters, self._for_room = self._for_room, []
        _call(waiters)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _put(self, request: _Request) -> None:
        with self._lock:
            if not self._is_closing:
                self.waiting += 1
                self.waiting_bytes += request.size_bytes
                self._queue.put(request)
                return
        request.callback(
            UnavailableError("The server is going away.", hint="Send it again once it is back.", is_passing=True)
        )

    def _work(self) -> None:
        while True:
            group = self._gather()
            if not group:
                return
            self._oldest = group[0].submitted_at
            if group[0].verb is not None:
                self._run(group[0])
            else:
                self._apply(group)
            self._oldest = None
            self._make_room(group)

    def _gather(self) -> list[_Request]:
        """Take what shares the next transaction: one verb, or batches; empty when all is done."""
        held, self._held = self._held, None
        first = held if held is not None else (None if self._has_ended else self._queue.get())
        if first is None:
            return []
        group, messages = [first], 0
        while first.batch is not None and len(group) < MOST_BATCHES and not self._has_ended:
            messages += len(group[-1].batch.messages) if group[-1].batch is not None else 0
            try:
                request = self._queue.get_nowait()
            except Empty:
                break
            if request is None:
                self._has_ended = True
            elif request.batch is None or messages + len(request.batch.messages) > MOST_MESSAGES:
                self._held = request
                break
            else:
                group.append(request)
        return group

    def _apply(self, group: list[_Request]) -> None:
        batches = [request.batch for request in group if request.batch is not None]
        began = time.perf_counter()
        try:
            answers: list[Any] = list(apply(self._store, batches))
        except UnavailableError as problem:
            answers = [problem] * len(group)
        except Exception as problem:
            if len(group) > 1:
                # Somebody sent what can't be written. The others must not suffer: each batch for itself.
                for request in group:
                    self._apply([request])
                return
            answers = [_as_ours(problem)]
        else:
            self._count(time.perf_counter() - began)
        committed = []
        for batch, answer in zip(batches, answers, strict=True):
            if isinstance(answer, Ack) and not answer.code:
                committed.append(batch.root_id)
                self.messages += len(batch.messages)
        self.batches += len(batches)
        self.refused += len(batches) - len(committed)
        for request, answer in zip(group, answers, strict=True):
            self._answer(request, answer)
        if committed:
            self._tell(committed)

    def _run(self, request: _Request) -> None:
        began = time.perf_counter()
        assert request.verb is not None
        try:
            answer = request.verb(self._store)
        except Exception as problem:
            self._answer(request, _as_ours(problem))
            return
        self._count(time.perf_counter() - began)
        self._answer(request, answer)
        if request.roots:
            self._tell(request.roots)

    def _count(self, seconds: float) -> None:
        self.commits += 1
        self.commit_seconds += seconds
        self.commit_buckets[bisect_left(COMMIT_SECONDS, seconds)] += 1

    def _answer(self, request: _Request, answer: Any) -> None:
        try:
            request.callback(answer)
        except Exception:
            _log.exception("An answer could not be given")  # its sender asks again; the writer must live

    def _tell(self, root_ids: Iterable[bytes]) -> None:
        try:
            self._on_commit(root_ids)
        except Exception:
            _log.exception("A commit could not be told")

    def _make_room(self, group: list[_Request]) -> None:
        with self._lock:
            self.waiting -= len(group)
            self.waiting_bytes -= sum(request.size_bytes for request in group)
            if self.is_full or not self._for_room:
                return
            waiters, self._for_room = self._for_room, []
        _call(waiters)


def _call(waiters: list[Callable[[], None]]) -> None:
    for callback in waiters:
        try:
            callback()
        except Exception:
            _log.exception("Who waited for room could not be called")


def _as_ours(problem: Exception) -> StellwerkError:
    """Make an error that can be told to a sender; one that we did not foresee is logged with its traceback."""
    if isinstance(problem, StellwerkError):
        return problem
    _log.error("A request could not be written", exc_info=problem)
    return InternalError(
        f"What was sent can't be written: {type(problem).__name__}: {problem}.",
        hint="Nothing of it was applied; the server's log has the details.",
    )
