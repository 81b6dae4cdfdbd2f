"""The SQLite file as the world treats it: many processes, a full disk, wrong files, other people's eyes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from wire import NOW, Root, accept, check_all, completed, new_id, rows, runs_of

from stellwerk.errors import ConfigError, UnavailableError
from stellwerk.model.messages import Began, Logged
from stellwerk.store import lock as lock_module
from stellwerk.store import sqlite
from stellwerk.store.lock import WriteLock
from stellwerk.store.port import SCHEMA_VERSION
from stellwerk.store.sqlite import SqliteStore

WRITER = Path(__file__).parents[1] / "writer.py"
PROCESSES = 50
BATCHES = 10


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a database that does not exist yet."""
    return tmp_path / "stellwerk.db"


def test_fifty_processes_record_into_one_file(path: Path) -> None:
    """They start on nothing, so that they also race for its creation."""
    command = [sys.executable, str(WRITER), str(path), str(BATCHES)]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(PROCESSES)]
    for writer in writers:
        told, problem = writer.communicate(timeout=100)
        assert "database is locked" not in problem.decode()
        assert writer.returncode == 0, problem.decode()
        assert told.split() == [b"%d" % number for number in range(1, BATCHES + 1)]
    runs = runs_of(str(path))
    assert len(runs) == PROCESSES * (BATCHES + 1)
    assert {run.state for run in runs.values()} == {"completed"}
    assert len(rows(str(path), "logs")) == PROCESSES * BATCHES
    check_all(str(path))
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_two_that_open_an_empty_home_at_once_share_it(path: Path) -> None:
    ready = threading.Barrier(4)
    stores: list[SqliteStore] = []

    def start() -> None:
        ready.wait()
        stores.append(SqliteStore(path))

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(stores) == 4
    assert len({store.database_id for store in stores}) == 1
    for store in stores:
        store.close()


def test_files_are_private(path: Path) -> None:
    before = os.umask(0)  # whatever the umask allows
    try:
        store = SqliteStore(path)
        root = Root()
        accept(store, root.batch(*root.begin()))
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.glob("stellwerk.db*")}
        store.close()
    finally:
        os.umask(before)
    assert {"stellwerk.db", "stellwerk.db-wal", "stellwerk.db-shm", "stellwerk.db.lock"} <= set(modes)
    assert set(modes.values()) == {0o600}, modes


