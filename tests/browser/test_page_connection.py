"""How a page hears of changes: when its server goes and comes back, behind proxies, hidden, and at rest."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from pages import Visitors, connection, listed, listed_ids, navigation, settled
from playwright.sync_api import Page, WebSocket, expect
from proxies import Proxy
from served import Served

IDLE_SECONDS = 30
MOST_IDLE_REQUESTS = 6


def test_a_server_that_dies_and_comes_back(serve: Callable[..., Served], visit: Visitors, tmp_path: Path) -> None:
    own = serve()
    own.run("brief")
    gate = str(tmp_path / "gate")
    own.begin("gated", gate, "3")
    run = own.newest("gated")
    page = visit(own, f"/runs/{run['id']}", may_fail=True)
    runs = visit(own, may_fail=True)
    for each in (page, runs):
        expect(connection(each)).to_have_text("Live")
        each.evaluate("window.isMarked = true")
    expect(page.get_by_role("application", name="Timeline of 1 run")).to_be_visible()

    own.server.kill()
    for each in (page, runs):
        expect(each.get_by_text("The server does not answer.")).to_be_visible()
        expect(connection(each)).to_have_text("Offline")
    assert len(listed_ids(runs)) == 2, "what was read stays"
    expect(page.get_by_role("application", name="Timeline of 1 run")).to_be_visible()
    for n in range(3):
        Path(f"{gate}.{n}").touch()

    own.server.start()
    page.get_by_role("button", name="Try now").click()
    for each in (page, runs):
        expect(connection(each)).to_have_text("Live")
        expect(each.get_by_text("The server does not answer.")).to_have_count(0)
    expect(page).to_have_title(f"{run['name']} completed · gated")
    expect(page.get_by_role("application", name="Timeline of 3 runs")).to_be_visible()
    own.run("brief")
    expect(listed(runs)).to_have_count(3)
    assert listed_ids(runs) == [each["id"] for each in own.runs()], "none is missing, none is there twice"
    log = page.get_by_role("region", name=f"Log of {run['name']}").locator("[data-n]")
    expect(log).to_have_count(3)
    assert page.evaluate("window.isMarked")
    assert runs.evaluate("window.isMarked")


@pytest.mark.parametrize("how", ["refuses", "strips", "swallows"])
def test_a_proxy_that_lets_no_socket_through(stage: Served, visit: Visitors, how: str) -> None:
    with Proxy(stage.server.port, how) as proxy:
        page = visit(stage, url=proxy.url, may_fail=True)
        expect(connection(page)).to_have_text("Polling")
        before = len(stage.runs())
        stage.run("brief")
        expect(listed(page)).to_have_count(before + 1)
        expect(listed(page).first).to_contain_text("Completed")
        connection(page).click()
        expect(page.get_by_text("WebSockets do not get through")).to_be_visible()
        expect(page.get_by_text("The server does not answer.")).to_have_count(0)
        assert proxy.handshakes == 3
        page.close()


@pytest.fixture(scope="module")
def below(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Serve a home under a path."""
    served = Served(tmp_path_factory.mktemp("below") / "home", STELLWERK_SERVER_PATH="/a/b")
    yield served
    served.close()


@pytest.mark.parametrize(("how", "word"), [("passes", "Live"), ("refuses", "Polling")])
def test_the_page_works_under_a_path(below: Served, visit: Visitors, how: str, word: str) -> None:
    below.run("tidy")
    run = below.newest("tidy")
    with Proxy(below.server.port, how) as proxy:
        root = f"{proxy.url}/a/b"
        page = visit(below, f"/runs/{run['id']}?tab=logs", url=root, may_fail=how == "refuses")
        expect(page.get_by_role("region", name=f"Log of {run['name']}").locator("[data-n]")).to_have_count(2)
        expect(connection(page)).to_have_text(word)
        page.get_by_role("tab", name="Graph").click()
        page.wait_for_url(f"{root}/runs/{run['id']}?tab=graph")
        expect(page.get_by_role("application", name="Graph of 3 nodes, 2 edges")).to_be_visible()
        page.reload()
        expect(page.get_by_role("application", name="Graph of 3 nodes, 2 edges")).to_be_visible()
        page.keyboard.press("g")
        page.keyboard.press("f")
        page.wait_for_url(f"{root}/flows")
        link = page.get_by_role("row").get_by_role("link", name="tidy", exact=True)
        expect(link).to_have_attribute("href", "/a/b/runs?q=flow:tidy")
        link.click()
        expect(listed(page)).to_have_count(len(below.runs()))
        below.run("tidy")
        expect(listed(page)).to_have_count(len(below.runs()))
        page.goto(f"{root}/")
        page.wait_for_url(f"{root}/runs")
        paths = [head.split(b" ")[1] for head in proxy.heads]
        assert all(path.startswith(b"/a/b/") for path in paths), paths
        page.close()


