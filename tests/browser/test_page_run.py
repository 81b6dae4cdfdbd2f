"""The page of a run that has ended (or lasts): its trouble first, then its views."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pages import ZONE, Visitors, settled, word_of
from playwright.sync_api import Locator, Page, expect
from served import Served

Look = Callable[[str], Page]
Run = dict[str, Any]
NOBODY = "00000000-0000-7000-8000-000000000000"


def trouble(page: Page) -> Locator:
    """Find what went wrong."""
    return page.get_by_role("region", name="What went wrong")


def tab(page: Page, name: str) -> Locator:
    """Find a tab; its name may have a count behind it."""
    return page.get_by_role("tab", name=re.compile(f"^{name}"))


def expect_state(page: Page, run: Run) -> None:
    """Expect the head of the page to say how the run stands."""
    expect(page.get_by_role("heading", level=1, name=run["name"])).to_be_visible()
    expect(page.locator("header [data-state]").filter(visible=True).first).to_have_text(word_of(run))
    expect(page).to_have_title(re.compile(f"^{run['name']} [a-z ]+ · {run['flow']}$"))


# ── how it ended ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_failed_run_shows_its_error_first(look: Look, served: Served) -> None:
    run = served.newest("spoilt")
    page = look(f"/runs/{run['id']}")
    expect_state(page, run)
    expect(trouble(page)).to_contain_text("ValueError: row 3 has no amount")
    expect(trouble(page)).to_contain_text("raised in parse-3")
    traceback = page.get_by_role("group", name="Traceback")
    expect(traceback).to_be_visible()
    expect(traceback).to_contain_text('raise ValueError(f"row {row} has no amount")')
    assert trouble(page).bounding_box()["y"] < page.get_by_role("tablist").bounding_box()["y"]

    trouble(page).get_by_role("button", name="Copy the traceback").click()
    expect(trouble(page).get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == run["error"]["traceback"]

    trouble(page).get_by_role("button", name="Details").click()
    expect(traceback).to_be_hidden()
    trouble(page).get_by_role("link", name="parse-3").click()
    expect(page.get_by_role("heading", level=1, name="parse-3")).to_be_visible()
    expect(trouble(page)).to_contain_text("ValueError: row 3 has no amount")


def test_a_crashed_run_says_what_happened_and_what_to_do(look: Look, served: Served) -> None:
    run = served.newest("struck")
    page = look(f"/runs/{run['id']}")
    expect_state(page, run)
    expect(trouble(page)).to_contain_text("The process that ran it is gone")
    expect(trouble(page)).to_contain_text(run["evidence"], ignore_case=True)
    expect(trouble(page)).to_contain_text("What to do")
    expect(trouble(page)).to_contain_text(re.compile(r"stellwerk run \S+runs\.py:struck"))
    expect(trouble(page).get_by_role("link", name="hang-0")).to_be_visible()


def test_an_interrupted_run_says_who_stopped_it(look: Look, served: Served) -> None:
    run = served.newest("stopped")
    page = look(f"/runs/{run['id']}")
    expect_state(page, run)
    expect(page.get_by_role("main")).to_contain_text("Ctrl-C")
    expect(trouble(page)).to_have_count(0)


def test_a_run_that_completed_has_no_trouble(look: Look, served: Served) -> None:
    run = served.newest("tidy")
    page = look(f"/runs/{run['id']}")
    expect_state(page, run)
    expect(trouble(page)).to_have_count(0)
    expect(page.get_by_role("definition").filter(has_text="7 completed")).to_be_visible()
    expect(page.locator("header time").first).to_have_attribute("datetime", run["started_at"])


def test_a_run_that_lasts_counts_on(look: Look, served: Served) -> None:
    run = served.newest("lasting")
    page = look(f"/runs/{run['id']}")
    expect_state(page, run)
    elapsed = page.locator("dt:has-text('Elapsed') + dd")
    before = elapsed.inner_text()
    expect(elapsed).not_to_have_text(before)
    expect(page.get_by_role("definition").filter(has_text="4 of 5")).to_be_visible()
    expect(page.locator("#favicon")).to_have_attribute("href", re.compile("^data:image/svg"))


# ── its views ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_views_have_addresses_and_keys(look: Look, served: Served) -> None:
    run = served.newest("spoilt")
    page = look(f"/runs/{run['id']}")
    expect(tab(page, "Timeline")).to_have_attribute("aria-selected", "true")
    for key, name, query in (("n", "Graph", "tab=graph"), ("l", "Logs", "tab=logs"), ("t", "Timeline", "")):
        page.keyboard.press(key)
        expect(tab(page, name)).to_have_attribute("aria-selected", "true")
        page.wait_for_url(f"**/runs/{run['id']}{'?' if query else ''}{query}")
    for name in ("Tasks", "Story", "Parameters", "Result"):
        tab(page, name).click()
        page.wait_for_url(f"**?tab={name.lower()}")
        page.reload()
        expect(tab(page, name)).to_have_attribute("aria-selected", "true")
    page.go_back()
    expect(tab(page, "Parameters")).to_have_attribute("aria-selected", "true")

    tab(page, "Tasks").click()
    page.keyboard.press("f")
    page.wait_for_url("**?tab=tasks&only=failed")
    expect(page.get_by_role("button", name="Only failed")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("c")
    assert page.evaluate("navigator.clipboard.readText()") == page.url


def test_the_table_beside_the_timeline_has_its_runs(look: Look, served: Served) -> None:
    for flow in ("tidy", "family"):
        run = served.newest(flow)
        page = look(f"/runs/{run['id']}")
        tasks = served.shown(run)["tasks"]
        expect(page.get_by_role("application", name=f"Timeline of {len(tasks)} runs")).to_be_visible()
        page.get_by_role("button", name="Table", exact=True).click()
        table = page.get_by_role("table", name=f"All runs: {len(tasks)}")
        expect(table.locator("tbody tr")).to_have_count(len(tasks))
        cells = table.locator("tbody tr").evaluate_all(
            "(rows) => rows.map((row) => [...row.cells].slice(0, 3).map((cell) => cell.textContent))"
        )
        assert cells == [[_label(task), task["state"].capitalize(), _clock(task["started_at"])] for task in tasks]


def _label(task: Run) -> str:
    name = task["task"] or task["flow"]
    return name if task["index"] is None else f"{name}[{task['index']}]"


def _clock(at: str) -> str:
    return datetime.fromisoformat(at).astimezone(ZoneInfo(ZONE)).strftime("%H:%M:%S.%f")[:-3]


def test_the_timeline_is_moved_by_keys_and_shows_only_what_failed(look: Look, served: Served) -> None:
    run = served.newest("spoilt")
    page = look(f"/runs/{run['id']}")
    page.get_by_role("button", name="Zoom in").click()
    page.wait_for_url(re.compile(r"\?from=\d+&to=\d+$"))
    page.get_by_role("button", name="Fit").click()
    page.wait_for_url(f"**/runs/{run['id']}")

    page.keyboard.press("f")
    page.wait_for_url("**?only=failed")
    drawing = page.get_by_role("application", name="Timeline of 1 run")
    drawing.focus()
    drawing.press("ArrowRight")
    expect(page.get_by_text(re.compile(r"^parse\[3\], failed, "))).to_have_count(1)
    drawing.press("Enter")
    page.wait_for_url("**only=failed&selected=*")
    side = page.get_by_role("region", name="parse-3")
    expect(side).to_contain_text("ValueError: row 3 has no amount")
    side.get_by_role("link", name="Open task run").click()
    expect(page.get_by_role("heading", level=1, name="parse-3")).to_be_visible()


def test_the_graph_has_the_nodes_and_edges_of_the_flow(look: Look, served: Served) -> None:
    run = served.newest("tidy")
    page = look(f"/runs/{run['id']}?tab=graph")
    tasks = served.shown(run)["tasks"]
    names = {task["id"]: task["task"] for task in tasks}
    edges = {(names[each], task["task"]) for task in tasks for each in task["upstream"]}
    assert edges == {("load", "double"), ("double", "add_up")}
    expect(page.get_by_role("application", name="Graph of 3 nodes, 2 edges")).to_be_visible()
    nodes = page.get_by_role("application").get_by_role("button")
    expect(nodes).to_have_count(3)
    expect(nodes.and_(page.get_by_role("button", name="double, Completed, 5 of 5 done"))).to_be_visible()

    page.get_by_role("button", name="List").click()
    table = page.get_by_role("table", name="Nodes: 3")
    cells = table.locator("tbody tr").evaluate_all(
        "(rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent))"
    )
    assert {(name, runs, before) for name, _, runs, before in cells} == {
        ("load", "1 completed", "–"),
        ("double", "5 completed", "load"),
        ("add_up", "1 completed", "double"),
    }
    table.get_by_role("button", name="double").click()
    page.wait_for_url("**node=*")
    page.get_by_role("button", name="List").click()
    expect(page.get_by_role("application").get_by_role("button", name=re.compile("^double"))).to_have_attribute(
        "aria-pressed", "true"
    )
    expect(nodes.first).to_have_accessible_name(re.compile("^load"))
    nodes.first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("application").get_by_role("button", name=re.compile("^double"))).to_be_focused()


def test_tasks_unfold_what_failed_first(look: Look, served: Served) -> None:
    run = served.newest("spoilt")
    page = look(f"/runs/{run['id']}?tab=tasks")
    table = page.get_by_role("table", name="Tasks")
    group = table.get_by_role("button", name="parse ×6")
    group.click()
    page.wait_for_url("**open=parse")
    expect(group).to_have_attribute("aria-expanded", "true")
    rows = table.get_by_role("row")
    expect(rows).to_have_count(8)
    expect(rows.nth(2)).to_contain_text("parse-3")
    expect(rows.nth(2)).to_contain_text("ValueError: row 3 has no amount")
    expect(rows.nth(3)).to_contain_text("parse-0")
    page.reload()
    expect(rows).to_have_count(8)
    page.get_by_role("button", name="Only failed").click()
    expect(rows).to_have_count(3)
    rows.nth(2).get_by_role("link", name="parse-3").click()
    expect(page.get_by_role("heading", level=1, name="parse-3")).to_be_visible()


def test_the_story_tells_each_attempt(look: Look, served: Served) -> None:
    run = served.newest("family")
    task = next(each for each in served.shown(run)["tasks"] if each["task"] == "stumble")
    page = look(f"/runs/{task['id']}?tab=story")
    story = page.get_by_role("region", name="Story").get_by_role("listitem")
    events = [re.sub(r"\s+", " ", text) for text in story.all_inner_texts()]
    assert [sum(word in event for event in events) for word in ("Called", "Began", "Waits for its next")] == [1, 3, 2]
    assert "Completed" in events[-1]
    moments = story.locator("time").evaluate_all("(times) => times.map((time) => time.dateTime)")
    assert moments == sorted(moments)
    attempts = page.get_by_role("region", name="Attempts").locator("tbody tr")
    expect(attempts).to_have_count(3)
    expect(attempts.nth(1)).to_contain_text("ConnectionError: try 2 was refused")
    expect(attempts.nth(2)).to_contain_text("Completed")


def test_parameters_and_result(look: Look, served: Served) -> None:
    run = served.newest("tidy")
    page = look(f"/runs/{run['id']}?tab=parameters")
    pane = page.get_by_role("region", name="Parameters")
    shown = pane.locator("dl > div").evaluate_all(
        "(rows) => rows.map((row) => [row.querySelector('dt').textContent, JSON.parse(row.querySelector('dd').textContent)])"
    )
    assert dict(shown) == run["parameters"] == {"table": "trains", "factor": 2}
    tab(page, "Result").click()
    expect(page.get_by_role("region", name="Result").locator("pre")).to_have_text(run["result"]["preview"])

    page = look(f"/runs/{served.newest('spoilt')['id']}?tab=result")
    expect(page.get_by_text("There is no result.")).to_be_visible()
    page = look(f"/runs/{served.newest('lasting')['id']}?tab=result")
    expect(page.get_by_text("There is no result yet.")).to_be_visible()
    tab(page, "Parameters").click()
    expect(page.get_by_text("It was called without parameters.")).to_be_visible()


# ── where it belongs ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_ways_lead_up_from_a_task_and_down_to_it(look: Look, served: Served) -> None:
    run = served.newest("family")
    child = next(each for each in served.shown(run)["tasks"] if each["kind"] == "flow")
    task = next(each for each in served.shown(child)["tasks"] if each["task"] == "double")
    page = look(f"/runs/{task['id']}")
    expect(tab(page, "Summary")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("region", name="Parameters")).to_contain_text("x")
    relations = page.get_by_role("region", name="Dependencies")
    expect(relations.get_by_role("link", name="load-0")).to_be_visible()
    expect(relations.get_by_role("link", name="add_up-0")).to_be_visible()
    trail = page.get_by_role("navigation", name="Where this run belongs")
    expect(trail.get_by_role("link", name=run["name"])).to_be_visible()
    trail.get_by_role("link", name=child["name"]).click()
    expect(page.get_by_role("heading", level=1, name=child["name"])).to_be_visible()
    page.get_by_role("definition").get_by_role("link", name=run["name"]).click()
    expect(page.get_by_role("heading", level=1, name=run["name"])).to_be_visible()
    trail.get_by_role("link", name="Runs").click()
    expect(page.get_by_role("heading", level=1, name="Runs")).to_be_visible()


def test_neighbours_of_the_same_flow(look: Look, served: Served) -> None:
    newest, middle, oldest = served.runs("etl-hourly")
    page = look(f"/runs/{middle['id']}")
    page.get_by_role("link", name=f"Previous run: {oldest['name']}, completed").click()
    expect(page.get_by_role("heading", level=1, name=oldest["name"])).to_be_visible()
    tab(page, "Parameters").click()
    for key, run in (("]", middle), ("]", newest), ("[", middle)):
        settled(page)
        expect(page.get_by_role("link", name=re.compile("^(Previous|Next) run"))).not_to_have_count(0)
        page.keyboard.press(key)
        expect(page.get_by_role("heading", level=1, name=run["name"])).to_be_visible()
    expect(tab(page, "Parameters")).to_have_attribute("aria-selected", "true")


def test_a_name_leads_to_its_run(look: Look, served: Served) -> None:
    run = served.newest("etl-daily")
    page = look(f"/runs/{run['name']}?tab=logs")
    page.wait_for_url(f"**/runs/{run['id']}?tab=logs")
    expect_state(page, run)


def test_what_does_not_exist_is_said_to_be_so(look: Look, served: Served, visit: Visitors) -> None:
    page = look("/runs")
    page.goto(f"{served.url}/runs/{NOBODY}")
    expect(page.get_by_text("There is no such run.")).to_be_visible()
    expect(page).to_have_title("No such run · Stellwerk")
    page.goto(f"{served.url}/nowhere")
    expect(page.get_by_text("There is no such page.")).to_be_visible()
    page.get_by_role("link", name="All runs").click()
    expect(page.get_by_role("heading", level=1, name="Runs")).to_be_visible()

    page = visit(served, "/runs/nobody-knows-it", may_fail=True)  # it is a 404 that tells
    expect(page.get_by_text("There is no such run.")).to_be_visible()
