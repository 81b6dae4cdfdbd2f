"""Wait until Prefect's API shows that all is recorded."""

import os
import sys
import time

import httpx

LIMIT_SECONDS = 300


def wait_recorded(count: int) -> None:
    """Wait until the API counts so many completed task runs in all."""
    address = f"{os.environ['PREFECT_API_URL']}/task_runs/count"
    wanted = {"task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    end = time.monotonic() + LIMIT_SECONDS
    while (found := httpx.post(address, json=wanted, timeout=60).raise_for_status().json()) < count:
        if time.monotonic() > end:
            sys.exit(f"{found} of {count} task runs were recorded {LIMIT_SECONDS} s after the flow call returned")
        time.sleep(0.1)
