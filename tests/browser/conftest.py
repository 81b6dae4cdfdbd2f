"""What browser tests share: Debian's Chromium, a real server with real runs, and pages that may not misbehave.

A page fails its test when it logs an error to the console, when a request of it fails, or when it asks any other host.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from servers import Server

FLAGS = [
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
RUNS = Path(__file__).parent / "runs.py"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start Chromium once."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    assert chromium, "these tests need Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


class Served:
    """A server, its home, and the runs in it by the name of their flow."""

    def __init__(self, server: Server, home: Path) -> None:
        self.server = server
        self.home = home

    def environment(self, **more: str) -> dict[str, str]:
        """Give the environment of processes that use this home."""
        return {**os.environ, "STELLWERK_HOME": str(self.home), "PYTHONUNBUFFERED": "1", **more}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a flow of runs.py as a process."""
        return subprocess.Popen(
            [sys.executable, str(RUNS), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment(),
            start_new_session=True,
        )

    def run(self, *arguments: str) -> None:
        """Run a flow of runs.py to its end, however it ends."""
        self.start(*arguments).communicate(timeout=60)

    def cli(self, *arguments: str) -> str:
        """Run a command and return what it printed."""
        command = [sys.executable, "-m", "stellwerk", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=self.environment()).stdout

    def newest(self, flow: str) -> dict[str, Any]:
        """Find the newest run of a flow."""
        found: list[dict[str, Any]] = json.loads(self.cli("runs", "ls", "--json"))
        return next(run for run in found if run["flow"] == flow)

    def link(self, run: str = "") -> str:
        """Make a link with a fresh one-time code."""
        return self.cli("open", "--print", *([run] if run else [])).strip().splitlines()[-1]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve a home with one run of every ending in it."""
    home = tmp_path_factory.mktemp("served") / "home"
    server = Server(STELLWERK_HOME=str(home))
    server.start()
    served = Served(server, home)
    try:
        for flow in ("tidy", "spoilt", "wide"):
            served.run(flow)
        for number, flow in ((signal.SIGKILL, "struck"), (signal.SIGINT, "stopped")):
            process = served.start(flow)
            assert process.stdout is not None
            assert process.stdout.readline() == "at work\n"
            process.send_signal(number)
            process.communicate(timeout=60)
        yield served
    finally:
        server.kill()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Open a fresh context: no storage, a fixed time zone and language."""
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, timezone_id="Europe/Zurich", locale="en-GB", reduced_motion="reduce"
    )
    yield context
    context.close()


@pytest.fixture
def open_page(context: BrowserContext, served: Served) -> Iterator[Callable[..., Page]]:
    """Open pages that are watched: `open_page(path, may_fail=…)` signs in by a one-time link first."""
    complaints: list[str] = []

    def open_one(path: str = "/runs", may_fail: bool = False) -> Page:
        page = context.new_page()
        if not may_fail:
            _watch(page, served.server.url, complaints)
        page.goto(served.link())
        page.wait_for_url("**/runs*")
        if path != "/runs":
            page.goto(f"{served.server.url}{path}")
        return page

    yield open_one
    assert not complaints, "\n".join(complaints)


def _watch(page: Page, url: str, complaints: list[str]) -> None:
    host = urlsplit(url).netloc

    def on_request(request: Any) -> None:
        if urlsplit(request.url).scheme in ("http", "https", "ws", "wss") and urlsplit(request.url).netloc != host:
            complaints.append(f"asked another host: {request.url}")

    page.on("console", lambda message: message.type == "error" and complaints.append(f"console: {message.text}"))
    page.on("pageerror", lambda problem: complaints.append(f"error on the page: {problem}"))
    page.on("request", on_request)
    page.on("response", lambda answer: answer.status >= 400 and complaints.append(f"{answer.status} {answer.url}"))
