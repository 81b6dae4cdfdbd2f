"""Pages of the browser tests: how they are opened and watched, and when they are ready."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, Response, expect
from served import Served

DESKTOP = {"width": 1440, "height": 900}
STATES = Path(__file__).parents[2] / "ui" / "src" / "gql" / "states.json"
ZONE = "Europe/Zurich"  # neither UTC nor what a machine of a build has


class Visitors:
    """Open pages and note what they must not do: log an error, break a rule of the CSP, fail at a request, or ask
    any other host than the server.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    def profile(self, **options: Any) -> BrowserContext:
        """Make a fresh profile: no storage, a fixed time zone and language, nothing that moves."""
        defaults = {
            "viewport": DESKTOP,
            "timezone_id": ZONE,
            "locale": "en-GB",
            "reduced_motion": "reduce",
            "permissions": ["clipboard-read", "clipboard-write"],
        }
        context = self._browser.new_context(**{**defaults, **options})
        context.set_default_timeout(15_000)
        self._contexts.append(context)
        return context

    def watched(self, context: BrowserContext, url: str, may_fail: bool = False) -> Page:
        """Open an empty tab that is watched; `may_fail`: its server is about to be away."""
        page = context.new_page()
        _watch(page, urlsplit(url).netloc, [] if may_fail else self.complaints)
        return page

    def __call__(self, at: Served, path: str = "/runs", url: str = "", may_fail: bool = False, **options: Any) -> Page:
        """Sign in with a one-time code in a fresh profile and open a place of the page.

        Args:
            at: the server.
            path: the place.
            url: of a proxy before the server, with its path.
            may_fail: do not complain.
            options: of the profile.
        """
        url = url or at.url
        page = self.watched(self.profile(**options), url, may_fail)
        page.goto(f"{url}{path}#code={at.code()}")
        expect(navigation(page)).to_be_visible()
        return page

    def close(self) -> None:
        """Close all that was opened."""
        for context in self._contexts:
            context.close()


def _watch(page: Page, host: str, complaints: list[str]) -> None:
    def on_request(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != host:
            complaints.append(f"asked another host: {request.url}")

    def on_response(answer: Response) -> None:
        if answer.status >= 400:
            complaints.append(f"{answer.status} {answer.url}")

    def on_failure(request: Request) -> None:
        # A page that moves on lets go of what it no longer needs.
        if request.failure != "net::ERR_ABORTED":
            complaints.append(f"{request.failure} {request.url}")

    page.on("console", lambda message: message.type == "error" and complaints.append(f"console: {message.text}"))
    page.on("pageerror", lambda problem: complaints.append(f"error on the page: {problem}"))
    page.on("request", on_request)
    page.on("response", on_response)
    page.on("requestfailed", on_failure)
    page.on("websocket", lambda socket: urlsplit(socket.url).netloc != host and complaints.append(socket.url))


# ── parts that every page has ────────────────────────────────────────────────────────────────────────────────────────
def navigation(page: Page) -> Locator:
    """Find the bar with the pages."""
    return page.get_by_role("navigation", name="Stellwerk")


def connection(page: Page) -> Locator:
    """Find the word that says how the connection is."""
    return navigation(page).get_by_role("button", name=re.compile("^(Live|Polling|Offline|Connecting)$"))


def settled(page: Page) -> None:
    """Wait until everything that is shown at first has come."""
    expect(page.get_by_role("heading", level=1).first).to_be_visible()
    expect(page.locator("[aria-busy=true]:visible, [role=status][aria-label=Loading]")).to_have_count(0)
    page.evaluate("document.fonts.ready.then(() => null)")
    # What was read last is drawn with the frame after the next.
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))")


TOLD_BESIDE = {"OwnerLost", "Interrupted", "Exited"}  # labels that the page tells in words beside the state


def word_of(run: dict[str, Any]) -> re.Pattern[str]:
    """Match the word under which a run is shown: its label's where that says more, else its state's."""
    looks = json.loads(STATES.read_text(encoding="utf-8"))
    words = {look["state"]: look["word"] for look in looks["states"]}
    words |= {look["label"]: look["word"] for look in looks["labels"] if look["label"] not in TOLD_BESIDE}
    return re.compile(f"^{words.get(run['label'], words[run['state']])}$")


# ── the list of runs ─────────────────────────────────────────────────────────────────────────────────────────────────
def listed(page: Page) -> Locator:
    """Find the rows of the list of runs."""
    return page.get_by_role("table", name="Runs").get_by_role("row").filter(has=page.locator("[data-run]"))


def listed_ids(page: Page) -> list[str]:
    """Read which runs are listed, from top to bottom."""
    links: list[list[Any]] = page.locator("[data-run]").evaluate_all(
        "(links) => links.map((link) => [Number(link.dataset.run), link.pathname.split('/').at(-1)])"
    )
    return [run for _, run in sorted(links)]


def chips(page: Page) -> dict[str, int]:
    """Read the counts by state above the list."""
    texts = page.get_by_role("group", name="States").get_by_role("button").all_inner_texts()
    found = (re.fullmatch(r"(\w+)\s*([\d\u202f]*)", text.strip()) for text in texts)
    return {match[1].lower(): number(match[2] or "-1") for match in found if match}


def number(text: str) -> int:
    """Read a count with thin spaces."""
    return int(text.replace("\u202f", ""))
