"""What browser tests share: Debian's Chromium, real servers with real runs, and pages that may not misbehave."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
from pages import Visitors, settled
from playwright.sync_api import Browser, Page, expect, sync_playwright
from served import Served, seed

FLAGS = [
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
expect.set_options(timeout=15_000)


# Not once a session: Playwright keeps an event loop in this thread, in which no other test could run one of its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium once a file."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    assert chromium, "these tests need Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve a home with a run of every ending in it. It is shared: nobody adds to it or stops its server."""
    served = Served(tmp_path_factory.mktemp("served") / "home")
    try:
        seed(served)
        yield served
    finally:
        served.close()


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve a home in which nothing has run; nobody adds to it."""
    served = Served(tmp_path_factory.mktemp("empty") / "home")
    yield served
    served.close()


@pytest.fixture
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Served]]:
    """Start servers of the test's own, each with an empty home; its arguments are settings."""
    started: list[Served] = []

    def start(**settings: str) -> Served:
        started.append(Served(tmp_path_factory.mktemp("own") / "home", **settings))
        return started[-1]

    yield start
    for served in started:
        served.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve a home of the module's own, to run things in."""
    served = Served(tmp_path_factory.mktemp("stage") / "home")
    yield served
    served.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visitors]:
    """Open pages, each in a browser profile of its own, and fail when one of them misbehaved."""
    visitors = Visitors(browser)
    yield visitors
    visitors.close()
    assert not visitors.complaints, "\n".join(visitors.complaints)


@pytest.fixture(scope="module")
def reader(browser: Browser, served: Served) -> Iterator[tuple[Visitors, Page]]:
    """Sign in once for all tests of a module that only look."""
    visitors = Visitors(browser)
    yield visitors, visitors(served)
    visitors.close()


@pytest.fixture
def look(reader: tuple[Visitors, Page], served: Served) -> Iterator[Callable[[str], Page]]:
    """Open a place of the page at the shared server, in the module's own tab, and fail when it misbehaved."""
    visitors, page = reader

    def at(path: str) -> Page:
        page.goto(f"{served.url}{path}")
        settled(page)
        return page

    yield at
    page.goto("about:blank")  # nothing goes on behind the next test
    complaints = list(visitors.complaints)
    visitors.complaints.clear()
    assert not complaints, "\n".join(complaints)
