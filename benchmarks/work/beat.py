"""COUNT short tasks with pauses between them; prints the run's id, then when each call returned. Usage: beat.py COUNT."""

import json
import random
import sys
import time

from stellwerk import flow, get_run_context, task


@task
def beat(n: int) -> int:
    """Do next to nothing."""
    return n


@flow
def heart(count: int) -> list[float]:
    """Beat irregularly: a call that has returned is committed."""
    print(get_run_context().run_id, flush=True)
    dice = random.Random(count)
    beat(0)
    time.sleep(4)  # until the page is open
    returned = []
    for n in range(count - 1):
        beat(n)
        returned.append(time.time())
        time.sleep(dice.uniform(0.1, 0.5))
    return returned


if __name__ == "__main__":
    count = int(sys.argv[1])
    print(json.dumps([0.0, *heart(count)]))
