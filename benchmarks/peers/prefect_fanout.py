"""COUNT tasks over 8 threads on Prefect 3, as `work/fanout.py` does it on Stellwerk. Usage: prefect_fanout.py COUNT."""

import json
import sys
import time

from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner
from prefect_recorded import wait_recorded


@task
def square(x: int) -> int:
    """Square a number."""
    return x * x


@flow(task_runner=ThreadPoolTaskRunner(max_workers=8))
def fanout(count: int) -> int:
    """Square many numbers at once and add them up."""
    return sum(future.result() for future in square.map(range(count)))


if __name__ == "__main__":
    count = int(sys.argv[1])
    fanout(10)
    wait_recorded(10)
    wall = time.perf_counter()
    assert fanout(count) == sum(x * x for x in range(count))
    returned = time.perf_counter() - wall
    wait_recorded(count + 10)
    print(json.dumps({"seconds": time.perf_counter() - wall, "returned_seconds": returned}))
