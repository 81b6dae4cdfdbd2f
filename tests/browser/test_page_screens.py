"""Pictures of each page in both themes and three widths, for people to look at; that nothing sticks out is tested.

They lie in .cache/screens, and index.html shows them all.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import Visitors, settled
from playwright.sync_api import Page, expect
from served import Served

SCREENS = Path(__file__).parents[2] / ".cache" / "screens"
WIDTHS = {390: 844, 1100: 800, 1440: 900}
PLACES = {
    "runs": "/runs",
    "runs-none": "/runs?q=flow:nobody",
    "flows": "/flows",
    "not-found": "/nowhere",
    "run-failed": "spoilt",
    "run-crashed": "struck",
    "run-running": "lasting",
    "run-finished": "wide",
    "graph": "tidy?tab=graph",
    "tasks": "spoilt?tab=tasks&open=parse",
    "logs": "chatty?tab=logs&q=wrong&line=20000",
    "story": "family?tab=story",
    "parameters": "tidy?tab=parameters",
    "result": "tidy?tab=result",
}
# What sticks out of the page, apart from what lies in a box that scrolls.
STICKING_OUT = """() => [...document.querySelectorAll('body *')].filter((element) => {
    const box = element.getBoundingClientRect()
    if (box.right <= innerWidth + 1 || box.width === 0 || box.left >= innerWidth + 5000) return false
    for (let parent = element.parentElement; parent; parent = parent.parentElement) {
        if (getComputedStyle(parent).overflowX !== 'visible' && parent !== document.body) return false
    }
    return true
}).map((element) => element.outerHTML.slice(0, 200))"""


def take(page: Page, name: str) -> None:
    """Take the pictures of what is shown, and expect that nothing sticks out of any."""
    for width, height in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            settled(page)
            page.screenshot(path=SCREENS / f"{name}-{theme}-{width}.png")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(STICKING_OUT) == [], f"{name} at {width}"


@pytest.fixture(scope="module", autouse=True)
def sheet() -> Iterator[None]:
    """Write a page that shows all pictures."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    for old in SCREENS.glob("*.png"):
        old.unlink()
    yield
    pictures = "".join(
        f'<figure style="display:inline-block;margin:8px"><figcaption>{each.stem}</figcaption>'
        f'<a href="{each.name}"><img src="{each.name}" loading="lazy" width="420"></a></figure>'
        for each in sorted(SCREENS.glob("*.png"))
    )
    (SCREENS / "index.html").write_text(f"<!doctype html><title>Screens</title>{pictures}", encoding="utf-8")


@pytest.mark.parametrize("name", PLACES)
def test_a_place(served: Served, reader: tuple[Visitors, Page], name: str) -> None:
    _, page = reader
    flow, mark, query = PLACES[name].partition("?")
    path = PLACES[name] if flow.startswith("/") else f"/runs/{served.newest(flow)['id']}{mark}{query}"
    page.goto(f"{served.url}{path}")
    settled(page)
    take(page, name)


def test_a_chosen_task_run(served: Served, reader: tuple[Visitors, Page]) -> None:
    _, page = reader
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"{served.url}/runs/{served.newest('spoilt')['id']}?only=failed")
    drawing = page.get_by_role("application")
    drawing.focus()
    drawing.press("ArrowRight")
    drawing.press("Enter")
    expect(page.get_by_role("region", name="parse-3")).to_be_visible()
    take(page, "run-chosen")


def test_an_empty_home(empty: Served, visit: Visitors) -> None:
    page = visit(empty)
    settled(page)
    take(page, "empty")


def test_the_way_in(served: Served, visit: Visitors) -> None:
    page = visit.watched(visit.profile(), served.url)
    page.goto(served.url)
    settled(page)
    take(page, "sign-in")
