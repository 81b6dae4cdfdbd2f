"""The owner: reports what happens in this process's runs, in order, and knows when it is committed.

Theory of operation: messages gather in an inbox, to which any thread appends without a lock. Whoever needs one
committed becomes the writer: it takes the flush lock, sends everything gathered as the next batch, and by the time the
next waiter gets the lock its own message has usually gone along (group commit without a hand-off to another thread).
Messages nobody waits for (a beginning, a log line, a completion with a callback) are sent by a background thread within
`LINGER_SECONDS`. When the inbox is full, the one who adds to it sends it: work is slowed, nothing is dropped. A call
that waits for a free thread is announced together with its beginning, or after `ANNOUNCE_SECONDS`, whichever is
earlier, so that most runs are written once.

A thread may be stopped anywhere by a time limit (`Abandoned`), also while it is the writer. So what is taken from the
inbox is in `_draft` or in `_under_way` at every moment, and moves from one to the next by single steps of C code.

A server at the other end may be away for any time. Then the background thread alone goes on asking; all others wait
outside the flush lock, where signals reach them. Once the process was asked to stop, it waits only a moment more.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from stellwerk.client.transport import Transport, Unanswered
from stellwerk.errors import Abandoned, InternalError, StaleFence, StellwerkError, UnavailableError
from stellwerk.execute import progress
from stellwerk.execute.signals import exposed, shield
from stellwerk.model.messages import Ack, Batch, Began, Ended, Logged, Message, Opening, Sourced, Submitted, Yielded
from stellwerk.model.states import Cause
from stellwerk.sdk.context import current

LINGER_SECONDS = 0.02
ANNOUNCE_SECONDS = 1.0
RESEND_SECONDS = 0.2
ANNOUNCE_FULL = 50_000  # waiting calls at which all are announced, so that memory stays bounded
FULL = 5_000  # entries, or log lines, at which the one who adds must send
FULL_BYTES = 8 << 20  # of either, likewise; and what a batch holds at most, but for a single message that is larger
HURRY_SECONDS = 2.0  # that a process which was asked to stop waits for a server that is away
LOST_HINT = "Another process took this run over, or closed it."
LOOK_SECONDS = 0.1  # between two looks of those who wait for a server that is away
Line = tuple[int, bytes, int, int, int, str, str]


class _Ticket:
    """Tell who waits whether what it added is committed."""

    __slots__ = ("is_done",)

    def __init__(self) -> None:
        self.is_done = False


class _Entry(NamedTuple):
    """Hold what one call of `put` or `flush` added."""

    messages: tuple[Message, ...]
    callback: Callable[[], None] | None = None
    ticket: _Ticket | None = None


class Owner:
    """Report the runs of one root run to whoever keeps the record."""

    def __init__(self, transport: Transport, root_id: bytes, opening: Opening, fence: int = 1) -> None:
        self.root_id = root_id
        self.transport = transport
        self.pid = os.getpid()
        self._fence = fence
        self._seq = 0
        self._opening: Opening | None = opening
        self._patience_seconds = opening.lease_seconds
        self._inbox: deque[_Entry] = deque()
        self._lines: deque[Line] = deque()
        self._later: dict[bytes, Submitted] = {}
        self._open: dict[bytes, int] = {}  # runs submitted and not ended, with the number of the running attempt
        self._line_number = itertools.count(1)
        self._draft: list[_Entry | Submitted] = []
        self._drafted_lines: list[Line] = []
        self._under_way: tuple[Batch, list[_Entry]] | None = None
        self._due: deque[Callable[[], None]] = deque()
        self._flush_lock = threading.Lock()
        self._start_lock = threading.Lock()
        self._wake = threading.Event()
        self._urgent = threading.Event()
        self._sent_at = 0.0
        self._closed = False
        self._problem: StellwerkError | None = None
        self._thread: threading.Thread | None = None
        self._bytes = 0  # about what is in the inbox: threads may count past each other
        self._line_bytes = 0
        self._stalled = ""  # why the server does not answer, while it does not
        self._hurry_until = 0.0
        self._lost: StaleFence | None = None
        self.on_lost: Callable[[str], None] | None = None
        transport.listen(root_id, self._stop)

    def put(self, message: Message | None, callback: Callable[[], None] | None = None) -> None:
        """Add a message that is sent soon, without ever waiting; `relieve` is to follow.

        Args:
            message: None adds nothing but the callback.
            callback: runs after the commit of this message and all before it, on the thread that committed it.

        Raises:
            StellwerkError, Abandoned: nothing can be recorded any more.
        """
        self.check()
        if message is None:
            messages: tuple[Message, ...] = ()
        else:
            messages = self._announced(message)
            self._bytes += _weigh(message)
        self._inbox.append(_Entry(messages, callback))
        if self._problem is not None:
            self._run_left_over()
        self._call(is_urgent=callback is not None)

    def relieve(self) -> None:
        """Send what has gathered if it is too much: the one who adds is slowed, nothing is dropped."""
        if len(self._inbox) >= FULL or self._bytes >= FULL_BYTES:
            self.flush()

    def post(self, message: Message, callback: Callable[[], None] | None = None) -> None:
        """Do both `put` and `relieve`."""
        self.put(message, callback)
        self.relieve()

    def announce(self, message: Submitted) -> None:
        """Add a run that waits for a thread: it is sent with its next message, or a little later."""
        self.check()
        self._later[message.run_id] = message
        self._call(is_urgent=False)

    def _call(self, is_urgent: bool) -> None:
        if is_urgent and not self._urgent.is_set():
            self._urgent.set()
        if not self._wake.is_set():
            self._wake.set()
        if self._thread is None:
            self._start()

    def flush(self) -> None:
        """Send all that has gathered and return when it is committed.

        Raises:
            UnavailableError: it could not be written.
            Abandoned: the run is no longer ours; the caller must stop.
        """
        with shield:
            ticket = _Ticket()
            self._inbox.append(_Entry((), None, ticket))
            while not ticket.is_done:
                if self._stalled:
                    self._look_round(ticket)
                try:
                    with self._flush_lock:
                        while not ticket.is_done:
                            self._send()
                except Unanswered:
                    if self._closed and self._is_asking():
                        return  # nobody waits for it any more
                    self._call(is_urgent=True)
            self._run_callbacks()

    def _is_asking(self) -> bool:
        """Say whether this thread is the one that goes on asking a server that does not answer."""
        return self._thread is None or not self._thread.is_alive() or self._thread is threading.current_thread()

    def _look_round(self, ticket: _Ticket) -> None:
        """Wait until the server answers again, where signals get through; the thread that asks looks only."""
        while self._stalled and not ticket.is_done and self._problem is None:
            if self._hurry_until and time.monotonic() >= self._hurry_until:
                with self._flush_lock:
                    if self._stalled and self._problem is None:
                        self._give_up(UnavailableError(self._stalled, hint="Start it again, or see why it is away."))
                return
            is_asking = self._is_asking()
            with exposed:
                time.sleep(0.0 if is_asking else LOOK_SECONDS)
            if is_asking:
                return

    def hurry(self) -> None:
        """Wait only a moment more for a server that is away, since the process was asked to stop."""
        if not self._hurry_until:
            self._hurry_until = time.monotonic() + HURRY_SECONDS

    @property
    def is_hurried(self) -> bool:
        """Say whether the process was asked to stop."""
        return self._hurry_until > 0

    def _stop(self, fence: int, reason: str) -> None:
        # A command of the server; on the line's thread, which must not wait here.
        if fence >= self._fence and self._problem is None:
            self._lost = StaleFence(f"This run was ended by somebody else: {reason}.")
            self._call(is_urgent=True)

    def _announced(self, message: Message) -> tuple[Message, ...]:
        if self._later and not isinstance(message, (Sourced, Logged)):
            first = self._later.pop(message.run_id, None)
            if first is not None:
                return first, message
        return (message,)

    def log(self, run_id: bytes, attempt: int, at: int, level: int, logger: str, message: str) -> None:
        """Add a log line; when too many wait, send them first, so that the one who logs is slowed."""
        self._lines.append((next(self._line_number), run_id, attempt, at, level, logger, message))
        self._line_bytes += len(message)
        if len(self._lines) >= FULL or self._line_bytes >= FULL_BYTES:
            self.flush()
        else:
            self._call(is_urgent=False)

    def close(self) -> None:
        """Send the rest and end the background thread."""
        try:
            with self._flush_lock:
                self._announce(list(self._later))
            self.flush()
        finally:
            self._closed = True
            self._urgent.set()
            self._wake.set()
            self.transport.hang_up(self.root_id)

    def give_up(self) -> None:
        """Ask who keeps the record to end the run as crashed, since nothing more of it can be recorded from here.

        Raises:
            UnavailableError: that could not be written either; try again later.
        """
        evidence = f"what happened could not be recorded: {self._problem.message if self._problem else 'unknown'}"
        self.transport.abandon(self.root_id, self._fence, Cause("agent_bug", evidence))

    def check(self) -> None:
        """Raise why nothing more can be recorded, if so."""
        if self._problem is not None:
            raise self._problem_to_raise()

    @property
    def problem(self) -> StellwerkError | None:
        """Tell why nothing more can be recorded, if so."""
        return self._problem

    def _send(self) -> None:
        # Called under the flush lock. Sending the same batch again is safe.
        if self._lost is not None and self._problem is None:
            self._give_up(self._lost)
        self.check()
        if self._under_way is None:
            self._gather()
        if self._under_way is None:
            return
        batch, entries = self._under_way
        if batch.messages or batch.opening is not None:
            try:
                ack = self._deliver(batch)
            except Unanswered as problem:
                self._stalled = str(problem)
                raise
            except RecursionError:
                raise  # the user's stack is full; what is under way is sent again further down
            except StellwerkError as problem:
                self._give_up(problem)
                raise
            except Exception as problem:
                error = InternalError(f"What happened could not be recorded: {type(problem).__name__}: {problem}.")
                self._give_up(error)
                raise error from problem
            if ack.code:
                kind = StaleFence if ack.code == "stale_fence" else InternalError
                self._give_up(kind(ack.reason, hint=LOST_HINT))
                raise self._problem_to_raise()
            self._seq = batch.seq
            self._opening = None
        self._note(entries)
        self._under_way = None
        self._stalled = ""
        self._sent_at = time.monotonic()

    def _note(self, entries: list[_Entry]) -> None:
        for entry in entries:
            if entry.ticket is not None:
                entry.ticket.is_done = True
        self._due.extend([entry.callback for entry in entries if entry.callback is not None])

    def _deliver(self, batch: Batch) -> Ack:
        patient_until = 0.0
        while True:
            # What the transport logs belongs to no run: recording it would need the very lock that is held here.
            token = current.set(None)
            try:
                ack = self.transport.send(batch)
            except UnavailableError as problem:
                # A database that restarts comes back; a full disk does not by itself.
                if not problem.facts.get("is_passing"):
                    raise
                if not patient_until:
                    patient_until = time.monotonic() + self._patience_seconds
                    progress.write(f"{problem.message} Trying again for {self._patience_seconds:g} s.")
                if time.monotonic() >= patient_until:
                    raise
                with exposed:
                    time.sleep(RESEND_SECONDS)
                continue
            finally:
                current.reset(token)
            if patient_until:
                progress.write("The database is back; nothing was lost.")
            return ack

    def _gather(self) -> None:
        # Called under the flush lock: only here is anything taken from the inbox.
        if self._later:
            self._announce(self._old())
        take = itertools.starmap(self._inbox.popleft, itertools.repeat((), len(self._inbox)))
        self._draft.extend(take)
        take_lines = itertools.starmap(self._lines.popleft, itertools.repeat((), len(self._lines)))
        self._drafted_lines.extend(take_lines)
        lines = self._drafted_lines
        later_lines: list[Line] = []
        if self._line_bytes > FULL_BYTES:
            lines, later_lines = _cut_lines(lines)
        draft = self._draft
        later: list[_Entry | Submitted] = []
        if later_lines or self._bytes + self._line_bytes > FULL_BYTES:
            draft, later = self._cut_draft(lines, bool(later_lines))
        messages: list[Message] = []
        entries: list[_Entry] = []
        opened = dict(self._open)
        for entry in draft:
            if isinstance(entry, Submitted):
                self._check_in(entry, messages, opened)
            else:
                for message in entry.messages:
                    self._check_in(message, messages, opened)
                entries.append(entry)
        if lines:
            messages.append(Logged(lines))
        if not messages and not entries and self._opening is None:
            return
        if self._opening is not None and not any(
            isinstance(message, Submitted) and message.run_id == self.root_id for message in messages
        ):
            # Without the root run itself there is nothing to own: a run that could not be submitted leaves no lease.
            for held in self._draft:
                if isinstance(held, _Entry) and held.ticket is not None:
                    held.ticket.is_done = True
            return
        batch = Batch(self.root_id, self._fence, self._seq + 1, messages, self._opening)
        self._under_way, self._draft, self._drafted_lines, self._open = (batch, entries), later, later_lines, opened
        self._bytes = sum(map(_weigh_entry, later))
        self._line_bytes = sum(len(line[-1]) for line in later_lines)

    def _cut_draft(
        self, lines: list[Line], is_more_logged: bool
    ) -> tuple[list[_Entry | Submitted], list[_Entry | Submitted]]:
        """Cut off what is too much for one batch; the end of the root run goes behind all that was logged."""
        size = sum(len(line[-1]) for line in lines)
        for place, entry in enumerate(self._draft):
            size += _weigh_entry(entry)
            if (size > FULL_BYTES and (place or lines)) or (is_more_logged and self._ends_root(entry)):
                return self._draft[:place], self._draft[place:]
        return self._draft, []

    def _ends_root(self, entry: _Entry | Submitted) -> bool:
        return not isinstance(entry, Submitted) and any(
            isinstance(message, Ended) and message.run_id == self.root_id and message.then != "retried"
            for message in entry.messages
        )

    def _check_in(self, message: Message, messages: list[Message], opened: dict[bytes, int]) -> None:
        # A thread that is stopped between two steps may leave a run untold or unended. What is said of a run that was
        # never submitted is dropped, and what is open when the root run ends is ended with it: one lost thread must not
        # make the record of all others refused.
        if isinstance(message, Submitted):
            opened[message.run_id] = 0
        elif not isinstance(message, (Sourced, Logged)):
            run_id = message.run_id
            if run_id not in opened:
                return
            if isinstance(message, Began):
                opened[run_id] = message.attempt
            elif isinstance(message, Ended):
                if message.then == "retried":
                    opened[run_id] = 0
                else:
                    del opened[run_id]
                    if run_id == self.root_id:
                        _end_the_rest(message.at, messages, opened)
        messages.append(message)

    def _announce(self, run_ids: list[bytes]) -> None:
        # Whoever takes the message out of `_later` sends it; the run's next message comes behind it either way.
        taken = map(self._later.pop, run_ids, itertools.repeat(None))
        self._draft.extend(filter(None, taken))

    def _old(self) -> list[bytes]:
        if len(self._later) >= ANNOUNCE_FULL:
            return list(self._later)
        limit = now() - int(ANNOUNCE_SECONDS * 1_000_000)
        # In the order in which they came, so the first that is young ends the search.
        waiting = list(self._later.values())
        return [message.run_id for message in itertools.takewhile(lambda message: message.at < limit, waiting)]

    def _give_up(self, problem: StellwerkError) -> None:
        self._problem = problem
        entries = list(self._under_way[1]) if self._under_way is not None else []
        entries += [entry for entry in (*self._draft, *self._inbox) if not isinstance(entry, Submitted)]
        self._due.extend([entry.callback for entry in entries if entry.callback is not None])
        self._urgent.set()
        self._wake.set()

    def _run_left_over(self) -> None:
        # Added by a thread that had looked for a problem just before there was one.
        while self._inbox:
            try:
                entry = self._inbox.popleft()
            except IndexError:  # another thread was faster
                return
            if entry.callback is not None:
                entry.callback()

    def _problem_to_raise(self) -> BaseException:
        problem = self._problem
        if isinstance(problem, StaleFence):
            return Abandoned(str(problem))
        assert problem is not None
        return problem

    def _start(self) -> None:
        with self._start_lock:
            if self._thread is not None or self._closed:
                return
            self._thread = threading.Thread(target=self._work, name="stellwerk-writer", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._closed:
            # Asleep until there is something; then a moment for more to come along, unless somebody waits for it.
            self._wake.wait(ANNOUNCE_SECONDS / 4 if self._later else None)
            is_urgent = self._urgent.wait(LINGER_SECONDS)
            if not is_urgent and time.monotonic() - self._sent_at < LINGER_SECONDS and not self._closed:
                continue  # others send all the time; this thread would only be in their way
            self._urgent.clear()
            self._wake.clear()
            if not self._has_work():
                continue
            try:
                self.flush()
            except (StellwerkError, Abandoned):
                # Kept in `problem` for whoever waits next; those who wait for a callback look there.
                pass
            if self._problem is not None:
                self._run_callbacks()
                if isinstance(self._problem, StaleFence) and self.on_lost is not None and not self._closed:
                    self.on_lost(str(self._problem))
                return

    def _has_work(self) -> bool:
        if self._problem is not None or self._lost is not None:
            return True
        if self._inbox or self._lines or self._draft or self._under_way or self._due:
            return True
        return bool(self._later and self._old())

    def _run_callbacks(self) -> None:
        while self._due:
            try:
                callback = self._due.popleft()
            except IndexError:  # another thread was faster
                return
            callback()


def _end_the_rest(at: int, messages: list[Message], opened: dict[bytes, int]) -> None:
    cause = Cause("agent_bug", "how it ended could not be recorded")
    for run_id, attempt in reversed(opened.items()):
        messages.append(Ended(run_id, at, "crashed", attempt, "lost" if attempt else "", cause=cause))
    opened.clear()


def _weigh(message: Message) -> int:
    """Estimate the bytes of a message."""
    if isinstance(message, Ended):
        size = 200
        if message.error is not None:
            size += len(message.error.traceback) + len(message.error.message)
        return size + len(message.result.data or b"") if message.result is not None else size
    if isinstance(message, Submitted):
        return 300 + len(message.parameters) + 16 * len(message.upstream)
    if isinstance(message, Yielded):
        return 100 + len(message.result.data or b"")
    return 100 + len(message.text) if isinstance(message, Sourced) else 100


def _weigh_entry(entry: _Entry | Submitted) -> int:
    return _weigh(entry) if isinstance(entry, Submitted) else sum(map(_weigh, entry.messages))


def _cut_lines(lines: list[Line]) -> tuple[list[Line], list[Line]]:
    size = 0
    for place, line in enumerate(lines):
        size += len(line[-1])
        if size > FULL_BYTES and place:
            return lines[:place], lines[place:]
    return lines, []


def now() -> int:
    """Give the time in microseconds since the Unix epoch, UTC."""
    return time.time_ns() // 1000
