"""The transport port: one duplex line to whoever applies batches. Filled by assemble."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from stellwerk.errors import ResultError
from stellwerk.model.messages import Ack, Batch, Holder
from stellwerk.model.states import Cause


class Unanswered(Exception):
    """Say that a batch is on its way to a server and not answered yet: send the same one again to wait on.

    Whoever waits can look round meanwhile: for signals, and for others who wait.
    """


class Transport(Protocol):
    """Carry batches up, and commands down, and blobs both ways. In-process it is a call; to a server it is a line."""

    @property
    def local_database_id(self) -> str:
        """Name the database of this user's own server, where that is at the other end; else it is empty."""

    def send(self, batch: Batch) -> Ack:
        """Send a batch and wait until it is committed or refused.

        Raises:
            UnavailableError: it was not committed; sending it again is safe.
            Unanswered: nothing is known yet, from a remote one.
        """

    def abandon(self, root_id: bytes, fence: int, cause: Cause) -> None:
        """End a root run as crashed, for an owner that can't report any more. Idempotent: by (root run, fence).

        Raises:
            UnavailableError: it was not committed; try again later.
        """

    def renew(self, holder: Holder) -> int:
        """Renew the leases of a process; return how many it holds."""

    def put_blob(self, digest: bytes, data: bytes) -> None:
        """Store bytes under their BLAKE2b-256 digest. Idempotent."""

    def get_blob(self, run_id: bytes, digest: bytes) -> bytes:
        """Fetch bytes by their digest, through a run that references them: as its result, an item or its arguments.

        Raises:
            NotFound: there is no such run, or it does not reference them.
            ResultError: they are missing, or no longer match the digest.
        """

    def listen(self, root_id: bytes, stopped: Callable[[int, str], None]) -> None:
        """Be told, by `stopped(fence, reason)`, when somebody else has ended a root run or taken it over.

        It is called on a thread that must not be kept waiting.
        """

    def hang_up(self, root_id: bytes) -> None:
        """Be told nothing more of a root run. Idempotent."""

    def page_url(self, run_id: bytes) -> str:
        """Give the address at which a person sees a run; empty where there is no server."""


class Unwatched:
    """Be the part of a transport without a server: nobody is there who could stop a run, or show it."""

    local_database_id = ""

    def listen(self, root_id: bytes, stopped: Callable[[int, str], None]) -> None:
        """Do nothing."""

    def hang_up(self, root_id: bytes) -> None:
        """Do nothing."""

    def page_url(self, run_id: bytes) -> str:
        """Name no page."""
        return ""


class Nowhere(Unwatched):
    """Be the transport of runs that are not recorded: everything is acknowledged and nothing is kept."""

    def send(self, batch: Batch) -> Ack:
        """Acknowledge a batch."""
        return Ack(batch.seq)

    def abandon(self, root_id: bytes, fence: int, cause: Cause) -> None:
        """Do nothing."""

    def renew(self, holder: Holder) -> int:
        """Hold no lease."""
        return 0

    def put_blob(self, digest: bytes, data: bytes) -> None:
        """Keep nothing."""

    def get_blob(self, run_id: bytes, digest: bytes) -> bytes:
        """Find nothing.

        Raises:
            ResultError: always.
        """
        raise ResultError("Nothing is recorded here.", hint="Set STELLWERK_RECORDING=on to keep results.")
