"""What axe finds on each page, in both themes, full and empty, with something open and with something wrong: nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pages import Visitors, connection, listed, navigation, settled
from playwright.sync_api import Page, expect
from served import Served

AXE = Path(__file__).parents[2] / "ui" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOURS = ["color-contrast", "link-in-text-block"]  # all that another theme can change
Look = Callable[[str], Page]


def expect_accessible(page: Page) -> None:
    """Expect no violation in either theme."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[str] = []
    rules: dict[str, Any] = {"type": "tag", "values": TAGS}
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        result = page.evaluate("(runOnly) => axe.run({ runOnly, resultTypes: ['violations'] })", rules)
        found += [
            f"{theme}: {each['id']}: {node['html'][:200]}: {node['failureSummary'][:300]}"
            for each in result["violations"]
            for node in each["nodes"]
        ]
        rules = {"type": "rule", "values": COLOURS}
    assert not found, "\n".join(found)


def place_of(served: Served, place: str) -> str:
    """Make the path of a place that may begin with the name of a flow."""
    if place.startswith("/"):
        return place
    flow, mark, query = place.partition("?")
    return f"/runs/{served.newest(flow)['id']}{mark}{query}"


@pytest.mark.parametrize(
    "place",
    [
        "/runs",
        "/runs?q=kind:task",
        "/runs?q=flow:nobody",
        "/runs?q=colour:red",
        "/flows",
        "/flows?q=nobody",
        "/nowhere",
        "/runs/00000000-0000-7000-8000-000000000000",
        "spoilt",
        "struck",
        "wide",
        "lasting",
        "tidy?tab=graph",
        "dawdle?tab=graph",
        "spoilt?tab=tasks&open=parse",
        "dawdle?tab=tasks",
        "chatty?tab=logs&q=wrong&line=20000",
        "dawdle?tab=logs",
        "stopped?tab=story",
        "tidy?tab=parameters",
        "dawdle?tab=result",
        "tidy?tab=result",
    ],
)
def test_a_place(look: Look, served: Served, place: str) -> None:
    expect_accessible(look(place_of(served, place)))


def test_a_task_run(look: Look, served: Served) -> None:
    tasks = {task["name"]: task for task in served.shown(served.newest("spoilt"))["tasks"]}
    expect_accessible(look(f"/runs/{tasks['parse-3']['id']}"))
    expect_accessible(look(f"/runs/{tasks['parse-0']['id']}"))


def test_what_opens_within_a_run(look: Look, served: Served) -> None:
    page = look(place_of(served, "spoilt"))
    page.get_by_role("button", name="Table", exact=True).click()
    page.get_by_role("button", name="parse[3]").click()
    expect(page.get_by_role("region", name="parse-3")).to_be_visible()
    settled(page)
    expect_accessible(page)
    page = look(place_of(served, "tidy?tab=graph"))
    page.get_by_role("button", name="List").click()
    page.get_by_role("button", name="double", exact=True).click()
    settled(page)
    expect_accessible(page)
    page = look(place_of(served, "chatty?tab=logs"))
    page.get_by_title("Filter lines").click()
    expect(page.get_by_role("menu")).to_be_visible()
    expect_accessible(page)


def test_dialogs_and_menus(look: Look) -> None:
    page = look("/runs")
    navigation(page).get_by_role("button", name="Keyboard help").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    expect_accessible(page)
    page.keyboard.press("Escape")
    for name in ("Settings", re.compile("^Time zone")):
        navigation(page).get_by_role("button", name=name).click()
        expect(page.get_by_role("menu")).to_be_visible()
        expect_accessible(page)
        page.keyboard.press("Escape")
        expect(page.get_by_role("menu")).to_have_count(0)
    navigation(page).get_by_role("button", name=re.compile("^Time zone")).click()
    page.get_by_role("menuitem", name="Another zone …").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    expect_accessible(page)
    page.keyboard.press("Escape")
    connection(page).click()
    expect(page.get_by_text("Changes are shown as they happen.")).to_be_visible()
    expect_accessible(page)
    page.keyboard.press("Escape")
    page.get_by_role("combobox").press_sequentially("state:")
    expect(page.get_by_role("listbox")).to_be_visible()
    page.get_by_role("combobox").press("ArrowDown")
    expect_accessible(page)


def test_an_empty_home(empty: Served, visit: Visitors) -> None:
    page = visit(empty)
    settled(page)
    expect_accessible(page)
    navigation(page).get_by_role("link", name="Flows").click()
    expect(page.get_by_role("heading", level=1, name="Flows")).to_be_visible()
    settled(page)
    expect_accessible(page)


def test_the_way_in(served: Served, visit: Visitors) -> None:
    page = visit.watched(visit.profile(), served.url, may_fail=True)
    page.goto(served.url)
    settled(page)
    expect_accessible(page)
    page.goto(f"{served.url}/flows#code=used-long-ago")
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("API token").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_count(2)
    expect_accessible(page)


def test_a_narrow_screen(served: Served, visit: Visitors) -> None:
    page = visit(served, viewport={"width": 390, "height": 844})
    settled(page)
    expect_accessible(page)
    for place in ("spoilt", "tidy?tab=graph", "chatty?tab=logs", "/flows"):
        page.goto(f"{served.url}{place_of(served, place)}")
        settled(page)
        expect_accessible(page)


def test_when_something_is_wrong(stage: Served, visit: Visitors) -> None:
    stage.run("tidy")
    run = stage.newest("tidy")
    page = visit(stage, may_fail=True)
    expect(listed(page)).to_have_count(1)
    for part in ("graphql", "api/runs/*/graph", "api/runs/*/groups"):
        page.route(f"**/{part}", lambda route: route.fulfill(status=500, body="{}"))
    for place in ("/runs", "/flows", f"/runs/{run['id']}"):
        page.goto(f"{stage.url}{place}")
        expect(page.get_by_role("alert").first).to_be_visible()
        expect_accessible(page)
    page.unroute("**/graphql")
    for tab in ("graph", "tasks"):
        page.goto(f"{stage.url}/runs/{run['id']}?tab={tab}")
        expect(page.get_by_role("alert").first).to_be_visible()
        expect_accessible(page)
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("table", name="Tasks")).to_be_visible()

    stage.server.kill()
    expect(page.get_by_text("The server does not answer.")).to_be_visible()
    expect_accessible(page)
    stage.server.start()
