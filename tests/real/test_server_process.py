"""The server as a process: started, looked at, stopped, killed, refused; always by the command line."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from channels import Line
from servers import Server, free_port
from wire import HOLDER, Root, check_all, runs_of

from stellwerk import __version__
from stellwerk.model.messages import Ack
from stellwerk.model.wire import Send

SECONDS = 30
COMMAND = [sys.executable, "-m", "stellwerk", "server"]
TOKEN = "sixteen-letters!"


def call(*arguments: object, **environment: str) -> tuple[int, str, str]:
    """Call `stellwerk server …` and wait for its end."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def in_background(home: Path) -> Iterator[Callable[..., dict[str, Any]]]:
    """Start a server in the background; what is left of it is killed."""

    def start(*options: object, **environment: str) -> dict[str, Any]:
        code, said, problem = call("start", "--port", 0, "--background", *options, **environment)
        assert (code, problem) == (0, ""), problem
        file = read(home)
        assert file["url"] in said
        return file

    yield start
    if (home / "server.json").exists():
        with contextlib.suppress(ProcessLookupError):
            os.kill(read(home)["pid"], signal.SIGKILL)


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    server = Server()
    server.start()
    yield server
    server.kill()


def read(home: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((home / "server.json").read_text(encoding="utf-8"))
    return told


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def record(file: dict[str, Any]) -> None:
    root = Root()
    with Line(file["url"], file["secret"], HOLDER) as line:
        assert line.send(root.batch(*root.begin(), root.end())) == Ack(1)


# ── a life in order ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_says_what_it_serves_and_how_to_stop_it(home: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "start", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(4)]
    file = read(home)
    assert lines[0] == f"Stellwerk {__version__} serves {home}/stellwerk.db\n"
    assert file["url"] in lines[1]
    assert re.search(rf"{re.escape(file['url'])}/#code=[\w-]{{20,}} ", lines[2])
    assert "Ctrl-C" in lines[3]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out, err) == (0, "The server has ended.\n", "")
    assert not (home / "server.json").exists()


def test_its_file_is_complete_and_private(server: Server, home: Path) -> None:
    assert (home / "server.json").stat().st_mode & 0o777 == 0o600
    file = read(home)
    assert set(file) == set("url pid started_at boot_id host database_id secret version".split())
    assert (file["url"], file["pid"], file["version"]) == (server.url, server.pid, __version__)
    assert len(file["secret"]) >= 32
    record(file)


def test_its_secret_is_new_at_each_start(server: Server, home: Path) -> None:
    before = read(home)
    server.stop()
    assert not (home / "server.json").exists()
    server.start()
    after = read(home)
    assert before["secret"] != after["secret"]
    assert before["database_id"] == after["database_id"]


def test_in_the_background(in_background: Callable[..., dict[str, Any]], home: Path) -> None:
    file = in_background()
    record(file)
    assert os.getsid(file["pid"]) == file["pid"]  # no terminal of ours ends it
    assert (home / "server.log").stat().st_mode & 0o777 == 0o600
    code, said, _ = call("status", "--json")
    facts = json.loads(said)
    assert code == 0
    assert facts["running"] is True
    assert (facts["url"], facts["pid"], facts["version"]) == (file["url"], file["pid"], __version__)
    assert facts["database"] == str(home / "stellwerk.db")
    assert facts["runs_under_way"] == 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*Z", facts["since"])
    assert call("stop") == (0, f"The server {file['url']} has ended.\n", "")
    assert not is_running(file["pid"])
    assert not (home / "server.json").exists()
    assert (home / "server.log").read_text() == ""


def test_status_counts_runs_under_way(in_background: Callable[..., dict[str, Any]]) -> None:
    file = in_background()
    root = Root()
    with Line(file["url"], file["secret"], HOLDER) as line:
        assert line.send(root.batch(*root.begin())) == Ack(1)
        assert json.loads(call("status", "--json")[1])["runs_under_way"] == 1
    assert "runs under way  1" in call("status")[1]


