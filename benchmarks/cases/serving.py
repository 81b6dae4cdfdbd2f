"""What a server costs and carries: `chain_server`, `fanout_server`, `server_start` and `server_memory`."""

from __future__ import annotations

import time
from pathlib import Path

from ground import Ground, Wrong
from server import Server

from cases.case import Sample, case
from cases.tasks import CHAIN, FANOUT, WARM, limit, rate

IDLE_SECONDS = 2.0  # after which a server that nobody asks anything is idle


def _work(ground: Ground, script: str, count: int) -> Sample:
    """Run a workload that finds the server by the home's file, and see that its batches went through it."""
    with Server(ground) as server:
        told = ground.work(script, count)
        ground.expect_runs(flows=2, tasks=count + WARM)
        batches = server.metric("stellwerk_batches_total")
        if not batches:
            raise Wrong("the server has applied no batch: the workload went another way")
        return rate(told, count)


@case(
    "chain_server",
    "1,000 tasks one after another by direct call, each committed before the next, through a server process",
    unit="tasks/s",
    at_least=1_000,
    cpu_unit="µs/task",
    limit=lambda ground: limit(ground, CHAIN, 1),
)
def take_chain(ground: Ground) -> Sample:
    """Time the flow call inside its process; its processor time is without the server's."""
    return _work(ground, "chain.py", CHAIN)


@case(
    "fanout_server",
    "10,000 tasks over 8 threads by .map, through a server process, until recorded",
    unit="tasks/s",
    at_least=8_000,
    cpu_unit="µs/task",
    limit=lambda ground: limit(ground, FANOUT, 1_000),
)
def take_fanout(ground: Ground) -> Sample:
    """Time the flow call and the wait for the last row, inside its process."""
    return _work(ground, "fanout.py", FANOUT)


@case(
    "server_start",
    "stellwerk server start in a new home, from the command until /health answers",
    unit="s",
    at_most=1.5,
    cpu_unit="s",
    durability="nothing recorded",
)
def take_start(ground: Ground) -> Sample:
    """Time a start, with the making of the database."""
    with Server(ground) as server:
        return Sample(server.start_seconds, server.cpu_seconds())


@case(
    "server_memory",
    "resident memory of a server that has just started and idles",
    unit="MB",
    at_most=90,
    cpu_unit="s",
    durability="nothing recorded",
)
def take_memory(ground: Ground) -> Sample:
    """Read VmRSS two seconds after it was healthy."""
    with Server(ground) as server:
        time.sleep(IDLE_SECONDS)
        status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
        kilobytes = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        return Sample(kilobytes * 1024 / 1e6, server.cpu_seconds())
