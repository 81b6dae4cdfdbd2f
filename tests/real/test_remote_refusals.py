"""Servers that can't be reached or are none: who is told what, and how soon."""

from __future__ import annotations

import http.server
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from scripts import Script
from servers import Server, free_port
from websockets.sync.server import ServerConnection, serve

from stellwerk.model.wire import PROTOCOL, Refused, Welcome

FLOW = """
    @flow
    def pipeline():
        print("RAN")
    try: pipeline()
    except Exception as problem:
        print(type(problem).__name__, sorted(problem.facts))
        raise
"""
TOKEN = "a-token-of-many-letters"


def answering(answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> tuple[http.server.HTTPServer, str]:
    """Start an HTTP server that answers everything by a function."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}"


def say(status: int, body: bytes, kind: str = "text/html") -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    server = Server(STELLWERK_API_TOKEN=TOKEN)
    server.start()
    yield server
    server.kill()


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stellwerk", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


def refused(run: Callable[..., Script], url: str, **environment: str) -> tuple[str, str]:
    """Run a flow that reports to a URL and is refused; the exception's name, and what it said."""
    began = time.monotonic()
    status, out, err = run(FLOW, STELLWERK_API_URL=url, STELLWERK_LEASE_SECONDS="30", **environment).end()
    assert status == 1, err
    assert "RAN" not in out
    assert time.monotonic() - began < 20  # long before the patience for what may pass is over
    assert "trying for" not in err
    return out.split()[0], err.rpartition("stellwerk.errors.")[2]


def test_nobody_listens(run: Callable[..., Script], home: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    script = run(FLOW, STELLWERK_API_URL=url, STELLWERK_LEASE_SECONDS="0.7")
    assert script.process.stderr is not None
    assert script.process.stderr.readline() == (
        f"The server {url} can't be reached (connection refused); trying for 0.7 s.\n"
    )
    status, out, err = script.end()
    assert status == 1
    assert out == "UnavailableError ['is_passing', 'reason', 'server']\n"
    assert "trying" not in err
    assert not home.exists()
    # The command ends with the code for it, and reading at once.
    done = command("runs", "ls", STELLWERK_API_URL=url)
    assert done.returncode == 5
    assert done.stderr.startswith(f"The server {url} can't be reached (connection refused).\n  → ")
    flow = Path(os.environ["STELLWERK_HOME"]).parent / "trains.py"
    flow.write_text("from stellwerk import flow\n@flow\ndef f(): pass\n", encoding="utf-8")
    done = command("run", str(flow), STELLWERK_API_URL=url, STELLWERK_LEASE_SECONDS="0.3")
    assert done.returncode == 5, done.stderr


def test_a_server_that_comes_in_time_is_waited_for(run: Callable[..., Script], home: Path) -> None:
    server = Server(STELLWERK_API_TOKEN=TOKEN)
    script = run(FLOW, STELLWERK_API_URL=server.url, STELLWERK_API_TOKEN=TOKEN)
    assert script.process.stderr is not None
    assert "trying for 30 s." in script.process.stderr.readline()
    server.start()
    try:
        status, out, _ = script.end()
        assert (status, out) == (0, "RAN\n")
    finally:
        server.kill()


def test_ctrl_c_while_the_first_connection_is_tried(run: Callable[..., Script]) -> None:
    script = run(FLOW, STELLWERK_API_URL=f"http://127.0.0.1:{free_port()}")
    assert script.process.stderr is not None
    script.process.stderr.readline()
    script.process.send_signal(2)
    assert script.end()[0] == -2


@pytest.mark.parametrize(
    ("status", "body", "kind", "told"),
    [
        (404, b"<html>Not found</html>", "text/html; charset=utf-8", "status 404 and text/html (BaseHTTP"),
        (200, b"<html>Welcome!</html>", "text/html", "status 200 and text/html"),
        (200, b'{"hello": "world"}', "application/json", "status 200 and application/json"),
        (403, b"no", "text/plain", "status 403 and text/plain"),
        (500, b"", "", "status 500 and no content type"),
    ],
)
def test_a_wrong_server(run: Callable[..., Script], status: int, body: bytes, kind: str, told: str) -> None:
    wrong, url = answering(say(status, body, kind))
    name, err = refused(run, url)
    assert name == "ConfigError"
    assert f"{url} answers, but is not a Stellwerk server" in err
    assert told in err
    done = command("runs", "ls", STELLWERK_API_URL=url)
    assert done.returncode == 2, done.stderr
    assert "not a Stellwerk server" in done.stderr
    wrong.shutdown()
    wrong.server_close()


def test_a_proxy_whose_server_is_away_may_pass(run: Callable[..., Script]) -> None:
    wrong, url = answering(say(502, b"<html>Bad gateway</html>"))
    status, out, err = run(FLOW, STELLWERK_API_URL=url, STELLWERK_LEASE_SECONDS="0.5").end()
    assert status == 1
    assert out.startswith("UnavailableError")
    assert "the proxy in front of it answers 502" in err
    wrong.shutdown()
    wrong.server_close()


def listening(talk: Callable[[socket.socket], None]) -> tuple[socket.socket, str]:
    listener = socket.create_server(("127.0.0.1", 0))

    def work() -> None:
        while True:
            try:
                came, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(came,), daemon=True).start()

    threading.Thread(target=work, daemon=True).start()
    return listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_what_speaks_no_http(run: Callable[..., Script]) -> None:
    def talk(came: socket.socket) -> None:
        came.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        came.recv(65_536)
        came.close()

    listener, url = listening(talk)
    name, err = refused(run, url)
    assert name == "ConfigError"
    assert "answers, but not by HTTP" in err
    done = command("runs", "ls", STELLWERK_API_URL=url)
    assert done.returncode != 0
    assert "HTTP" in done.stderr
    listener.close()


def test_what_says_nothing(run: Callable[..., Script]) -> None:
    listener, url = listening(lambda came: time.sleep(600))
    script = run(FLOW, STELLWERK_API_URL=url, STELLWERK_LEASE_SECONDS="3")
    assert script.process.stderr is not None
    assert "no answer yet); trying for 3 s" in script.process.stderr.readline()
    status, out, _ = script.end()
    assert status == 1
    assert out.startswith("UnavailableError")
    listener.close()


def test_a_wrong_token(run: Callable[..., Script], server: Server) -> None:
    name, err = refused(run, server.url, STELLWERK_API_TOKEN="wrong")
    assert name == "Unauthenticated"
    assert "Correct STELLWERK_API_TOKEN (it comes from STELLWERK_API_TOKEN)" in err
    name, err = refused(run, server.url)
    assert name == "Unauthenticated"
    assert "Set STELLWERK_API_TOKEN to the token that the server was started with" in err
    done = command("runs", "ls", STELLWERK_API_URL=server.url)
    assert done.returncode == 6, done.stderr
    assert "Set STELLWERK_API_TOKEN" in done.stderr


def test_a_token_that_may_not_be_sent(run: Callable[..., Script], server: Server, tmp_path: Path) -> None:
    (tmp_path / "stellwerk.toml").write_text(f'api_url = "{server.url}"\n', encoding="utf-8")
    status, out, err = run(FLOW, STELLWERK_API_TOKEN=TOKEN).end()
    assert status == 1
    assert out.startswith("Unauthenticated")
    assert f"is not sent to a URL that {tmp_path / 'stellwerk.toml'} sets" in err


def channel(talk: Callable[[ServerConnection], None]) -> tuple[Any, str]:
    """Start a server whose channel answers by a function."""
    server = serve(talk, "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.socket.getsockname()[1]}"


def test_a_server_of_another_version_that_refuses(run: Callable[..., Script]) -> None:
    def talk(line: ServerConnection) -> None:
        line.recv()
        line.send(
            msgspec.msgpack.encode(Refused("version_mismatch", "We are 9.9, you are 0.1.0.", "Upgrade the client."))
        )
        line.close(4426)

    server, url = channel(talk)
    name, err = refused(run, url)
    assert name == "ConfigError"
    assert "We are 9.9, you are 0.1.0." in err
    assert "Upgrade the client." in err
    server.shutdown()


def test_a_server_of_another_version_that_does_not_know_us(run: Callable[..., Script]) -> None:
    def talk(line: ServerConnection) -> None:
        line.recv()
        line.send(msgspec.msgpack.encode(Welcome(PROTOCOL + 1, "9.9", "rails", "server")))
        line.recv()

    server, url = channel(talk)
    name, err = refused(run, url)
    assert name == "ConfigError"
    assert f"is Stellwerk 9.9 and speaks protocol {PROTOCOL + 1}" in err
    assert f"this process is Stellwerk 0.1.0 and speaks protocol {PROTOCOL}" in err
    server.shutdown()


def test_a_channel_that_speaks_nonsense(run: Callable[..., Script]) -> None:
    def talk(line: ServerConnection) -> None:
        line.recv()
        line.send(b"\xc1 what?")
        line.recv()

    server, url = channel(talk)
    name, err = refused(run, url)
    assert name == "ConfigError"
    assert "not as a Stellwerk server of this version does" in err
    server.shutdown()


def test_https_where_http_is_spoken(run: Callable[..., Script], server: Server) -> None:
    name, err = refused(run, server.url.replace("http://", "https://"))
    assert name == "ConfigError"
    assert "not by TLS" in err
    assert "http://" in err


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate that nobody has signed but itself."""
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost "
        "-addext subjectAltName=DNS:localhost".split(),
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return folder


class TlsDoor:
    """Speak TLS in front of a server that does not."""

    def __init__(self, folder: Path, port: int) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        self._context = context
        self._to = port
        self.listener, url = listening(self._talk)
        self.url = url.replace("http://127.0.0.1", "https://localhost")

    def _talk(self, came: socket.socket) -> None:
        try:
            inside = self._context.wrap_socket(came, server_side=True)
        except OSError:
            return
        server = socket.create_connection(("127.0.0.1", self._to))
        threading.Thread(target=self._pump, args=(server, inside), daemon=True).start()
        self._pump(inside, server)

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def test_a_certificate_that_nobody_vouches_for(run: Callable[..., Script], server: Server, certificate: Path) -> None:
    door = TlsDoor(certificate, server.port)
    name, err = refused(run, door.url, STELLWERK_API_TOKEN=TOKEN)
    assert name == "ConfigError"
    assert "can't be verified" in err
    assert "SSL_CERT_FILE" in err
    done = command("runs", "ls", STELLWERK_API_URL=door.url, STELLWERK_API_TOKEN=TOKEN)
    assert done.returncode == 2, done.stderr
    door.listener.close()


def test_runs_through_tls(run: Callable[..., Script], server: Server, certificate: Path, tmp_path: Path) -> None:
    door = TlsDoor(certificate, server.port)
    road = {
        "STELLWERK_API_URL": door.url,
        "STELLWERK_API_TOKEN": TOKEN,
        "SSL_CERT_FILE": str(certificate / "cert.pem"),
    }
    script = run(
        """
        @task
        def large(n): return b"r" * n
        @flow
        def pipeline(): return sum(len(f.result()) for f in large.map([1_000_000] * 3 + [10] * 300))
        assert pipeline() == 3_003_000
        """,
        **road,
    )
    status, _, err = script.end()
    assert status == 0, err
    done = command("runs", "ls", **road)
    assert done.returncode == 0, done.stderr
    assert "pipeline" in done.stdout
    door.listener.close()
