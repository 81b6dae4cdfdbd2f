"""How fast tasks run and what a task run weighs: `chain`, `fanout` and `bytes`."""

from __future__ import annotations

from ground import Ground

from cases.case import Sample, case

CHAIN = 1_000
FANOUT = 10_000
WARM = 10  # the workloads' own warm-up flow, in the same process
ROW_BYTES = 400  # about what a task run weighs; the payload of a limit's row


def limit(ground: Ground, rows: int, per_commit: int) -> float:
    """Measure bare rows of a task run's size."""
    return rows / float(ground.work("limit.py", rows, per_commit, ROW_BYTES, "random")["seconds"])


def rate(told: dict[str, float], count: int) -> Sample:
    """Make tasks a second of what a workload told."""
    return Sample(count / told["seconds"], told["cpu_seconds"] / count * 1e6)


def check_chain(ground: Ground) -> None:
    """Prove that each task is committed before the next: another connection looks after every call."""
    ground.work("chain.py", CHAIN, "--check")
    ground.expect_runs(flows=2, tasks=CHAIN + WARM)


@case(
    "chain",
    "1,000 tasks one after another by direct call, each committed before the next, embedded",
    unit="tasks/s",
    at_least=5_000,
    cpu_unit="µs/task",
    limit=lambda ground: limit(ground, CHAIN, 1),
    check=check_chain,
)
def take_chain(ground: Ground) -> Sample:
    """Time the flow call inside the process, after a warm-up flow."""
    told = ground.work("chain.py", CHAIN)
    ground.expect_runs(flows=2, tasks=CHAIN + WARM)
    return rate(told, CHAIN)


@case(
    "fanout",
    "10,000 tasks over 8 threads by .map, embedded, until recorded",
    unit="tasks/s",
    at_least=12_000,
    cpu_unit="µs/task",
    limit=lambda ground: limit(ground, FANOUT, 1_000),
)
def take_fanout(ground: Ground) -> Sample:
    """Time the flow call and the wait for the last row, inside the process, after a warm-up flow."""
    told = ground.work("fanout.py", FANOUT)
    ground.expect_runs(flows=2, tasks=FANOUT + WARM)
    return rate(told, FANOUT)


@case(
    "bytes",
    "database and blobs per finished task run, of a fan-out of 10,000, write-ahead log checkpointed",
    unit="bytes/task",
    at_most=1_024,
    cpu_unit="µs/task",
)
def take_bytes(ground: Ground) -> Sample:
    """Weigh the files after a fan-out."""
    told = ground.work("fanout.py", FANOUT)
    ground.expect_runs(flows=2, tasks=FANOUT + WARM)
    return Sample(ground.stored_bytes() / (FANOUT + WARM), told["cpu_seconds"] / FANOUT * 1e6)
