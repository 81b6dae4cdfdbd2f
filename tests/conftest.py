"""What all tests share: a home of their own, and one private PostgreSQL for the session.

The PostgreSQL is made from nothing in a temporary folder, answers on a free loopback port and a socket, and ends with
the session, on Linux also when that is killed. It is required: a suite that quietly leaves out half of its databases
would not be one.
"""

from __future__ import annotations

import itertools
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import settings

from stellwerk.sdk import runtime

# How long an example takes is the machine's matter, and no test is about it.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

START_SECONDS = 60
STOP_SECONDS = 20
DATABASES = itertools.count(1)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a home that does not exist yet, and no setting from outside."""
    for name in os.environ:
        if name.startswith("STELLWERK_"):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    monkeypatch.setenv("STELLWERK_HOME", str(folder))
    # The runtime reads its settings once a process; each test has settings of its own.
    runtime.install(None)
    return folder


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Start a PostgreSQL for the session; the URL of its maintenance database."""
    programs = find_programs()
    # Not under tmp_path: another user must be able to reach it, and the path of a socket must be short.
    folder = Path(tempfile.mkdtemp(prefix="stellwerk-pg-", dir="/tmp"))
    identity = unprivileged()
    try:
        if identity:
            os.chown(folder, identity["user"], identity["group"])
        make_cluster(programs, folder, identity)
        server, url = start(programs, folder, identity)
        try:
            yield url
        finally:
            server.send_signal(signal.SIGINT)  # its "fast" shutdown: clients are sent away
            try:
                server.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                server.send_signal(signal.SIGQUIT)  # at once
                server.wait(STOP_SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """Make a database for one test, and drop it afterwards, whoever is still connected; its URL."""
    name = f"test_{next(DATABASES)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            yield postgres_url.rpartition("/")[0] + "/" + name
        finally:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def find_programs() -> Path:
    """Find the folder of PostgreSQL's programs, the newest version's."""

    def version(folder: Path) -> int:
        return int(re.sub(r"\D", "", folder.parent.name) or 0)

    folders = [each.parent for each in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if folders:
        return max(folders, key=version)
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    pytest.fail(
        "The tests need PostgreSQL's programs (initdb, postgres), and none are here. "
        "`make test` installs them on Debian; elsewhere install the package postgresql, or put them on the PATH.",
        pytrace=False,
    )


def unprivileged() -> dict[str, Any]:
    """Say as whom PostgreSQL is to run, in the terms of `subprocess`; nothing if we are not root, which it refuses."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    pytest.fail("PostgreSQL does not run as root, and there is no user `postgres` to run it as.", pytrace=False)


def make_cluster(programs: Path, folder: Path, identity: dict[str, Any]) -> None:
    """Run initdb."""
    command = [str(programs / "initdb"), "-D", str(folder / "data"), "-U", "postgres", "--auth=trust"]
    command += ["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, **identity)
    if done.returncode != 0:
        pytest.fail(f"initdb failed:\n{done.stdout}{done.stderr}", pytrace=False)


def start(programs: Path, folder: Path, identity: dict[str, Any]) -> tuple[subprocess.Popen[bytes], str]:
    """Start the server and wait until it answers; its process (the postmaster itself) and URL."""
    log = folder / "log"
    for _attempt in range(3):  # the free port may be taken between our look and the server's
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        # A power cut is not what the suite tests: without syncs it takes a fraction of the time.
        options = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": folder,
            "max_connections": 200,
            "fsync": "off",
            "full_page_writes": "off",
            "max_wal_size": "2GB",
            "log_min_messages": "warning",
        }
        command = [str(programs / "postgres"), "-D", str(folder / "data")]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        # A session of its own, so that Ctrl-C reaches it only through us; and where Linux can, it ends when we are killed.
        deathbed = shutil.which("setpriv")
        if deathbed:
            command = [deathbed, "--pdeathsig", "INT", "--", *command]
        with log.open("ab") as out:
            server = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                **identity,
            )
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        if is_answering(server, url):
            return server, url
    pytest.fail(f"PostgreSQL did not start:\n{log.read_text(errors='replace')[-4000:]}", pytrace=False)


def is_answering(server: subprocess.Popen[bytes], url: str) -> bool:
    """Wait until the server answers, or has ended; whether it answers."""
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                server.kill()
                server.wait()
                return False
            time.sleep(0.02)  # nothing tells when a port begins to listen
        else:
            return server.poll() is None
    return False
