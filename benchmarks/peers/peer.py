"""What a peer is."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol


@dataclass
class Measured:
    """Hold what a peer did in a case: values in the case's unit until all was recorded, and until its call returned."""

    samples: list[float]
    version: str
    what: str
    returned: list[float] = field(default_factory=list)


class Peer(Protocol):
    """Do a case's work on another engine."""

    name: str

    def measure(self, case: str) -> Measured | None:
        """Measure a case; None where the peer has no such workload.

        Raises:
            Wrong: it did not do what it should.
        """

    def __enter__(self) -> Peer: ...
    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None: ...
