"""The transport to a server: batches, renewals and commands over the line, blobs by HTTP."""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from stellwerk.client.http import Answer, Http
from stellwerk.client.line import LONGEST_SECONDS, SHORTEST_SECONDS, Line
from stellwerk.client.question import Question
from stellwerk.client.road import Remote
from stellwerk.client.translate import away, unreachable
from stellwerk.client.transport import Unanswered
from stellwerk.errors import ResultError, StellwerkError, UnavailableError
from stellwerk.model.identity import to_text
from stellwerk.model.messages import Ack, Batch, Holder
from stellwerk.model.states import Cause
from stellwerk.model.wire import Abandon, Acked, Renew, Renewed, Send, Stop

__all__ = ["RemoteTransport"]

T = TypeVar("T")

TURN_SECONDS = 1.0  # for which `send` waits for an answer before it lets its caller look round
SHORT_SECONDS = 3.0  # for what is not waited for without limit: renewals, and giving runs up
LOOK_SECONDS = 0.05
SILENT_SECONDS = 2.0  # after which a server that does not answer the first connection is spoken of
ROAD_SECONDS = 0.5  # between two looks for another road meanwhile
BYTES = "application/octet-stream"
BYTES_PER_SECOND = 1 << 20  # that a slow network carries at least


class RemoteTransport:
    """Be the transport of runs that report to a server: see `Transport`.

    Args:
        remote: the road to it.
        version: ours.
        holder: the process whose runs are told of; None for who tells of none.
        say: tells the user a line.
        exposed: lets signals through while it is entered; for waits.
    """

    def __init__(
        self,
        remote: Remote,
        version: str,
        holder: Holder | None,
        say: Callable[[str], None],
        exposed: AbstractContextManager[object],
    ) -> None:
        self.remote = remote
        self.line = Line(remote, version, holder, say, self._stop)
        self._http = Http(remote)
        self._say = say
        self._exposed = exposed
        self._sent: dict[tuple[bytes, int], tuple[int, Question]] = {}
        self._listeners: dict[bytes, Callable[[int, str], None]] = {}

    @property
    def local_database_id(self) -> str:
        """Name the database of this user's own server: see `Transport.local_database_id`."""
        return self.line.database_id if self.remote.home is not None else ""

    def open(self, patience_seconds: float, is_moot: Callable[[], bool] = bool) -> bool:
        """See that the server has let us in once.

        Args:
            patience_seconds: how long it may be unreachable.
            is_moot: asked while it is; whether there is another road by now.

        Returns: False when it was not reached, and is not needed any more.

        Raises:
            UnavailableError: it was unreachable for so long.
            ConfigError: what answers is not a Stellwerk server, or one of another version.
            Unauthenticated: it does not know our token.
        """
        line = self.line
        if line.has_been:
            return True
        line.wake()
        began = time.monotonic()
        is_told, looked_at = False, 0.0
        while not line.welcomed.wait(LOOK_SECONDS):
            now, trouble = time.monotonic(), line.outage.trouble
            if trouble is None and now - began >= min(SILENT_SECONDS, patience_seconds):
                trouble = unreachable(self.remote.url, "no answer yet")
            if trouble is None:
                continue
            if not isinstance(trouble, UnavailableError):
                raise _again(trouble)
            if now - looked_at >= ROAD_SECONDS:
                looked_at = now
                if is_moot():
                    return False
            if now - began >= patience_seconds:
                raise _again(trouble)
            if not is_told:
                is_told = True
                self._say(f"{trouble.message.removesuffix('.')}; trying for {patience_seconds:g} s.")
        return True

    def send(self, batch: Batch) -> Ack:
        """Send a batch: see `Transport.send`. Sending one again that is under way waits for the same answer."""
        key = batch.root_id, batch.fence
        seq, question = self._sent.get(key, (0, None))
        if question is None or seq != batch.seq:
            question = self.line.ask(lambda n: Send(n, batch))
            self._sent[key] = batch.seq, question
        if not question.wait(TURN_SECONDS):
            self.line.wake()  # if its thread has died of a mistake of ours, another one asks again
            raise Unanswered(self._why())
        self._sent.pop(key, None)
        if question.error is not None:
            raise _again(question.error)
        assert isinstance(question.answer, Acked)
        return question.answer.ack

    def _why(self) -> str:
        trouble = self.line.outage.trouble
        return trouble.message if trouble is not None else f"The server {self.remote.url} has not answered yet."

    def abandon(self, root_id: bytes, fence: int, cause: Cause) -> None:
        """End a root run as crashed: see `Transport.abandon`."""
        if not self.line.is_connected:
            raise away(self.remote.url, "a run can't be given up there")
        self._ask_shortly(self.line.ask(lambda n: Abandon(n, root_id, fence, cause)))

    def renew(self, holder: Holder) -> int:
        """Renew the leases of a process: see `Transport.renew`."""
        answer = self._ask_shortly(self.line.ask(lambda n: Renew(n, holder)))
        assert isinstance(answer, Renewed)
        return answer.held

    def _ask_shortly(self, question: Question) -> object:
        try:
            if not question.wait(SHORT_SECONDS):
                raise away(self.remote.url, "no answer in time")
        finally:
            question.is_dropped = True
        if question.error is not None:
            raise _again(question.error)
        return question.answer

    def put_blob(self, digest: bytes, data: bytes) -> None:
        """Store bytes: see `Transport.put_blob`. Waits for a server that is away."""
        target, patience = f"/api/blobs/{digest.hex()}", len(data) / BYTES_PER_SECOND
        self._patiently(lambda: self._http.ask("PUT", target, data, BYTES, patience))

    def get_blob(self, run_id: bytes, digest: bytes) -> bytes:
        """Fetch bytes: see `Transport.get_blob`. Waits for a server that is away."""
        target = f"/api/runs/{to_text(run_id)}/blobs/{digest.hex()}"
        answer: Answer = self._patiently(lambda: self._http.ask("GET", target))
        if hashlib.blake2b(answer.body, digest_size=32).digest() != digest:
            raise ResultError(
                f"The result {digest.hex()[:16]}… came from {self.remote.url} with other bytes than its hash says.",
                hint="Something on the way changes what it carries; fetch it again, or run the task again.",
            )
        return answer.body

    def _patiently(self, ask: Callable[[], T]) -> T:
        began, delay = 0.0, SHORTEST_SECONDS
        while True:
            try:
                answer = ask()
            except UnavailableError as problem:
                if not problem.facts.get("is_passing"):
                    raise
                began = began or time.monotonic()
                self.line.outage.tell_of(problem, began)
            else:
                if began:
                    self.line.outage.end()
                return answer
            with self._exposed:  # not in the handler above: a signal that ends the wait is no consequence of the outage
                time.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(LONGEST_SECONDS, 2 * delay)

    def listen(self, root_id: bytes, stopped: Callable[[int, str], None]) -> None:
        """Be told of commands to stop a root run: see `Transport.listen`."""
        self._listeners[root_id] = stopped

    def hang_up(self, root_id: bytes) -> None:
        """Be told no more: see `Transport.hang_up`."""
        self._listeners.pop(root_id, None)
        for key in [key for key in list(self._sent) if key[0] == root_id]:
            self._sent.pop(key, None)

    def _stop(self, command: Stop) -> None:
        stopped = self._listeners.get(command.root_id)
        if stopped is not None:
            stopped(command.fence, command.reason)

    def page_url(self, run_id: bytes) -> str:
        """Give the address of a run's page: see `Transport.page_url`."""
        return f"{self.remote.url}/runs/{to_text(run_id)}"

    def close(self) -> None:
        """End the connections."""
        if self.line.pid == os.getpid():
            self.line.close()
            self._http.close()


def _again(problem: StellwerkError) -> StellwerkError:
    """Copy an exception, which several threads may raise, so that each has a traceback of its own."""
    return type(problem)(problem.message, hint=problem.hint, **problem.facts)
