"""The log of a run with more lines than a page can hold."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect
from served import Served

LINES = 20_000
MOST_NODES = 3_000
Look = Callable[[str], Page]


@pytest.fixture
def open_log(look: Look, served: Served) -> Callable[..., Page]:
    """Open the log of the run that logged much."""
    run = served.newest("chatty")
    return lambda query="": look(f"/runs/{run['id']}?tab=logs{query}")


def lines(page: Page) -> Locator:
    """Find the lines that are in the page."""
    return page.get_by_role("region", name=re.compile("^Log of ")).locator("[data-n]")


def line(page: Page, n: int) -> Locator:
    """Find one line."""
    return page.locator(f"[data-n='{n}'][data-sub='0']")


def expect_few_nodes(page: Page) -> None:
    """Expect the page to hold no more than is on screen."""
    assert page.evaluate("document.querySelectorAll('*').length") <= MOST_NODES


def test_it_opens_at_its_end_and_is_scrolled_from_end_to_end(open_log: Callable[..., Page]) -> None:
    page = open_log()
    expect(line(page, LINES)).to_be_in_viewport()
    expect(line(page, LINES)).to_contain_text("line 20000 went wrong")
    expect(page.get_by_text(re.compile("^20\u202f000 lines$"))).to_be_visible()
    expect_few_nodes(page)
    box = page.get_by_role("region", name=re.compile("^Log of "))
    box.focus()
    box.press("Home")
    expect(line(page, 1)).to_be_in_viewport()
    expect(line(page, 1)).to_contain_text("line 1 of the log")
    expect_few_nodes(page)
    box.evaluate("(box) => { box.scrollTop = box.scrollHeight / 2 }")
    expect(line(page, LINES // 2)).to_contain_text("line 10000 went wrong")
    expect_few_nodes(page)
    page.get_by_role("button", name="Jump to end").click()
    expect(line(page, LINES)).to_be_in_viewport()


def test_search_counts_walks_and_narrows(open_log: Callable[..., Page]) -> None:
    page = open_log()
    page.keyboard.press("/")
    field = page.get_by_role("searchbox", name="Search the log")
    expect(field).to_be_focused()
    field.fill("line 777")
    found = [n for n in range(1, LINES + 1) if f"line {n} ".startswith("line 777")]
    status = page.locator("[role=status]").filter(has_text=re.compile(r"^\d+$"))
    expect(status).to_have_text(str(len(found)))
    field.press("Enter")
    page.wait_for_url(f"**line={found[0]}")
    expect(line(page, found[0])).to_be_in_viewport()
    expect(line(page, found[0]).locator("mark")).to_have_text("line 777")
    field.press("Shift+Enter")
    expect(line(page, found[-1])).to_be_in_viewport()
    expect(page.get_by_text(f"{len(found)} of {len(found)}")).to_be_visible()

    page.get_by_role("button", name="only", exact=True).click()
    expect(lines(page).first).to_have_attribute("data-n", str(found[0]))
    expect(lines(page)).to_have_count(len(found))
    page.reload()
    expect(lines(page)).to_have_count(len(found))
    expect(field).to_have_value("line 777")


def test_a_link_leads_to_its_line(open_log: Callable[..., Page]) -> None:
    page = open_log("&line=12345")
    expect(line(page, 12_345)).to_be_in_viewport()
    expect(line(page, 12_345)).to_contain_text("line 12345 of the log")
    line(page, 12_347).locator("[data-permalink]").click()
    page.wait_for_url("**line=12347")
    page.goto(page.url.split("?")[0] + "#L4321")
    expect(line(page, 4_321)).to_be_in_viewport()
    page.wait_for_url("**?tab=logs&line=4321")


def test_levels_narrow_it(open_log: Callable[..., Page]) -> None:
    page = open_log()
    page.get_by_title("Filter lines").click()
    page.get_by_role("menuitemradio", name=re.compile("^Error")).click()
    page.wait_for_url("**level=ERROR")
    expect(lines(page)).to_have_count(LINES // 1_000)
    expect(lines(page).first).to_contain_text("line 1000 went wrong")
    expect(page.get_by_text(re.compile(f"^{LINES // 1_000} lines$"))).to_be_visible()


def test_all_lines_can_be_downloaded(open_log: Callable[..., Page], served: Served) -> None:
    page = open_log()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download these lines").click()
    assert saved.value.suggested_filename == f"{served.newest('chatty')['name']}.log"
    text = saved.value.path().read_text(encoding="utf-8").splitlines()
    assert len(text) == LINES
    assert text[0].endswith("line 1 of the log")
    assert text[-1].endswith("line 20000 went wrong")


def test_lines_of_one_task_alone(look: Look, served: Served) -> None:
    run = served.newest("tidy")
    page = look(f"/runs/{run['id']}?tab=logs")
    expect(lines(page)).to_have_count(2)
    line(page, 1).locator("[data-name]").click()
    expect(lines(page)).to_have_count(1)
    expect(lines(page)).to_contain_text("reading table trains")
    page.get_by_role("button", name="Show more than load").click()
    expect(lines(page)).to_have_count(2)
    said = served.cli("runs", "logs", run["id"])
    for place, each in enumerate(said, start=1):
        expect(line(page, place)).to_contain_text(each["message"])
