"""The transport port: one duplex line to whoever applies batches. Filled by assemble."""

from __future__ import annotations

from typing import Protocol

from stellwerk.errors import ResultError
from stellwerk.model.messages import Ack, Batch, Holder
from stellwerk.model.states import Cause


class Transport(Protocol):
    """Carry batches up and blobs both ways. In-process it is a call; to a server it will be a channel."""

    def send(self, batch: Batch) -> Ack:
        """Send a batch and wait until it is committed or refused.

        Raises:
            UnavailableError: it was not committed; sending it again is safe.
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


class Nowhere:
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