class Wire:
    """What a page sent over its socket."""

    def __init__(self, page: Page) -> None:
        self.frames: list[dict[str, Any]] = []
        page.on("websocket", self._listen)

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framesent", lambda frame: self.frames.append(json.loads(frame)))


def test_a_hidden_tab_asks_for_nothing_and_catches_up(stage: Served, visit: Visitors) -> None:
    page = visit.watched(visit.profile(), stage.url)
    wire = Wire(page)
    page.goto(f"{stage.url}/runs#code={stage.code()}")
    expect(connection(page)).to_have_text("Live")
    before = len(stage.runs())
    expect(listed(page)).to_have_count(before)
    hide = """(state) => {
        Object.defineProperty(document, 'visibilityState', { value: state, configurable: true })
        document.dispatchEvent(new Event('visibilitychange'))
    }"""
    page.evaluate(hide, "hidden")
    page.wait_for_function("true")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    stage.run("brief")
    # Whatever is on its way would be here before the answer to this.
    page.evaluate("fetch('health').then((answer) => answer.text())")
    assert [url for url in asked if not url.endswith("/health")] == []
    expect(listed(page)).to_have_count(before)
    assert wire.frames[-1] == {"subscribe": []}

    page.evaluate(hide, "visible")
    expect(listed(page)).to_have_count(before + 1)
    assert wire.frames[-1] == {"subscribe": ["runs"]}


@pytest.mark.parametrize("place", ["/runs", "/flows", "lasting", "lasting?tab=logs", "lasting?tab=graph"])
def test_a_tab_at_rest_asks_for_little(served: Served, visit: Visitors, place: str) -> None:
    flow, mark, query = place.partition("?")
    path = place if place.startswith("/") else f"/runs/{served.newest(flow)['id']}{mark}{query}"
    page = visit.watched(visit.profile(), served.url)
    page.clock.install()
    wire = Wire(page)
    page.goto(f"{served.url}{path}#code={served.code()}")
    settled(page)
    expect(connection(page)).to_have_text("Live")
    page.clock.run_for(2_000)
    settled(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(1_000 * IDLE_SECONDS)
    settled(page)
    assert len(asked) <= MOST_IDLE_REQUESTS, asked
    assert wire.frames[-1]["subscribe"]
    expect(connection(page)).to_have_text("Live")


def test_the_connection_is_explained(served: Served, visit: Visitors) -> None:
    page = visit(served)
    expect(connection(page)).to_have_text("Live")
    connection(page).click()
    hint = page.get_by_text("Changes are shown as they happen.")
    expect(hint).to_be_visible()
    expect(page.get_by_text(re.compile(r"^Stellwerk \d"))).to_be_visible()
    page.keyboard.press("Escape")
    expect(hint).to_be_hidden()
    expect(navigation(page).get_by_role("link", name="Runs")).to_have_attribute("aria-current", "page")


def test_a_stranger_on_the_dead_servers_port_gets_no_token(serve: Callable[..., Served], visit: Visitors) -> None:
    own = serve()
    own.run("brief")
    page = visit(own, may_fail=True)
    expect(connection(page)).to_have_text("Live")
    token = page.evaluate("sessionStorage.getItem('stellwerk.token')")
    own.server.kill()
    expect(connection(page)).to_have_text("Offline")
    with Stranger(own.server.port) as stranger:
        page.get_by_role("button", name="Try now").click()
        stranger.wait_until_asked(page)
        expect(connection(page)).to_have_text("Offline")
        heard = stranger.heard
    assert token.rpartition(".")[2].encode() not in heard
    assert b"Bearer" not in heard
    own.server.start()
    expect(connection(page)).to_have_text("Live")
    assert page.evaluate("sessionStorage.getItem('stellwerk.token')") == token


class Stranger(AbstractContextManager["Stranger"]):
    """Listen on a port as another user might: keep all that is heard, and answer as if all were well."""

    def __init__(self, port: int) -> None:
        self.heard = b""
        self._socket = socket.create_server(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def wait_until_asked(self, page: Page) -> None:
        """Wait until a page has twice wanted a proof, and so has had an answer."""
        for _ in range(600):
            if self.heard.count(b"POST /api/proof") >= 2:
                return
            page.wait_for_timeout(50)
        pytest.fail(f"the page never asked for a proof: {self.heard!r}")

    def _listen(self) -> None:
        body = b'{"proof": "00", "token": "x"}'
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(1)
                try:
                    self.heard += connection.recv(65_536)
                    self.heard += connection.recv(65_536) if b'"nonce"' not in self.heard[-400:] else b""
                    connection.sendall(answer % len(body) + body)
                except OSError:
                    pass
