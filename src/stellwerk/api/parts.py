"""What the doors of a server open into: filled by assemble, read by every door."""

from __future__ import annotations

from typing import Protocol

import msgspec

from stellwerk.config import Config
from stellwerk.engine.intake import Intake
from stellwerk.engine.watch import Watch
from stellwerk.store.port import Store


class Blobs(Protocol):
    """Keep bytes under their BLAKE2b-256 digest."""

    def put(self, digest: bytes, data: bytes) -> None:
        """Store bytes. Idempotent."""

    def get(self, digest: bytes) -> bytes:
        """Fetch bytes.

        Raises:
            ResultError: they are missing, or no longer match the digest.
        """


class Parts(msgspec.Struct, frozen=True):
    """Hold what one server process is made of.

    `server_id` is new at each start. `secret` is the one of `server.json`, by which processes of the same user get in;
    `page_key` signs the tokens of pages and is the database's, so that they outlive a server.
    """

    config: Config
    store: Store
    blobs: Blobs
    intake: Intake
    watch: Watch
    server_id: str
    secret: str
    page_key: bytes
    host: str
    port: int
    started_at: int
