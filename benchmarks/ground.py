"""Where a sample is taken: a fresh folder with a fresh home, processes in it, and a look at what they recorded."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

HERE = Path(__file__).resolve().parent
CHILD_LIMIT_SECONDS = 600
# What would change how a child starts or behaves; users have none of it.
_REMOVED = frozenset(
    "PYTHONDONTWRITEBYTECODE PYTHONUNBUFFERED PYTHONDEVMODE PYTHONTRACEMALLOC PYTHONASYNCIODEBUG PYTHONOPTIMIZE "
    "PYTHONPROFILEIMPORTTIME PYTHONFAULTHANDLER PYTHONMALLOC PYTHONVERBOSE PYTHONWARNINGS PYTHONPATH".split()
)


class Wrong(Exception):
    """Say that a run did not do or record what it should have: its numbers count for nothing."""


@dataclass
class Finished:
    """Hold what a child process gave: seconds of the clock and of processors over its whole life, and its output."""

    wall_seconds: float
    cpu_seconds: float
    output: str

    @property
    def told(self) -> dict[str, Any]:
        """Read the JSON object on its last line."""
        lines = self.output.splitlines()
        if not lines:
            raise Wrong("the workload printed nothing")
        found: dict[str, Any] = json.loads(lines[-1])
        return found


class Ground:
    """Be a fresh temporary folder for one sample; everything in it goes away on leaving.

    Args:
        python: the interpreter of the children; this one by default.
        variables: added to the children's environment, such as a server's address.
    """

    def __init__(self, python: str = sys.executable, variables: Mapping[str, str] | None = None) -> None:
        self.python = python
        self.folder = Path(tempfile.mkdtemp(prefix="stellwerk-bench-"))
        self.home = self.folder / "home"
        self.home.mkdir(mode=0o700)
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in _REMOVED and not name.startswith(("STELLWERK_", "PREFECT_"))
        }
        self.environment = {**kept, "STELLWERK_HOME": str(self.home), **(variables or {})}

    def __enter__(self) -> Ground:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def use(self, home: Path) -> None:
        """Take another home than the fresh one, such as one that was filled before."""
        self.home = home
        self.environment["STELLWERK_HOME"] = str(home)

    @property
    def database(self) -> Path:
        """Return where the embedded database lies."""
        return self.home / "stellwerk.db"

    def run(self, *words: object) -> Finished:
        """Run Python with these words in the folder and wait for it.

        Raises:
            Wrong: it failed or took longer than `CHILD_LIMIT_SECONDS`.
        """
        command = [self.python, *(str(word) for word in words)]
        with open(self.folder / "out", "w+b") as out, open(self.folder / "err", "w+b") as err:
            began = time.perf_counter()
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=self.folder, env=self.environment
            )
            alarm = threading.Timer(CHILD_LIMIT_SECONDS, process.kill)
            alarm.start()
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - began
            alarm.cancel()
            code = process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            output = out.read().decode(errors="replace")
            if code != 0:
                err.seek(0)
                told = err.read()[-3000:].decode(errors="replace").strip()
                raise Wrong(f"{' '.join(command)} ended with exit code {code}.\n{output[-500:]}\n{told}")
        return Finished(wall, usage.ru_utime + usage.ru_stime, output)

    def work(self, script: str, *words: object) -> dict[str, Any]:
        """Run a workload of `work/` and return the JSON object it printed."""
        return self.run(HERE / "work" / script, *words).told

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Read from the database that was recorded into, with sqlite3 alone: none of our code is believed here."""
        if not self.database.exists():
            raise Wrong(f"{self.database} does not exist: nothing was recorded")
        connection = sqlite3.connect(self.database)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def expect_runs(self, flows: int, tasks: int) -> None:
        """See that so many flow and task runs are recorded as completed, each with a result, and no others.

        Raises:
            Wrong: the database says something else.
        """
        found = self.rows(
            "SELECT kind, state, COUNT(*), COUNT(result_hash) FROM runs GROUP BY kind, state ORDER BY kind"
        )
        wanted = [("flow", "completed", flows, flows), ("task", "completed", tasks, tasks)]
        if found != wanted:
            raise Wrong(f"the database holds {found} (kind, state, runs, results), but should hold {wanted}")

    def expect_lines(self, count: int, first: str, last: str) -> None:
        """See that so many log lines are stored, numbered without a gap in each root run, the last run's in order.

        Raises:
            Wrong: the database says something else.
        """
        found = self.rows("SELECT root_id, COUNT(*), MAX(n) - MIN(n) + 1, MIN(n), MAX(n) FROM logs GROUP BY root_id")
        if sum(row[1] for row in found) != count or any(row[1] != row[2] for row in found):
            raise Wrong(f"{count} lines should be stored without a gap, but (run, lines, span, …) are {found}")
        root_id, *_, lowest, highest = max(found, key=lambda row: row[1])
        for number, wanted in ((lowest, first), (highest, last)):
            message = self.rows(f"SELECT message FROM logs WHERE root_id = X'{root_id.hex()}' AND n = {number}")
            if message != [(wanted,)]:
                raise Wrong(f"line {number} is {message}, but should be {wanted!r}")

    def stored_bytes(self) -> int:
        """Checkpoint the write-ahead log and count the bytes of the database and of the blobs."""
        if self.rows("PRAGMA wal_checkpoint(TRUNCATE)")[0][0] != 0:
            raise Wrong("the write-ahead log could not be checkpointed: somebody still uses the database")
        files = [self.database, *(path for path in (self.home / "blobs").rglob("*") if path.is_file())]
        return sum(path.stat().st_size for path in files)


def median(values: Sequence[float]) -> float:
    """Return the middle value; of an even number, the mean of the middle two."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def import_milliseconds(ground: Ground, module: str, pairs: int) -> tuple[float, float]:
    """Time `import module` beyond bare Python, by whole processes in interleaved pairs.

    Returns: the difference of the medians, on the clock and in processor time, in milliseconds.
    """
    bare, full = [], []
    for _ in range(pairs):
        bare.append(ground.run("-c", "pass"))
        full.append(ground.run("-c", f"import {module}"))
    wall = median([one.wall_seconds for one in full]) - median([one.wall_seconds for one in bare])
    cpu = median([one.cpu_seconds for one in full]) - median([one.cpu_seconds for one in bare])
    return wall * 1000, cpu * 1000