def test_a_newer_database_is_left_alone(path: Path) -> None:
    SqliteStore(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=f"version {SCHEMA_VERSION + 1}") as caught:
        SqliteStore(path)
    assert "newer Stellwerk" in caught.value.hint
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"Dear diary, " * 100, b"\0" * 5000, bytes(range(256)) * 20])
def test_a_file_that_is_no_database_is_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="is not a database") as caught:
        SqliteStore(path)
    assert caught.value.hint
    assert path.read_bytes() == content


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION, SCHEMA_VERSION + 1])
def test_another_programs_database_is_left_alone(path: Path, version: int) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.execute("CREATE TABLE runs (marathon TEXT)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="not one of Stellwerk's"):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_a_folder_in_its_place_or_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "absent" / "stellwerk.db"):
        with pytest.raises(UnavailableError, match=str(path)) as caught:
            SqliteStore(path)
        assert caught.value.hint


def fill(path: Path) -> tuple[int, UnavailableError]:
    """Record until nothing fits any more: how many batches were acknowledged, and what was said then."""
    store = SqliteStore(path)
    root = Root()
    accept(store, root.batch(*root.begin()))
    try:
        for number in range(1, 2000):
            run_id = new_id()
            line = (number, run_id, 1, NOW, 20, "filler", "x" * 20_000)
            accept(store, root.batch(root.task(run_id), Began(run_id, NOW, 1), completed(run_id), Logged([line])))
    except UnavailableError as problem:
        root.seq -= 1  # it may be sent again, and reading goes on
        assert len(store.select("run_children", (root.id, 10_000))) == root.seq - 1
        with pytest.raises(UnavailableError):
            accept(store, root.batch(Logged([(9999, root.id, 1, NOW, 20, "filler", "x" * 3_000_000)])))
        return root.seq - 2, problem
    finally:
        store.close()
    raise AssertionError("nothing was ever full")


@pytest.fixture(params=["disk", "limit"])
def small_folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Give a folder in which little fits: a disk of 3 MB; or, also where one may not mount, see `little_fits`."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    may_mount = request.param == "disk" and shutil.which("mount") and not os.geteuid()
    if may_mount and subprocess.run(command, capture_output=True, check=False).returncode == 0:
        yield folder
        subprocess.run(["umount", "-l", str(folder)], check=True)
        return
    yield folder


@contextlib.contextmanager
def little_fits(folder: Path, size: int) -> Iterator[None]:
    """Limit what fits, where the disk does not: for the moment only, since pytest itself may write to a file."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    if not os.path.ismount(folder):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_loses_nothing_that_was_acknowledged(small_folder: Path, tmp_path: Path) -> None:
    path = small_folder / "stellwerk.db"
    with little_fits(small_folder, 3 << 20):
        acknowledged, problem = fill(path)
    assert str(path) in str(problem)
    assert problem.hint
    if os.path.ismount(small_folder):
        assert "is full" in str(problem)
    # Elsewhere, with room, the record is whole and goes on.
    target = tmp_path / "moved.db"
    for suffix in ("", "-wal"):
        if Path(f"{path}{suffix}").exists():
            shutil.copy(f"{path}{suffix}", f"{target}{suffix}")
    check_all(str(target))
    assert acknowledged > 10
    assert len(rows(str(target), "logs")) == acknowledged
    store, again = SqliteStore(target), Root()
    accept(store, again.batch(*again.begin()))
    store.close()


def test_a_full_disk_is_told_when_a_store_is_made(small_folder: Path) -> None:
    if os.path.ismount(small_folder):
        (small_folder / "ballast").write_bytes(b"x" * (3 << 20))
    with little_fits(small_folder, 0), pytest.raises(UnavailableError) as caught:
        SqliteStore(small_folder / "stellwerk.db")
    assert caught.value.hint


TURN = """
import sys
from pathlib import Path
from stellwerk.store.lock import WriteLock
lock = WriteLock(Path(sys.argv[1]))
for number in range(int(sys.argv[2])):
    lock.acquire()
    with open(sys.argv[3], "a") as diary:
        diary.write(sys.argv[4])
    lock.release()
"""


def test_who_leaves_the_seat_does_not_overtake_who_waits(path: Path, tmp_path: Path) -> None:
    """A greedy process takes the lock a hundred times; another, which waits for it once, gets it soon."""
    diary = tmp_path / "diary"
    lock = WriteLock(path)
    lock.acquire()
    waiting = subprocess.Popen([sys.executable, "-c", TURN, str(path), "1", str(diary), "w"])
    turnstile = os.open(f"{path}.queue", os.O_RDWR)
    wait_until_locked(turnstile)
    lock.release()
    lock.acquire()  # cannot return before the waiting one has had its turn
    assert diary.read_text() == "w"
    lock.release()
    assert waiting.wait(30) == 0
    os.close(turnstile)
    lock.close()


def wait_until_locked(descriptor: int) -> None:
    """Wait until somebody holds a lock on a file."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        time.sleep(0.01)  # nothing tells when another process begins to wait
    raise AssertionError("nobody came")


STOP = """
import os, signal, sys
from pathlib import Path
from stellwerk.store.lock import WriteLock
lock = WriteLock(Path(sys.argv[1]))
lock.acquire()
os.write(1, b"held\\n")
os.kill(os.getpid(), signal.SIGSTOP)
lock.release()
"""


def test_a_stopped_writer_is_named_after_a_while(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits gives up in bounded time, says whom it waited for, and gets the seat once that one goes on."""
    monkeypatch.setattr(lock_module, "WAIT_SECONDS", 0.2)
    store, root = SqliteStore(path), Root()
    holder = subprocess.Popen([sys.executable, "-c", STOP, str(path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == b"held\n"
        os.waitpid(holder.pid, os.WUNTRACED)
        batch = root.batch(*root.begin())
        told = rf"by process {holder.pid} \(python.*\) for more than 0.2 s"
        with pytest.raises(UnavailableError, match=told) as caught:
            accept(store, batch)
        assert caught.value.facts == {"is_passing": True, "pid": holder.pid}
        assert str(holder.pid) in caught.value.hint
    finally:
        holder.send_signal(signal.SIGCONT)
    assert holder.wait(30) == 0
    accept(store, batch)
    store.close()
    holder.stdout.close()


def test_one_that_is_stopped_while_it_queues_holds_nobody_up_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, other = WriteLock(path), WriteLock(path)
    lock.acquire()
    queued = subprocess.Popen([sys.executable, "-c", TURN, str(path), "1", os.devnull, "w"])
    turnstile = os.open(f"{path}.queue", os.O_RDWR)
    wait_until_locked(turnstile)
    queued.send_signal(signal.SIGSTOP)
    os.waitpid(queued.pid, os.WUNTRACED)
    lock.release()
    monkeypatch.setattr(lock_module, "WAIT_SECONDS", 0.2)
    try:
        with pytest.raises(UnavailableError, match=f"by process {queued.pid} "):
            other.acquire()
    finally:
        queued.send_signal(signal.SIGCONT)
    assert queued.wait(30) == 0
    other.acquire()
    for each in (lock, other):
        each.close()
    os.close(turnstile)


def test_another_program_that_locks_the_file_is_a_passing_trouble(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    store, root = SqliteStore(path), Root()
    batch = root.batch(*root.begin())
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(UnavailableError, match="locked by another program") as caught:
        accept(store, batch)
    assert caught.value.facts["is_passing"]
    connection.close()
    accept(store, batch)
    store.close()


def test_a_store_that_was_closed_says_so(path: Path) -> None:
    store, root = SqliteStore(path), Root()
    store.close()
    with pytest.raises(UnavailableError, match="was closed"):
        accept(store, root.batch(*root.begin()))


HOLD = """
import os, sys, time
from pathlib import Path
from stellwerk.store.sqlite import SqliteStore
store = SqliteStore(Path(sys.argv[1]))
with store.write():
    if os.fork() == 0:
        os.write(1, b"held\\n")
        time.sleep(60)
        os._exit(0)
    time.sleep(60)
"""


def test_a_forked_child_does_not_keep_a_dead_parents_seat(path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, start_new_session=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    try:
        holder.send_signal(signal.SIGKILL)
        holder.wait(30)
        store, root = SqliteStore(path), Root()
        accept(store, root.batch(*root.begin()))
        store.close()
    finally:
        os.killpg(holder.pid, signal.SIGKILL)
        holder.stdout.close()


def test_a_forked_child_leaves_the_parents_store_alone(path: Path) -> None:
    store, root = SqliteStore(path), Root()
    accept(store, root.batch(*root.begin()))
    child = os.fork()
    if child == 0:
        store.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    accept(store, root.batch(root.end()))
    store.close()
    check_all(str(path))
