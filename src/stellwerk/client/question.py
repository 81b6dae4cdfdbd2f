"""A question to a server: a request on its way, and the place of its answer."""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec

from stellwerk.errors import ConfigError, StellwerkError
from stellwerk.model.wire import Abandon, Acked, Done, Renew, Renewed, Send

__all__ = ["Asking", "Question"]

FRAME_BYTES = 60 << 20  # a frame beyond it would be refused as nonsense
Asking = Send | Renew | Abandon
_encode = msgspec.msgpack.Encoder().encode


class Question:
    """A request that is on its way; released when it is answered."""

    __slots__ = ("_lock", "again_at", "answer", "error", "frame", "is_dropped", "n")

    def __init__(self, n: int, frame: bytes) -> None:
        self.n = n
        self.frame = frame
        self.answer: Acked | Renewed | Done | None = None
        self.error: StellwerkError | None = None
        self.is_dropped = False  # nobody waits for it any more
        self.again_at = 0.0
        self._lock = threading.Lock()
        self._lock.acquire()

    @classmethod
    def make(cls, n: int, make: Callable[[int], Asking]) -> Question:
        """Encode a request under a number.

        Raises:
            ConfigError: it is larger than a frame may be.
        """
        frame = _encode(make(n))
        if len(frame) > FRAME_BYTES:
            raise ConfigError(
                f"{len(frame):,} bytes are to be recorded at once, and at most {FRAME_BYTES:,} can be sent.",
                hint="Return or log less at once; large results go to the blob store.",
            )
        return cls(n, frame)

    def wait(self, seconds: float) -> bool:
        """Wait for the answer; whether it is there."""
        if self.is_settled:
            return True
        if self._lock.acquire(timeout=max(0.0, seconds)):
            self._lock.release()  # for others who wait
        return self.is_settled

    @property
    def is_settled(self) -> bool:
        """Say whether it is answered."""
        return self.answer is not None or self.error is not None

    def settle(self, answer: Acked | Renewed | Done | None, error: StellwerkError | None = None) -> None:
        """Answer it. The line does this, once."""
        self.answer = answer
        self.error = error
        self._lock.release()
