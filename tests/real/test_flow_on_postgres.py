"""A real flow on a real PostgreSQL, by the same road as on SQLite, also while its connections are cut."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg

SCRIPT = """
import time
from stellwerk import flow, task

@task
def double(x):
    time.sleep(0.002)
    return 2 * x

@task(retries=1)
def tries(seen=[]):
    seen.append(1)
    if len(seen) < 2:
        raise ValueError("not yet")
    return len(seen)

@flow
def work(n=400):
    total = sum(double(i) for i in range(n))
    return total + sum(double.map(range(n)).result()) + tries()

if __name__ == "__main__":
    print(work())
"""


def counted(url: str) -> dict[tuple[str, str], int]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT kind, state, COUNT(*) FROM runs GROUP BY kind, state").fetchall()
        recounted = {(kind, state): number for kind, state, number in rows}
        rows = connection.execute("SELECT kind, state, SUM(runs)::int FROM counters GROUP BY kind, state").fetchall()
        assert {(kind, state): number for kind, state, number in rows} == recounted
    return recounted


def has_begun(connection: psycopg.Connection[Any]) -> bool:
    """Say whether a task was recorded: before, the database is being made, and a cut ends that with an error."""
    if connection.execute("SELECT to_regclass('runs')").fetchone() == (None,):
        return False
    return bool(connection.execute("SELECT 1 FROM runs WHERE kind = 'task' LIMIT 1").fetchone())


def test_connections_are_cut_again_and_again(tmp_path: Path, postgres_database: str) -> None:
    script = tmp_path / "work.py"
    script.write_text(SCRIPT)
    environ = {**os.environ, "STELLWERK_DATABASE_URL": postgres_database}
    flow = subprocess.Popen(
        [sys.executable, str(script)], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    cuts = 0
    with psycopg.connect(postgres_database, autocommit=True) as knife:
        while flow.poll() is None and not has_begun(knife):
            time.sleep(0.02)
        while flow.poll() is None:
            cut = knife.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'stellwerk'"
            ).fetchall()
            cuts += len(cut)
            time.sleep(0.1)
    output, errors = flow.communicate(timeout=60)
    assert flow.returncode == 0, errors
    assert output.strip() == str(2 * 2 * sum(range(400)) + 2)
    assert cuts > 2
    assert counted(postgres_database) == {("task", "completed"): 801, ("flow", "completed"): 1}
