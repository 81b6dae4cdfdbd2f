"""What the engine keeps for a run in hand: `Scope` for what its owner shares, `Frame` for one run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from stellwerk.client.transport import Transport
from stellwerk.config import Config
from stellwerk.errors import RunCancelled, RunCrashed
from stellwerk.execute.code import code_hash, code_of
from stellwerk.execute.owner import Owner, now
from stellwerk.execute.results import Unrecordable, clean, record
from stellwerk.execute.signals import spare_thread, stop_thread, wake_main_thread
from stellwerk.execute.threads import Pool
from stellwerk.execute.timer import Timer
from stellwerk.execute.upstream import fill_value
from stellwerk.model.messages import Ended, Result, Sourced
from stellwerk.model.states import Cause, State
from stellwerk.sdk import fingerprint
from stellwerk.sdk.context import RunContext
from stellwerk.sdk.definition import Definition
from stellwerk.sdk.futures import Future

timer = Timer()


class Frame(RunContext):
    """Hold one run in hand: what users may see of it, and what the engine keeps for it."""

    __slots__ = (
        "attempt_running",
        "calls",
        "closed",
        "failed",
        "future",
        "is_stopping",
        "lock",
        "loop",
        "memo",
        "names",
        "opened",
        "pending",
        "pool",
        "print_logs",
        "scope",
        "thread",
    )

    def __init__(
        self,
        scope: Scope,
        kind: str,
        run_id: bytes,
        name: str,
        flow_name: str,
        task_name: str,
        parameters: Mapping[str, Any],
        tags: tuple[str, ...],
        parent: Frame | None,
    ) -> None:
        self.scope = scope
        self.kind = kind
        self.run_id_bytes = run_id
        self.name = name
        self.flow_name = flow_name
        self.task_name = task_name
        self.parameters = parameters
        self.tags = tags
        self.parent = parent
        self.attempt = 0
        # Guards attempt, attempt_running, closed and thread, and the order of the messages that tell of them.
        self.lock = threading.Lock()
        self.attempt_running = False
        self.closed = False
        self.is_stopping = False
        self.future: Future[Any] | None = None
        self.thread = 0  # ident of the thread its body runs in; 0 while it does not
        self.print_logs: bool = parent.print_logs if parent is not None else scope.config.log_prints
        self.pool: Pool | None = parent.pool if parent is not None else None
        self.loop: Any = parent.loop if parent is not None else None
        self.calls: dict[bytes, int] = {}
        self.names: dict[str, int] = {}
        self.memo: dict[tuple[bytes, int], Any] | None = None
        self.pending: set[Future[Any]] = set()
        self.opened: set[Frame] | None = None  # generators that it called and that have not ended
        self.failed: list[Future[Any]] = []

    def enter_body(self) -> int:
        """Note that the run's body runs in this thread from now on; return the thread."""
        me = threading.get_ident()
        with self.lock:
            self.thread = me
        return me

    def leave_body(self, me: int) -> None:
        """Note that the body has left this thread, which then must not be stopped any more."""
        with self.lock:
            if self.thread == me:
                self.thread = 0
                if self.is_stopping:
                    self.is_stopping = False
                    spare_thread(me)

    def stop_body(self) -> None:
        """Ask the body to stop, if it runs in another thread; called under the lock, so that it still does."""
        if self.thread and self.thread != threading.get_ident():
            self.is_stopping = True
            stop_thread(self.thread)

    def count_name(self, name: str) -> int:
        """Number the calls of one task within this run, from 0."""
        number = self.names.get(name, 0)
        self.names[name] = number + 1
        return number

    def count_key(self, key: bytes) -> int:
        """Number equal calls within this run, in call order, from 0."""
        number = self.calls.get(key, 0)
        self.calls[key] = number + 1
        return number

    def add(self, future: Future[Any]) -> None:
        """Take care of a submitted call: the run ends only after it, and fails with it unless somebody handles that."""
        self.pending.add(future)
        future.add_done_callback(self._ended)

    def _ended(self, future: Future[Any]) -> None:
        if future.outcome()[0] in ("failed", "crashed", "cancelled"):
            self.failed.append(future)
        self.pending.discard(future)

    def join(self, value: Any) -> Any:
        """Wait for all that the run submitted, and return its value with values in the place of futures.

        Raises:
            BaseException: the exception of a submitted call that failed and that nobody handled.
        """
        while self.pending:
            for future in list(self.pending):
                future.wait()
        return self.judge(value)

    def judge(self, value: Any) -> Any:
        """Do what `join` does once nothing is pending any more."""
        failed = self.unhandled() if self.failed else None
        if failed is not None:
            failed.result()
        return fill_value(value)

    def unhandled(self) -> Future[Any] | None:
        """Find the first submitted call that failed and that nobody handled."""
        failed = [future for future in self.failed if not future.handled]
        # A failure below another one explains it better than its consequence does.
        causes = [future for future in failed if (future._state and future._state.label) != "UpstreamFailed"]
        return next(iter(causes or failed), None)


