"""Fill a store with runs of the past: written row by row through the store's own statements, without anything running.

What is written is what flows leave behind: each flow run with its task runs, most of them completed, some failed,
crashed or cancelled, a few under way; a tenth has tags, a twentieth of the failed tasks was tried twice.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random

from stellwerk.model.identity import uuid7
from stellwerk.model.records import Changes, RunRecord
from stellwerk.store.port import Store

FLOWS = [f"flow_{number:02}" for number in range(40)]
TAGS = ["nightly", "etl", "team-a", "team-b", "ad-hoc"]
ENDS = ["completed"] * 93 + ["failed"] * 4 + ["crashed"] + ["cancelled"] * 2
FIRST = 1_760_000_000_000_000  # microseconds since the epoch
APART = 600_000_000  # between two flow runs
HOUR = 3_600_000_000
RUNS_A_COMMIT = 100
ERROR = '{"type":"ValueError","message":"no such train","traceback":"' + "  File flow.py, line 7\\\\n" * 30 + '"}'


def seed(store: Store, flow_runs: int, tasks: int, seed: int = 1) -> None:
    """Write flow runs with as many task runs each. Deterministic. Cost: some 30,000 rows a second."""
    chance, counters = Random(seed), Counter[tuple[str, int, str, str, str]]()
    for first in range(0, flow_runs, RUNS_A_COMMIT):
        runs: list[RunRecord] = []
        for number in range(first, min(first + RUNS_A_COMMIT, flow_runs)):
            runs += _flow_run(chance, number, flow_runs, tasks)
        for run in runs:
            if run.ended_at is not None:
                counters[run.project, run.ended_at // HOUR, run.flow or "", run.kind, run.state] += 1
        edges = [(run.id, above.id) for above, run in pairwise(runs) if run.n % 2]
        with store.write() as transaction:
            transaction.put(Changes(runs=runs, edges=edges))
    with store.write() as transaction:
        transaction.put(Changes(counters=dict(counters)))


def _flow_run(chance: Random, number: int, of: int, tasks: int) -> list[RunRecord]:
    at = FIRST + number * APART
    flow = FLOWS[int(chance.random() ** 2 * len(FLOWS))]
    is_open = number >= of - 5
    seconds = 2 ** chance.uniform(0, 12)
    tags = [tag for tag in TAGS if chance.random() < 0.5] if chance.random() < 0.1 else []
    root = _run(chance, at, None, "flow", f"quiet-otter-{number}", flow, None, at + 1000, seconds, is_open)
    root.tags = "[" + ",".join(f'"{tag}"' for tag in tags) + "]" if tags else None
    root.parameters = f'{{"day": "2026-01-01", "n": {number}}}'
    runs = [root]
    for place in range(tasks):
        begin = at + 2000 + int(place * seconds * 1e6 / (tasks + 1))
        name = ("fetch", "clean", "join", "load")[place * 4 // tasks]
        is_waiting = is_open and place > tasks // 2
        task = _run(
            chance, begin, root, "task", f"{name}-{place}", flow, name, begin, seconds / (tasks + 1), is_waiting
        )
        task.n, task.item_index = place, place
        runs.append(task)
    return runs


def _run(
    chance: Random,
    at: int,
    root: RunRecord | None,
    kind: str,
    name: str,
    flow: str,
    task: str | None,
    begin: int,
    seconds: float,
    is_open: bool,
) -> RunRecord:
    run_id = uuid7(at // 1000, chance.getrandbits(74))
    parent, root_id = (root.id, root.id) if root else (None, run_id)
    call_key = chance.randbytes(16) if task else None
    run = RunRecord(run_id, "default", kind, parent, root_id, name, flow, task, call_key, 0, None, None, None, None, at)
    run.attempts, run.started_at = 1, begin
    if is_open:
        run.state = "running"
        return run
    run.state = chance.choice(ENDS)
    run.ended_at = begin + int(seconds * 1e6)
    if run.state == "completed":
        run.result_hash, run.result_size, run.preview, run.result = (
            chance.randbytes(32),
            64,
            "{'rows': 1234}",
            bytes(64),
        )
    elif run.state == "failed":
        run.cause, run.evidence, run.error = "user_error", "ValueError", ERROR
    else:
        run.cause = "cancelled" if run.state == "cancelled" else "lease_lost"
    return run


if __name__ == "__main__":
    from stellwerk.store.sqlite import SqliteStore

    started = time.perf_counter()
    made = SqliteStore(Path(sys.argv[1]))
    seed(made, int(sys.argv[2]), int(sys.argv[3]))
    made.close()
    print(f"{time.perf_counter() - started:.1f} s")
