"""COUNT lines from one task, until all are in the database; prints one JSON line. Usage: logs.py COUNT."""

import json
import os
import sqlite3
import sys
import time

from stellwerk import flow, get_run_logger, task

DATABASE = os.path.join(os.environ["STELLWERK_HOME"], "stellwerk.db")


@task
def talk(count: int) -> int:
    """Log many lines."""
    logger = get_run_logger()
    for number in range(count):
        logger.info("line %d of what a task has to say", number)
    return count


@flow
def talkative(count: int) -> int:
    """Call the one task."""
    return talk(count)


def wait_stored(count: int) -> None:
    """Wait until the database holds so many lines, at most a minute."""
    database = sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True)
    end = time.monotonic() + 60
    while (found := database.execute("SELECT COUNT(*) FROM logs").fetchone()[0]) < count:
        if time.monotonic() > end:
            sys.exit(f"{found} of {count} lines were stored a minute after the flow call returned")
        time.sleep(0.001)
    database.close()


if __name__ == "__main__":
    count = int(sys.argv[1])
    talkative(10)  # warm-up: what is imported and compiled at the first call
    wall, cpu = time.perf_counter(), time.process_time()
    assert talkative(count) == count
    wait_stored(count + 10)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(json.dumps({"seconds": wall, "cpu_seconds": cpu}))
