"""The transport port: one duplex line to whoever applies batches. Filled by assemble."""

from __future__ import annotations

from typing import Protocol

from stellwerk.model.messages import Ack, Batch, Holder


class Transport(Protocol):
    """Carry batches up and blobs both ways. In-process it is a call; to a server it will be a channel."""

    def send(self, batch: Batch) -> Ack:
        """Send a batch and wait until it is committed or refused.

        Raises:
            UnavailableError: it was not committed; sending it again is safe.
        """

    def renew(self, holder: Holder) -> int:
        """Renew the leases of a process; return how many it holds."""

    def put_blob(self, digest: bytes, data: bytes) -> None:
        """Store bytes under their BLAKE2b-256 digest. Idempotent."""

    def get_blob(self, digest: bytes) -> bytes:
        """Fetch bytes by their digest.

        Raises:
            ResultError: they are missing, or no longer match the digest.
        """
