"""Debian's Chromium with the page open in it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from typing import Any

from ground import Ground
from server import Server

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-sync".split()
)
# Notes, in the page, when the table of tasks first says that so many are completed.
WATCH = """() => {
  window.seen = {}
  const look = () => {
    const table = document.querySelector('[aria-label="Tasks"]')
    const found = table && /([\\d\\s\\u2009\\u202f]+) completed|×([\\d]+)[^]*completed/i.exec(table.textContent)
    if (!found) return
    const count = Number((found[1] ?? found[2]).replace(/\\D/g, ''))
    for (let n = count; n > 0 && !(n in window.seen); n--) window.seen[n] = Date.now() / 1000
  }
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true })
  look()
}"""


class OpenPage:
    """A tab that is signed in."""

    def __init__(self, page: Any, url: str) -> None:
        self._page = page
        self._url = url

    def watch_run(self, run_id: str) -> None:
        """Open a run and note from now on when its tasks are shown as completed."""
        self._page.goto(f"{self._url}/runs/{run_id}")
        self._page.get_by_role("table", name="Tasks").wait_for()
        self._page.evaluate(WATCH)

    def shown(self, count: int) -> dict[int, float]:
        """Tell when each count was first shown, in seconds since the epoch; waits for the last."""
        self._page.wait_for_function(f"{count} in window.seen", timeout=10_000)
        return {int(n): at for n, at in self._page.evaluate("window.seen").items()}


@contextlib.contextmanager
def open_page(ground: Ground, server: Server) -> Iterator[OpenPage]:
    """Start a browser and sign in by a one-time link."""
    from playwright.sync_api import sync_playwright  # needed by one case, and not light

    command = [ground.python, "-m", "stellwerk", "open", "--print"]
    told = subprocess.run(command, env=ground.environment, capture_output=True, text=True, check=True).stdout
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(channel=None, executable_path="/usr/bin/chromium", args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(told.strip().splitlines()[-1])
        page.wait_for_url("**/runs*")
        yield OpenPage(page, server.url)
        browser.close()
