"""The owner: reports what happens in this process's runs, in order, and knows when it is committed.

Theory of operation: messages gather in a buffer. Whoever needs one committed becomes the writer: it takes the flush
lock, sends everything gathered as the next batch, and by the time the next waiter gets the lock its own message has
usually gone along (group commit without a hand-off to another thread). Messages nobody waits for (a beginning, a log
line, a completion with a callback) are sent by a background thread within `LINGER_SECONDS`. When the buffer is full,
the one who adds to it sends it: work is slowed, nothing is dropped. A call that waits for a free thread is announced
together with its beginning, or after `ANNOUNCE_SECONDS`, whichever is earlier, so that most runs are written once.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable

from stellwerk.client.transport import Transport
from stellwerk.errors import Abandoned, InternalError, StaleFence, StellwerkError, UnavailableError
from stellwerk.execute import progress
from stellwerk.execute.signals import exposed, shield
from stellwerk.model.messages import Ack, Batch, Logged, Message, Opening, Sourced, Submitted

LINGER_SECONDS = 0.02
ANNOUNCE_SECONDS = 0.5
RESEND_SECONDS = 0.2
ANNOUNCE_FULL = 50_000  # waiting calls at which all are announced, so that memory stays bounded
FULL = 5_000  # messages, or log lines, at which the one who adds must send
Line = tuple[int, bytes, int, int, int, str, str]


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
        self._messages: list[Message] = []
        self._callbacks: list[Callable[[], None]] = []
        self._due: deque[Callable[[], None]] = deque()
        self._under_way: tuple[Batch, list[Callable[[], None]], int] | None = None
        self._lines: list[Line] = []
        self._later: dict[bytes, Submitted] = {}
        self._line_number = 0
        self._added = 0
        self._committed = 0
        self._add_lock = threading.Lock()
        self._flush_lock = threading.Lock()
        self._wake = threading.Event()
        self._closed = False
        self._problem: StellwerkError | None = None
        self._thread: threading.Thread | None = None

    def post(self, message: Message, callback: Callable[[], None] | None = None) -> int:
        """Add a message that is sent soon; `callback` runs after its commit, on the thread that committed it.

        Returns: a ticket for `wait`.
        """
        self.check()
        with self._add_lock:
            self._add(message)
            if callback is not None:
                self._callbacks.append(callback)
            self._added = ticket = self._added + 1
        if callback is not None:
            self._wake.set()
        if self._thread is None:
            self._start()
        if len(self._messages) >= FULL:
            self.flush()
        return ticket

    def announce(self, message: Submitted) -> None:
        """Add a run that waits for a thread: it is sent with its next message, or a little later."""
        self.check()
        with self._add_lock:
            self._later[message.run_id] = message
            if len(self._later) >= ANNOUNCE_FULL:
                self._announce_all()
        if self._thread is None:
            self._start()

    def _add(self, message: Message) -> None:
        if self._later and not isinstance(message, (Sourced, Logged)):
            first = self._later.pop(message.run_id, None)
            if first is not None:
                self._messages.append(first)
                self._added += 1
        self._messages.append(message)

    def _announce_all(self) -> None:
        self._messages.extend(self._later.values())
        self._added += len(self._later)
        self._later.clear()

    def commit(self, *messages: Message) -> None:
        """Add messages and return when they are committed.

        Raises:
            UnavailableError: they could not be written.
            Abandoned: the run is no longer ours; the caller must stop.
        """
        with shield:
            with self._add_lock:
                for message in messages:
                    self._add(message)
                self._added = ticket = self._added + len(messages)
            self._flush_until(ticket)

    def log(self, run_id: bytes, attempt: int, at: int, level: int, logger: str, message: str) -> None:
        """Add a log line; when too many wait, send them first, so that the one who logs is slowed."""
        with self._add_lock:
            self._line_number += 1
            self._lines.append((self._line_number, run_id, attempt, at, level, logger, message))
            full = len(self._lines) >= FULL
        if full:
            self.flush()
        elif self._thread is None:
            self._start()

    def flush(self) -> None:
        """Send all that has gathered and wait for its commit."""
        with shield:
            self._flush_until(self._added, force=True)

    def close(self) -> None:
        """Send the rest and end the background thread."""
        try:
            with self._add_lock:
                self._announce_all()
            self.flush()
        finally:
            self._closed = True
            self._wake.set()

    def check(self) -> None:
        """Raise why nothing more can be recorded, if so."""
        if self._problem is not None:
            raise self._problem_to_raise()

    @property
    def problem(self) -> StellwerkError | None:
        """Tell why nothing more can be recorded, if so."""
        return self._problem

    def _flush_until(self, ticket: int, force: bool = False) -> None:
        with self._flush_lock:
            while force or self._committed < ticket:
                force = False
                self._send()
        self._run_callbacks()

    def _send(self) -> None:
        # What is under way is kept until its answer is noted: a thread that is stopped here, by a time limit, must not
        # take the messages of others with it. Sending the same batch again is safe.
        self.check()
        if self._under_way is None:
            self._gather()
        if self._under_way is None:
            return
        batch, callbacks, added = self._under_way
        try:
            ack = self._deliver(batch)
        except UnavailableError as problem:
            self._give_up(problem, callbacks)
            raise
        except Exception as problem:
            error = InternalError(f"What happened could not be recorded: {type(problem).__name__}: {problem}.")
            self._give_up(error, callbacks)
            raise error from problem
        if ack.code:
            kind = StaleFence if ack.code == "stale_fence" else InternalError
            self._give_up(kind(ack.reason, hint="Another process took this run over, or closed it."), callbacks)
            raise self._problem_to_raise()
        self._seq = batch.seq
        self._opening = None
        self._committed = added
        self._due.extend(callbacks)
        self._under_way = None

    def _deliver(self, batch: Batch) -> Ack:
        patient_until = 0.0
        while True:
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
            if patient_until:
                progress.write("The database is back; nothing was lost.")
            return ack

    def _gather(self) -> None:
        with self._add_lock:
            messages, self._messages = self._messages, []
            callbacks, self._callbacks = self._callbacks, []
            lines, self._lines = self._lines, []
            added = self._added
            if lines:
                messages.append(Logged(lines))
            if messages or callbacks or self._opening is not None:
                batch = Batch(self.root_id, self._fence, self._seq + 1, messages, self._opening)
                self._under_way = (batch, callbacks, added)
            else:
                self._committed = added

    def _give_up(self, problem: StellwerkError, callbacks: list[Callable[[], None]]) -> None:
        with self._add_lock:
            self._problem = problem
            self._due.extend(callbacks + self._callbacks)
            self._callbacks = []
        self._wake.set()

    def _problem_to_raise(self) -> BaseException:
        problem = self._problem
        if isinstance(problem, StaleFence):
            return Abandoned(str(problem))
        assert problem is not None
        return problem

    def _start(self) -> None:
        with self._add_lock:
            if self._thread is not None or self._closed:
                return
            self._thread = threading.Thread(target=self._work, name="stellwerk-writer", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._closed:
            is_awake = self._wake.wait(LINGER_SECONDS)
            if self._later:
                self._announce_old()
            if not is_awake and not self._messages and not self._lines and not self._under_way and not self._due:
                continue
            self._wake.clear()
            try:
                self._flush_until(self._added, force=True)
            except (StellwerkError, Abandoned):
                # Kept in `problem` for whoever waits next; those who wait for a callback look there.
                pass
            if self._problem is not None:
                self._run_callbacks()
                return

    def _announce_old(self) -> None:
        with self._add_lock:
            oldest = next(iter(self._later.values()), None)
            if oldest is not None and oldest.at + ANNOUNCE_SECONDS * 1_000_000 < now():
                self._announce_all()

    def _run_callbacks(self) -> None:
        while self._due:
            try:
                callback = self._due.popleft()
            except IndexError:  # another thread was faster
                return
            callback()


def now() -> int:
    """Give the time in microseconds since the Unix epoch, UTC."""
    return time.time_ns() // 1000
