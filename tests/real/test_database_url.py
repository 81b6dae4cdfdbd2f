"""Where the database lies does not change while a script runs, whatever folder it goes to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from wire import rows

SCRIPT = """
import os
from stellwerk import flow, task

@task
def couple(n):
    return n

@task
def alone():
    return 1

@flow
def trains(folder):
    os.chdir(folder)
    return couple(1)

@flow(durability="power")
def late():
    return couple(2)

os.makedirs("elsewhere")
alone()
trains("elsewhere")
os.environ["STELLWERK_DATABASE_URL"] = "sqlite:///other.db"
late()
"""


@pytest.mark.parametrize("source", ["environment", "file"])
def test_a_relative_url_names_one_file(tmp_path: Path, home: Path, source: str) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "script.py").write_text(SCRIPT)
    environment = dict(os.environ)
    if source == "environment":
        environment["STELLWERK_DATABASE_URL"] = "sqlite:///trains.db"
    else:
        (folder / "stellwerk.toml").write_text('database_url = "sqlite:///trains.db"')
    command = [sys.executable, "script.py"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("*.db")] == [Path("project/trains.db")]
    assert len(rows(str(folder / "trains.db"), "runs")) == 5
