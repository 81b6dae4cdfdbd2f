"""Events born of time: owners that are gone.

The decision is taken on the same host at once (the process no longer exists); for owners on other hosts it needs an
observer that lives longer than a lease and is left to the server.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from stellwerk.engine.apply import crash
from stellwerk.model.messages import Holder
from stellwerk.model.states import Cause
from stellwerk.store.port import Store


class Swept(msgspec.Struct, frozen=True):
    """Tell of a run that a sweep ended."""

    run_id: bytes
    evidence: str


def sweep(store: Store, condition: Callable[[Holder], str]) -> list[Swept]:
    """End the runs whose owner on this host is gone.

    Args:
        condition: looks at a process: `alive`, `stopped`, `gone` or `elsewhere`.

    Returns: what was ended, oldest first; empty when every owner lives.

    Idempotent: by the fence of each run.
    Cost: one statement on a partial index, and a look at /proc for each run in hand.
    """
    ended: list[Swept] = []
    for root_id, fence, _seq, _counter, _seconds, host, boot_id, pid, started in store.select("leases_held"):
        if condition(Holder(host, boot_id, pid, started)) != "gone":
            continue
        evidence = f"process {pid} on {host} is gone"
        at = time.time_ns() // 1000
        if crash(store, root_id, fence, at, Cause("lease_lost", evidence), "OwnerLost"):
            ended.append(Swept(root_id, evidence))
    return ended
