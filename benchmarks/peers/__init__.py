"""The peers: the same work on other people's engines, measured in the same call.

A peer is a context manager; whatever it needs (a server) it starts when asked and stops when it is done. No file in
this folder may be named like a package that a workload imports: a script's own folder comes first on its path.
"""

from __future__ import annotations

from collections.abc import Callable

from peers.peer import Measured, Peer
from peers.prefect_driver import Prefect

__all__ = ["PEERS", "Measured", "Peer"]

PEERS: dict[str, Callable[[str], Peer]] = {"prefect": Prefect}
