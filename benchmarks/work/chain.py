"""COUNT tasks one after another by direct call; prints one JSON line about the flow call.

Usage: chain.py COUNT [--check]. With --check it looks into the database after every call, on a connection of its own,
whether that call is committed; that is slow, so it is not for measuring.
"""

import json
import os
import sqlite3
import sys
import time

from stellwerk import flow, task

DATABASE = os.path.join(os.environ["STELLWERK_HOME"], "stellwerk.db")
COMPLETED = "SELECT COUNT(*) FROM runs WHERE kind = 'task' AND state = 'completed'"


@task
def inc(x: int) -> int:
    """Add one."""
    return x + 1


@flow
def chain(count: int) -> int:
    """Hand a number from task to task."""
    x = 0
    for _ in range(count):
        x = inc(x)
    return x


@flow
def checked_chain(count: int) -> int:
    """Do the same, and see after each call that it is committed."""
    database = sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True)
    before = database.execute(COMPLETED).fetchone()[0]
    x = 0
    for number in range(1, count + 1):
        x = inc(x)
        found = database.execute(COMPLETED).fetchone()[0] - before
        assert found == number, f"after {number} calls {found} were committed"
    database.close()
    return x


if __name__ == "__main__":
    count = int(sys.argv[1])
    run = checked_chain if "--check" in sys.argv else chain
    assert run(10) == 10  # warm-up: what is imported and compiled at the first call
    wall, cpu = time.perf_counter(), time.process_time()
    assert run(count) == count
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(json.dumps({"seconds": wall, "cpu_seconds": cpu}))
