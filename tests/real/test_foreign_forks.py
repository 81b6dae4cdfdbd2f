"""Children that a flow forks by means of a library: they are ended by signals, like any other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

POOL = """
import multiprocessing as mp
from stellwerk import flow
@flow
def pipeline():
    with mp.get_context("fork").Pool(4) as pool:
        return pool.map(abs, range(5))
for _ in range(8): pipeline()
print("END")
"""
TERMINATED = """
import multiprocessing as mp, time
from stellwerk import flow
@flow
def pipeline():
    child = mp.get_context("fork").Process(target=time.sleep, args=(60,))
    child.start(); child.terminate(); child.join()
    return child.exitcode
print(pipeline())
"""
LOOP = """
import asyncio, os, signal
from stellwerk import flow
@flow
async def pipeline():
    child = os.fork()
    if child == 0:
        import time
        time.sleep(60)
        os._exit(0)
    os.kill(child, signal.SIGTERM)
    status = os.waitpid(child, 0)[1]
    await asyncio.sleep(0.1)
    return os.waitstatus_to_exitcode(status)
print(asyncio.run(pipeline()))
"""
JOBLIB = """
from joblib import Parallel, delayed
from stellwerk import flow, task
@task
def spread(): return sum(Parallel(n_jobs=2)(delayed(abs)(n) for n in range(-3, 0)))
@flow
def pipeline(): return spread.submit().result() + spread()
print(pipeline())
"""


@pytest.mark.parametrize(("text", "printed"), [(POOL, "END"), (TERMINATED, "-15"), (LOOP, "-15"), (JOBLIB, "12")])
def test_children_die_of_signals_as_ever(tmp_path: Path, text: str, printed: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(text)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script)], capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, printed, "")
