"""COUNT tasks one after another on Prefect 3, as `work/chain.py` does it on Stellwerk. Usage: prefect_chain.py COUNT."""

import json
import sys
import time

from prefect import flow, task
from prefect_recorded import wait_recorded


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


if __name__ == "__main__":
    count = int(sys.argv[1])
    assert chain(10) == 10
    wait_recorded(10)
    wall = time.perf_counter()
    assert chain(count) == count
    returned = time.perf_counter() - wall
    wait_recorded(count + 10)
    print(json.dumps({"seconds": time.perf_counter() - wall, "returned_seconds": returned}))