def test_without_a_server(home: Path) -> None:
    nothing = f"No server of {home} is running.\n"
    assert call("status") == (5, nothing, "")
    assert json.loads(call("status", "--json")[1]) == {"running": False, "home": str(home)}
    assert call("stop") == (0, nothing, "")


def test_a_log_that_has_grown_is_moved_aside(in_background: Callable[..., dict[str, Any]], home: Path) -> None:
    home.mkdir()
    (home / "server.log").write_bytes(b"x" * 6_000_000)
    in_background()
    assert (home / "server.log").stat().st_size < 1_000
    assert (home / "server.log.1").stat().st_size == 6_000_000


# ── two of them ──────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("options", [(), ("--background",)])
def test_a_second_one_of_the_same_home_is_refused(server: Server, home: Path, options: tuple[str, ...]) -> None:
    before = read(home)
    code, said, problem = call("start", "--port", 0, *options)
    assert (code, said) == (6, "")
    assert f"A server is running already: {server.url}, process {server.pid}" in problem
    assert "stellwerk server stop" in problem
    assert read(home) == before
    record(before)


def test_of_many_that_start_at_once_one_serves(home: Path) -> None:
    starts = [
        subprocess.Popen([*COMMAND, "start", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    try:
        end = time.monotonic() + SECONDS
        while sum(process.poll() is None for process in starts) > 1:
            assert time.monotonic() < end
            time.sleep(0.02)
        (winner,) = (process for process in starts if process.poll() is None)
        for loser in starts:
            if loser is not winner:
                assert loser.returncode == 6
                assert re.search("is running already|is just being started", loser.communicate()[1])
        assert winner.stdout is not None
        assert winner.stdout.readline()
        assert read(home)["pid"] == winner.pid
        record(read(home))
    finally:
        for process in starts:
            process.kill()
            process.communicate()


def test_two_homes_have_a_server_each(server: Server, tmp_path: Path) -> None:
    other = Server(STELLWERK_HOME=str(tmp_path / "other"))
    other.start()
    try:
        assert other.secret() != server.secret()
        assert Line(other.url, server.secret()).refusal()[0] == "unauthenticated"
    finally:
        other.stop()


def test_a_port_that_is_taken(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for options in ((), ("--background",)):
            code, said, problem = call("start", "--port", port, *options)
            assert (code, said) == (2, "")
            assert problem.startswith(f"Port {port} of 127.0.0.1 is taken by another program.\n")
            assert "--port" in problem.splitlines()[1]
            assert not (home / "server.json").exists()
            assert not (home / "stellwerk.db").exists()  # nothing was touched


# ── ends that are not in order ───────────────────────────────────────────────────────────────────────────────────────
def test_after_a_kill_it_starts_again(server: Server, home: Path) -> None:
    pid = server.pid
    server.kill()
    assert read(home)["pid"] == pid  # nobody could tidy up
    assert call("status")[0] == 5
    assert call("stop")[0] == 0
    server.start()
    assert read(home)["pid"] == server.pid != pid
    record(read(home))


def test_stop_signals_nobody_but_the_server(home: Path) -> None:
    # The number of a dead server's process may be another program's by now.
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"]) as stranger:
        home.mkdir()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        file = {
            "url": "http://127.0.0.1:1",
            "pid": stranger.pid,
            "started_at": 1,
            "boot_id": f"{boot}/{os.readlink('/proc/self/ns/pid')}",
            "host": os.uname().nodename,
            "database_id": "x",
            "secret": "x",
        }
        (home / "server.json").write_text(json.dumps(file), encoding="utf-8")
        (home / "server.json").chmod(0o600)
        assert call("stop")[0] == 0
        assert call("status")[0] == 5
        file["host"] = "another-machine"
        (home / "server.json").write_text(json.dumps(file), encoding="utf-8")
        code, _, problem = call("stop")
        assert code == 6
        assert "another-machine" in problem
        assert stranger.poll() is None
        stranger.kill()


def test_a_file_that_others_may_read_is_not_believed(server: Server, home: Path) -> None:
    (home / "server.json").chmod(0o644)
    code, _, problem = call("stop")
    assert code == 0
    assert "others may read it" in problem
    assert is_running(server.pid)


def test_one_that_is_stopped_is_told_apart(server: Server) -> None:
    os.kill(server.pid, signal.SIGSTOP)
    try:
        code, said, problem = call("status")
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert (code, said) == (5, "")
    assert "is there, but it is stopped" in problem


def test_what_a_file_of_somebody_else_says_is_left_alone(server: Server, home: Path) -> None:
    file = read(home)
    (home / "server.json").write_text(json.dumps({**file, "secret": "another server's"}), encoding="utf-8")
    server.stop()
    assert read(home)["secret"] == "another server's"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_end_it_in_order(home: Path, number: int) -> None:
    process = subprocess.Popen([*COMMAND, "start", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    for _ in range(4):
        process.stdout.readline()
    process.send_signal(number)
    assert process.communicate(timeout=SECONDS)[1] == b""
    assert process.returncode == 0
    assert not (home / "server.json").exists()
    assert not (home / "stellwerk.db-wal").exists()  # the database is whole without it


def test_it_ends_although_the_database_is_held_up(server: Server, home: Path) -> None:
    root = Root()
    with Line(server.url, server.secret(), HOLDER) as line:
        blocker = sqlite3.connect(home / "stellwerk.db", isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        line.post(Send(1, root.batch(*root.begin())))
        server.stop()  # waits for less than a writer does
        blocker.close()
        assert line.close_code() == 1012
    assert runs_of(str(home / "stellwerk.db")) == {}


def test_what_waits_over_http_does_not_keep_it(server: Server) -> None:
    request = (
        f"GET /api/live?topics=runs&wait=25 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.secret()}\r\n\r\n"
    )
    with (
        socket.create_connection(("127.0.0.1", server.port)) as waiting,
        socket.create_connection(("127.0.0.1", server.port)) as silent,
    ):
        waiting.sendall(request.replace("Host: x", f"Host: 127.0.0.1:{server.port}").encode())
        silent.sendall(b"GET /health HT")
        server.stop()


# ── where it listens ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("token", "said"), [("", "is not set"), ("fifteen-letters", "has only 15 characters")])
@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_beyond_this_machine_only_with_a_token(home: Path, host: str, token: str, said: str) -> None:
    code, out, problem = call("start", "--host", host, "--port", 0, STELLWERK_API_TOKEN=token)
    assert (code, out) == (2, "")
    assert said in problem
    assert "Set it to 16 characters or more" in problem
    assert "--host 127.0.0.1" in problem
    assert token not in problem or not token
    assert not (home / "stellwerk.db").exists()


def test_with_one_it_does(home: Path, in_background: Callable[..., dict[str, Any]]) -> None:
    file = in_background("--host", "0.0.0.0", STELLWERK_API_TOKEN=TOKEN)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", file["url"])
    record(file)
    with Line(file["url"], TOKEN, HOLDER) as line:
        assert line.send(Root().batch()) == Ack(1)


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("no-such-host.invalid", "nobody knows that name"),
        ("192.0.2.1", "is not an address of this machine"),
        ("a" * 300, "nobody knows that name"),
    ],
)
def test_where_it_can_not_listen(home: Path, host: str, said: str) -> None:
    code, out, problem = call("start", "--host", host, "--port", 0)
    assert (code, out) == (2, "")
    assert said in problem
    assert "--host 127.0.0.1" in problem


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_what_is_no_port(home: Path, port: str) -> None:
    code, _, problem = call("start", "--port", port)
    assert code == 2
    assert "--port" in problem


def test_settings_say_where(home: Path) -> None:
    port = free_port()
    code, said, _ = call("start", "--background", STELLWERK_SERVER_PORT=str(port), STELLWERK_SERVER_HOST="localhost")
    assert code == 0
    assert f"http://127.0.0.1:{port}" in said
    assert call("stop")[0] == 0


# ── the database ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_on_postgres(home: Path, in_background: Callable[..., dict[str, Any]], postgres_database: str) -> None:
    file = in_background("--database-url", postgres_database)
    root = Root()
    with Line(file["url"], file["secret"], HOLDER) as line:
        assert line.send(root.batch(*root.begin(), root.end())) == Ack(1)
    assert runs_of(postgres_database)[root.id].state == "completed"
    assert not (home / "stellwerk.db").exists()
    assert json.loads(call("status", "--json")[1])["database"].startswith("postgresql://postgres@127.0.0.1")
    assert call("stop")[0] == 0
    check_all(postgres_database)
    again = in_background("--database-url", postgres_database)
    assert again["database_id"] == file["database_id"]


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("postgresql://nobody:s3cret@127.0.0.1:1/none", 6, "can't be reached"),
        ("mysql://somewhere/else", 2, "must be a URL such as"),
        ("sqlite:////no/such/folder/at.db", 6, "does not exist"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--background",)])
def test_a_database_that_is_not_there(home: Path, url: str, code: int, said: str, options: tuple[str, ...]) -> None:
    ended, out, problem = call("start", "--port", 0, "--database-url", url, *options)
    assert (ended, out) == (code, "")
    assert said in problem
    assert "s3cret" not in problem
    assert "Traceback" not in problem
    assert not (home / "server.json").exists()


def test_runs_of_before_are_there(home: Path) -> None:
    from wire import accept, open_store

    home.mkdir()
    store = open_store(str(home / "stellwerk.db"))
    root = Root()
    accept(store, root.batch(*root.begin(), root.end()))
    store.close()
    server = Server()
    server.start()
    try:
        request = urllib.request.Request(
            f"{server.url}/api/runs", headers={"Authorization": f"Bearer {server.secret()}"}
        )
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            assert [run["name"] for run in json.loads(answer.read())] == ["night train"]
    finally:
        server.stop()


def test_pages_let_in_before_a_restart_stay_in(server: Server) -> None:
    def ask(path: str, token: str, body: bytes | None = None) -> dict[str, Any]:
        request = urllib.request.Request(f"{server.url}{path}", body, {"Content-Type": "application/json"})
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            told: dict[str, Any] = json.loads(answer.read())
            return told

    code = ask("/api/links", server.secret(), b"{}")["code"]
    token = ask("/api/session", "", json.dumps({"code": code}).encode())["token"]
    before = ask("/api/server", token)
    server.kill()
    server.start()
    after = ask("/api/server", token)
    assert after["database_id"] == before["database_id"]
    assert after["server_id"] != before["server_id"]
    with pytest.raises(urllib.error.HTTPError, match="401"):
        ask("/api/session", "", json.dumps({"code": code}).encode())


@pytest.mark.parametrize("which", ["home", "database"])
def test_a_home_that_others_may_change_is_refused(home: Path, which: str) -> None:
    home.mkdir()
    path = home if which == "home" else home / "stellwerk.db"
    if path != home:
        path.touch()
    path.chmod(0o777)
    code, _, problem = call("start", "--port", 0)
    assert code == 2
    assert f"{path} can be changed by other users of this machine (mode 777" in problem
    assert "chmod go-w" in problem
    assert not (home / "server.json").exists()
    assert not (home / "server.lock").exists()


def test_a_link_in_place_of_the_lock_is_not_followed(home: Path, tmp_path: Path) -> None:
    home.mkdir()
    (home / "server.lock").symlink_to(tmp_path / "elsewhere")
    code, _, _ = call("start", "--port", 0)
    assert code == 2
    assert not (tmp_path / "elsewhere").exists()
