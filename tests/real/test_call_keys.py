"""Call keys as the engine records them: equal in every process, changed by what the design says and by nothing else."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
from stellwerk import flow, task
import helpers

FACTOR = 3

@task
def scale(x, by=2, *, words=("a",)):
    return helpers.outer(x) * by * FACTOR

class Model:
    def __init__(self, weight):
        self.weight = weight

    @task
    def predict(self, x):
        return self.weight * self.shift(x)

    def shift(self, x):
        return x + 1

@flow
def main():
    scale(1)
    scale(1)
    scale(2, by=4, words={"y": {"p", "q"}, "x": [1.5, None]})
    future = scale.submit(5)
    scale.submit(future)
    Model(2).predict(3)

if __name__ == "__main__":
    main()
"""
HELPERS = """
def outer(x):
    return inner(x)

def inner(x):
    return x + 1

def unrelated(x):
    return x
"""


def keys(folder: Path, seed: str = "0", how: str = "script") -> dict[str, tuple[str, int]]:
    """Run the script in a new process and return (call key, n) by run name."""
    home = folder / f"home-{len(list(folder.iterdir()))}"
    command = ["main.py"] if how == "script" else ["-c", "import main; main.main()"]
    subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, "STELLWERK_HOME": str(home), "PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
        capture_output=True,
        timeout=60,
    )
    rows = sqlite3.connect(home / "stellwerk.db").execute("SELECT name, hex(call_key), n FROM runs WHERE kind = 'task'")
    return {name: (key, n) for name, key, n in rows}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "project"
    place.mkdir()
    (place / "main.py").write_text(SCRIPT)
    (place / "helpers.py").write_text(HELPERS)
    return place


def test_equal_in_every_process_and_by_every_road(folder: Path) -> None:
    first = keys(folder, seed="1")
    assert first == keys(folder, seed="2")
    assert first == keys(folder, how="import")


def test_equal_calls_are_counted_and_different_ones_told_apart(folder: Path) -> None:
    found = keys(folder)
    assert found["scale-0"][0] == found["scale-1"][0]
    assert (found["scale-0"][1], found["scale-1"][1]) == (0, 1)
    assert len({key for key, _ in found.values()}) == 5


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        ("helpers.py", "x + 1", "x + 2", "scale"),
        ("main.py", "FACTOR = 3", "FACTOR = 4", "scale"),
        ("main.py", "by=2", "by=3", "scale"),
        ("main.py", "return x + 1", "return x + 2", "predict"),
        ("main.py", "return helpers", "# why\n    return  helpers", ""),
        ("helpers.py", "    return x\n", "    return -x\n", ""),
        ("main.py", "def main():", 'def main():\n    """Say what."""', ""),
    ],
)
def test_an_edit_changes_the_keys_it_touches(folder: Path, file: str, old: str, new: str, changed: str) -> None:
    before = keys(folder)
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    after = keys(folder)
    moved = {name.split("-")[0] for name in before if before[name] != after[name]}
    assert moved == ({changed} if changed else set())
