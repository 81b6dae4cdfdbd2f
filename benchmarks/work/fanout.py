"""COUNT tasks over 8 threads by .map, until all are in the database; prints one JSON line. Usage: fanout.py COUNT."""

import json
import os
import sqlite3
import sys
import time

from stellwerk import ThreadPoolTaskRunner, flow, task

DATABASE = os.path.join(os.environ["STELLWERK_HOME"], "stellwerk.db")
COMPLETED = "SELECT COUNT(*) FROM runs WHERE kind = 'task' AND state = 'completed'"


@task
def square(x: int) -> int:
    """Square a number."""
    return x * x


@flow(task_runner=ThreadPoolTaskRunner(max_workers=8))
def fanout(count: int) -> int:
    """Square many numbers at once and add them up."""
    return sum(future.result() for future in square.map(range(count)))


def wait_recorded(count: int) -> None:
    """Wait until the database holds so many completed task runs, at most a minute."""
    database = sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True)
    end = time.monotonic() + 60
    while (found := database.execute(COMPLETED).fetchone()[0]) < count:
        if time.monotonic() > end:
            sys.exit(f"{found} of {count} task runs were recorded a minute after the flow call returned")
        time.sleep(0.001)
    database.close()


if __name__ == "__main__":
    count = int(sys.argv[1])
    fanout(10)  # warm-up: what is imported and compiled at the first call
    wall, cpu = time.perf_counter(), time.process_time()
    assert fanout(count) == sum(x * x for x in range(count))
    returned = time.perf_counter() - wall
    wait_recorded(count + 10)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(json.dumps({"seconds": wall, "returned_seconds": returned, "cpu_seconds": cpu}))
