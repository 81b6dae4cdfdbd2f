"""What happens while somebody looks: all of it appears without a reload."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import Visitors, chips, connection, listed, listed_ids, navigation
from playwright.sync_api import Page, expect
from served import Served


@pytest.fixture
def gate(tmp_path: Path) -> str:
    """Name a file that does not exist yet."""
    return str(tmp_path / "gate")


@pytest.fixture
def marked() -> Iterator[list[Page]]:
    """Mark pages that are put into the list; at the end none of them may have been loaded anew."""
    pages: list[Page] = []
    yield pages
    for page in pages:
        assert page.evaluate("window.isMarked"), "the page was loaded anew"


def mark(page: Page, marked: list[Page]) -> None:
    """Note that a page must not be loaded anew from here on."""
    page.evaluate("window.isMarked = true")
    marked.append(page)


def test_a_run_is_followed_from_its_beginning_to_its_end(
    stage: Served, visit: Visitors, gate: str, marked: list[Page]
) -> None:
    page = visit(stage)
    expect(connection(page)).to_have_text("Live")
    mark(page, marked)
    flow = stage.begin("gated", gate, "2")
    row = listed(page).filter(has_text="gated")
    expect(row).to_contain_text("Running")
    expect(navigation(page).get_by_title("1 under way")).to_be_visible()
    row.locator("[data-run]").click()

    run = stage.newest("gated")
    expect(page).to_have_title(f"{run['name']} running · gated")
    log = page.get_by_role("region", name=f"Log of {run['name']}")
    expect(log).to_contain_text("tick 0")
    expect(log).not_to_contain_text("tick 1")
    page.get_by_role("button", name="Table", exact=True).click()
    rows = page.get_by_role("table", name=re.compile("^All runs")).locator("tbody tr")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("Running")

    Path(f"{gate}.0").touch()
    expect(log).to_contain_text("tick 1")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("Completed")
    expect(page.get_by_role("definition").filter(has_text="1 of 2")).to_be_visible()

    Path(f"{gate}.1").touch()
    expect(page).to_have_title(f"{run['name']} completed · gated")
    expect(rows.nth(1)).to_contain_text("Completed")
    expect(page.locator("dt", has_text="Took")).to_be_visible()
    expect(navigation(page).get_by_title(re.compile("under way"))).to_have_count(0)
    flow.communicate(timeout=60)
    page.get_by_role("tab", name="Result").click()
    expect(page.get_by_role("region", name="Result").locator("pre")).to_have_text("1")
    page.get_by_role("tab", name="Story").click()
    expect(page.get_by_role("region", name="Story").get_by_role("listitem").last).to_contain_text("Completed")


def test_graph_tasks_and_timeline_grow(stage: Served, visit: Visitors, gate: str, marked: list[Page]) -> None:
    stage.begin("bursts", gate, "40")
    run = stage.newest("bursts")
    page = visit(stage, f"/runs/{run['id']}?tab=graph")
    mark(page, marked)
    graph = page.get_by_role("application", name=re.compile("^Graph of"))
    node = graph.get_by_role("button", name=re.compile("^step"))
    expect(node).to_have_accessible_name(re.compile("40 of 40 done"))
    tasks = visit(stage, f"/runs/{run['id']}?tab=tasks")
    mark(tasks, marked)
    expect(tasks.get_by_role("button", name="step ×40")).to_be_visible()
    timeline = visit(stage, f"/runs/{run['id']}")
    mark(timeline, marked)
    expect(timeline.get_by_role("application", name="Timeline of 40 runs")).to_be_visible()

    Path(gate).touch()
    expect(node).to_have_accessible_name(re.compile("80 of 80 done"))
    expect(tasks.get_by_role("button", name="step ×80")).to_be_visible()
    expect(tasks.get_by_role("tab", name="Tasks 80")).to_be_visible()
    expect(timeline.get_by_role("application", name="Timeline of 80 runs")).to_be_visible()
    expect(timeline).to_have_title(f"{run['name']} completed · bursts")


def test_a_run_that_is_killed_turns_to_its_trouble(
    stage: Served, visit: Visitors, gate: str, marked: list[Page]
) -> None:
    flow = stage.begin("gated", gate, "1")
    run = stage.newest("gated")
    page = visit(stage, f"/runs/{run['id']}")
    mark(page, marked)
    expect(page).to_have_title(f"{run['name']} running · gated")
    flow.kill()
    expect(page.get_by_role("region", name="What went wrong")).to_contain_text("is gone")
    expect(page).to_have_title(f"{run['name']} crashed · gated")


def test_new_runs_appear_in_the_list_and_its_counts(stage: Served, visit: Visitors, marked: list[Page]) -> None:
    stage.run("brief")
    page = visit(stage, "/runs?q=flow:brief")
    expect(listed(page)).to_have_count(len(stage.runs("brief")))
    flows = visit(stage, "/flows")
    mark(page, marked)
    mark(flows, marked)
    stage.run("brief")
    runs = stage.runs("brief")
    expect(listed(page)).to_have_count(len(runs))
    assert listed_ids(page) == [run["id"] for run in runs]
    expect(page.get_by_role("button", name=f"Completed {len(runs)}")).to_be_visible()
    assert chips(page)["completed"] == len(runs)
    row = flows.get_by_role("row").filter(has=flows.get_by_role("link", name="brief", exact=True))
    expect(row.get_by_role("cell").last).to_have_text(str(len(runs)))


def test_rows_stay_where_they_are_under_the_pointer(stage: Served, visit: Visitors, gate: str) -> None:
    stage.run("brief")
    flow = stage.begin("gated", gate, "1")
    page = visit(stage)
    expect(listed(page)).to_have_count(len(stage.runs()))
    before = listed_ids(page)
    expect(listed(page).first).to_contain_text("Running")
    listed(page).first.hover()

    stage.run("brief")
    stage.run("brief")
    waiting = page.get_by_role("button", name="2 new")
    expect(waiting).to_be_visible()
    assert listed_ids(page) == before
    Path(f"{gate}.0").touch()
    flow.communicate(timeout=60)
    expect(listed(page).first).to_contain_text("Completed")
    assert listed_ids(page) == before, "what changes in a row does not move it"

    waiting.click()
    after = [run["id"] for run in stage.runs()]
    expect(page.locator("[data-run='0']")).to_have_attribute("href", re.compile(after[0]))
    assert listed_ids(page) == after
    expect(waiting).to_have_count(0)

    listed(page).first.hover()
    stage.run("brief")
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    page.get_by_role("heading", level=1).hover()
    expect(listed(page)).to_have_count(len(after) + 1)


def test_a_filter_is_left_by_a_run_that_no_longer_matches(stage: Served, visit: Visitors, gate: str) -> None:
    flow = stage.begin("gated", gate, "1")
    page = visit(stage, "/runs?q=state:running+flow:gated")
    expect(listed(page)).to_have_count(1)
    Path(f"{gate}.0").touch()
    flow.communicate(timeout=60)
    expect(page.get_by_text("No run matches.")).to_be_visible()


def test_a_log_follows_its_end_until_one_scrolls_up(stage: Served, visit: Visitors, gate: str) -> None:
    stage.begin("gated", gate, "40")
    run = stage.newest("gated")
    for n in range(38):
        Path(f"{gate}.{n}").touch()
    page = visit(stage, f"/runs/{run['id']}?tab=logs", viewport={"width": 1100, "height": 500})
    expect(page.get_by_text("tick 38", exact=True)).to_be_in_viewport()
    box = page.get_by_role("region", name=f"Log of {run['name']}")
    box.hover()
    page.mouse.wheel(0, -5_000)
    expect(page.get_by_text("tick 0", exact=True)).to_be_in_viewport()
    Path(f"{gate}.38").touch()
    jump = page.get_by_role("button", name="1 new · jump to end")
    expect(jump).to_be_visible()
    expect(page.get_by_text("tick 0", exact=True)).to_be_in_viewport()
    jump.click()
    expect(page.get_by_text("tick 39", exact=True)).to_be_in_viewport()
    Path(f"{gate}.39").touch()
    expect(page).to_have_title(f"{run['name']} completed · gated")