class Tally:
    """Count the calls of each task by where they stand, for the progress display."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, int]] = {}

    def move(self, name: str, before: str, after: str) -> None:
        """Move one call of a task from a state to another; an empty one is none."""
        row = self.rows.get(name)
        if row is None:
            row = self.rows.setdefault(name, {})
        if before:
            row[before] = row.get(before, 0) - 1
        row[after] = row.get(after, 0) + 1


class Scope:
    """Hold what the runs of one owner share."""

    def __init__(self, owner: Owner, config: Config, durability: str, warn: Callable[[Frame, str], None]) -> None:
        self.owner = owner
        self.config = config
        self.is_relaxed = durability == "relaxed"
        self.tally = Tally()
        self.frames: dict[bytes, Frame] = {}
        self.durations: dict[str, float] = {}
        self.warned: set[str] = set()
        self.signalled = 0  # the signal that asked an async root run to stop
        self.lost = ""  # why the root run is not ours any more
        self.cancel: Callable[[], None] | None = None  # stops an async root run, from any thread
        owner.on_lost = self.abandon
        self._codes: dict[tuple[int, str | None, type | None], tuple[Any, bytes]] = {}
        self._warn = warn

    @property
    def transport(self) -> Transport:
        """Return the line to who keeps the record."""
        return self.owner.transport

    def code(self, definition: Definition, version: str | None) -> bytes:
        """Hash a definition's code once a root run, and report its source.

        Returns: 16 bytes.
        """
        fn, bound = definition.fn, definition.bound
        owner = None if not definition.is_bound else bound if isinstance(bound, type) else type(bound)
        found = self._codes.get((id(fn), version, owner))
        if found is None:
            code = code_of(fn, version=version, owner=owner)
            # The function is kept beside its hash: a freed one's id would be given to another.
            found = self._codes[id(fn), version, owner] = (fn, code.hash)
            if code.source:
                file = getattr(getattr(fn, "__code__", None), "co_filename", "")
                name = getattr(fn, "__qualname__", type(fn).__name__)
                self.owner.post(Sourced(code.hash, name, clean(code.source), clean(file)))
        return found[1]

    def record(self, frame: Frame, value: Any, persist: bool) -> Result | None:
        """Record a value; when that can't be done, warn once a task and go on."""
        if not persist:
            return None
        config = self.config
        try:
            return record(
                value,
                self.transport,
                config.inline_result_bytes,
                config.result_limit_bytes,
                config.preview_bytes,
            )
        except Unrecordable as problem:
            what = f"task {frame.task_name!r}" if frame.task_name else f"flow {frame.flow_name!r}"
            self.warn_once(
                frame,
                f"The result of {what} can't be recorded ({problem}). It runs again when its run is resumed; "
                "return something that can be pickled, or say persist_result=False.",
            )
            return None

    def warn_once(self, frame: Frame, text: str) -> None:
        """Log a warning in a run, the first time only."""
        if text not in self.warned:
            self.warned.add(text)
            self._warn(frame, text)

    def open(self, frame: Frame) -> None:
        """Remember a run in hand."""
        self.frames[frame.run_id_bytes] = frame

    def close(self, frame: Frame) -> bool:
        """Forget a run that ended; False when something else has ended it before. Called under the frame's lock."""
        if self.frames.pop(frame.run_id_bytes, None) is None:
            return False
        frame.closed = True
        return True

    def below(self, top: Frame) -> list[Frame]:
        """List the runs in hand that a run called, directly or not, the innermost first."""
        found = []
        for frame in reversed(list(self.frames.values())):
            parent = frame.parent
            while parent is not None and parent is not top:
                parent = parent.parent
            if parent is top:
                found.append(frame)
        return found

    def stop(self, frames: list[Frame], then: str, label: str, cause: Cause, problem: BaseException) -> None:
        """End runs in hand and say so in the record; their bodies are told to stop, what they still do is not kept."""
        kind = RunCancelled if then == "cancelled" else RunCrashed
        event = "stopped" if then == "cancelled" else "lost"
        for frame in frames:
            with frame.lock:
                if not self.close(frame):
                    continue
                if frame.attempt_running:
                    ended = Ended(frame.run_id_bytes, now(), then, frame.attempt, event, label, cause)
                else:
                    ended = Ended(frame.run_id_bytes, now(), then, label=label, cause=cause)
                self.owner.put(ended)
                frame.stop_body()
            if frame.future is not None:
                error = kind(f"{frame.name!r} was {then}: {cause.evidence or cause.kind}.")
                error.__cause__ = problem
                frame.future.settle(State(then, label, cause), error=error)
        self.owner.relieve()

    def abandon(self, reason: str) -> None:
        """Stop all that is in hand: it has ended in the record, and what it still does is not kept."""
        self.lost = reason
        has_stopped_main = False
        for frame in reversed(list(self.frames.values())):
            with frame.lock:
                if not self.close(frame):
                    continue
                has_stopped_main |= frame.thread == threading.main_thread().ident
                frame.stop_body()
            if frame.future is not None:
                frame.future.settle(State("crashed", "OwnerLost"), error=RunCrashed(reason))
        if self.cancel is not None:
            self.cancel()
        elif has_stopped_main:
            wake_main_thread()


fingerprint.set_code_hook(code_hash)
fingerprint.register(Definition, lambda definition: code_of(definition.fn).hash)
