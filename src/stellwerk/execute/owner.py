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
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from stellwerk.client.transport import Transport
from stellwerk.errors import Abandoned, InternalError, StaleFence, StellwerkError, UnavailableError
from stellwerk.execute import progress
from stellwerk.execute.signals import exposed, shield
from stellwerk.model.messages import Ack, Batch, Began, Ended, Logged, Message, Opening, Sourced, Submitted
from stellwerk.model.states import Cause
from stellwerk.sdk.context import current

LINGER_SECONDS = 0.02
ANNOUNCE_SECONDS = 1.0
RESEND_SECONDS = 0.2
ANNOUNCE_FULL = 50_000  # waiting calls at which all are announced, so that memory stays bounded
FULL = 5_000  # entries, or log lines, at which the one who adds must send
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

    def put(self, message: Message | None, callback: Callable[[], None] | None = None) -> None:
        """Add a message that is sent soon, without ever waiting; `relieve` is to follow.

        Args:
            message: None adds nothing but the callback.
            callback: runs after the commit of this message and all before it, on the thread that committed it.

        Raises:
            StellwerkError, Abandoned: nothing can be recorded any more.
        """
        self.check()
        self._inbox.append(_Entry(() if message is None else self._announced(message), callback))
        if self._problem is not None:
            self._run_left_over()
        self._call(is_urgent=callback is not None)

    def relieve(self) -> None:
        """Send what has gathered if it is too much: the one who adds is slowed, nothing is dropped."""
        if len(self._inbox) >= FULL:
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
            with self._flush_lock:
                while not ticket.is_done:
                    self._send()
            self._run_callbacks()

    def _announced(self, message: Message) -> tuple[Message, ...]:
        if self._later and not isinstance(message, (Sourced, Logged)):
            first = self._later.pop(message.run_id, None)
            if first is not None:
                return first, message
        return (message,)

    def log(self, run_id: bytes, attempt: int, at: int, level: int, logger: str, message: str) -> None:
        """Add a log line; when too many wait, send them first, so that the one who logs is slowed."""
        self._lines.append((next(self._line_number), run_id, attempt, at, level, logger, message))
        if len(self._lines) >= FULL:
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
        self.check()
        if self._under_way is None:
            self._gather()
        if self._under_way is None:
            return
        batch, entries = self._under_way
        if batch.messages or batch.opening is not None:
            try:
                ack = self._deliver(batch)
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
                self._give_up(kind(ack.reason, hint="Another process took this run over, or closed it."))
                raise self._problem_to_raise()
            self._seq = batch.seq
            self._opening = None
        self._note(entries)
        self._under_way = None
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
        draft, lines = self._draft, self._drafted_lines
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
            for held in entries:
                if held.ticket is not None:
                    held.ticket.is_done = True
            return
        batch = Batch(self.root_id, self._fence, self._seq + 1, messages, self._opening)
        self._under_way, self._draft, self._drafted_lines, self._open = (batch, entries), [], [], opened

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
                return

    def _has_work(self) -> bool:
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


def now() -> int:
    """Give the time in microseconds since the Unix epoch, UTC."""
    return time.time_ns() // 1000
