"""The list of runs: what stands in it, how it is filtered, and how it is moved about with the keyboard."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from pages import Visitors, chips, listed, listed_ids, navigation, word_of
from playwright.sync_api import Locator, Page, expect
from served import Served

Run = dict[str, Any]
Look = Callable[[str], Page]


def seconds_of(run: Run) -> float:
    """Say how long a run took; 0 while it goes on."""
    begun, ended = run["started_at"], run["ended_at"]
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds() if ended else 0.0


def is_top(run: Run) -> bool:
    """Say whether the list has a run without a `kind:`."""
    return run["kind"] == "flow" and run["parent_id"] is None


def field_of(page: Page) -> Locator:
    """Find the field for the filter."""
    return page.get_by_role("combobox", name="Filter runs")


def expect_rows(page: Page, runs: list[Run]) -> None:
    """Expect exactly these runs, in this order."""
    expect(listed(page)).to_have_count(len(runs))
    assert listed_ids(page) == [run["id"] for run in runs]


def test_every_run_is_listed_with_its_state_as_sign_and_word(look: Look, served: Served) -> None:
    page = look("/runs")
    runs = served.runs()
    expect_rows(page, runs)
    assert {run["state"] for run in runs} == {"running", "completed", "failed", "crashed", "cancelled"}
    for run in runs:
        row = listed(page).filter(has=page.locator(f'[data-run][href*="{run["id"]}"]'))
        badge = row.get_by_role("cell").first
        expect(badge).to_have_text(word_of(run))
        expect(badge.locator("svg")).to_be_visible()
        expect(row.get_by_role("link", name=run["flow"], exact=True)).to_be_visible()
        for tag in run["tags"]:
            expect(row.get_by_role("link", name=tag, exact=True)).to_be_visible()
        assert row.locator("time").get_attribute("datetime") == run["started_at"]
    expect(page.get_by_role("table", name="Runs")).to_have_attribute("aria-rowcount", str(len(runs) + 1))


QUERIES: dict[str, Callable[[Run], bool]] = {
    "state:failed": lambda run: is_top(run) and run["state"] == "failed",
    "state:failed,crashed": lambda run: is_top(run) and run["state"] in ("failed", "crashed"),
    "-state:completed": lambda run: is_top(run) and run["state"] != "completed",
    "flow:etl-*": lambda run: is_top(run) and run["flow"].startswith("etl-"),
    "flow:etl-daily,tidy": lambda run: is_top(run) and run["flow"] in ("etl-daily", "tidy"),
    'tag:"night shift"': lambda run: is_top(run) and "night shift" in run["tags"],
    "-tag:dev flow:etl-*": lambda run: is_top(run) and run["flow"].startswith("etl-") and "dev" not in run["tags"],
    "name:daily-*": lambda run: is_top(run) and run["name"].startswith("daily-"),
    "duration:>1s -flow:lasting": lambda run: is_top(run) and run["flow"] != "lasting" and seconds_of(run) > 1,
    "started:>-24h state:crashed": lambda run: is_top(run) and run["state"] == "crashed",
    "started:<-24h": lambda run: False,
    "kind:task state:failed": lambda run: run["kind"] == "task" and run["state"] == "failed",
    "kind:child": lambda run: run["kind"] == "flow" and run["parent_id"] is not None,
    "kind:any name:stumble*": lambda run: run["name"].startswith("stumble"),
    "TUESDAY": lambda run: is_top(run) and "tuesday" in (run["name"] + run["flow"]).lower(),
}


@pytest.mark.parametrize("query", QUERIES)
def test_a_filter_finds_what_the_command_line_knows(look: Look, served: Served, query: str) -> None:
    wanted = [run for run in served.runs("", "--all") if QUERIES[query](run)]
    assert bool(wanted) == (query != "started:<-24h"), "the seed has something to find"
    page = look(f"/runs?{urlencode({'q': query})}")
    expect(field_of(page)).to_have_value(query)
    if wanted:
        expect_rows(page, wanted)
    else:
        expect(page.get_by_text("No run matches.")).to_be_visible()
    heading = page.get_by_role("main").locator("header").filter(has=page.get_by_role("heading", level=1))
    expect(heading).to_have_text(re.compile(f"Runs\\s*{len(wanted)}$"))


def test_the_counts_are_of_all_runs(look: Look, served: Served) -> None:
    runs = served.runs("", "--all")
    page = look("/runs?q=kind:task")
    expect(page.get_by_role("button", name=re.compile("^Completed"))).to_have_text(re.compile(r"\d"))
    tasks = Counter(run["state"] for run in runs if run["kind"] == "task")
    assert tasks.total() > 300, "more than what is read at once"
    assert {state: count for state, count in chips(page).items() if count} == dict(tasks)

    page = look("/runs?q=state:failed+flow:etl-*")
    expect(page.get_by_role("button", name=re.compile("^Completed"))).to_have_text(re.compile(r"\d"))
    etl = Counter(run["state"] for run in runs if is_top(run) and run["flow"].startswith("etl-"))
    shown = {state: count for state, count in chips(page).items() if count}
    assert shown == dict(etl), "the other states as well, so that one sees what choosing them would bring"


def test_a_filter_applies_while_one_types_and_its_address_can_be_handed_on(served: Served, visit: Visitors) -> None:
    page = visit(served)
    field_of(page).press_sequentially("state:failed flow:etl-*")
    page.wait_for_url("**/runs?q=state:failed+flow:etl-*")
    wanted = [run for run in served.runs() if run["state"] == "failed" and run["flow"].startswith("etl-")]
    expect_rows(page, wanted)

    place = urlsplit(page.url)
    other = visit(served, f"{place.path}?{place.query}")
    expect_rows(other, wanted)
    expect(field_of(other)).to_have_value("state:failed flow:etl-*")
    assert other.title() == page.title() == "Runs: state:failed flow:etl-* · Stellwerk"


def test_suggestions_complete_the_filter(look: Look) -> None:
    page = look("/runs")
    field_of(page).press_sequentially("fl")
    options = page.get_by_role("listbox", name="Suggestions").get_by_role("option")
    expect(options).to_have_count(1)
    field_of(page).press("ArrowDown")
    field_of(page).press("Enter")
    expect(field_of(page)).to_have_value("flow:")
    field_of(page).press_sequentially("hourl")
    expect(options).to_have_text("etl-hourly")
    options.click()
    expect(field_of(page)).to_have_value("flow:etl-hourly ")
    expect(listed(page)).to_have_count(3)


def test_a_filter_that_cannot_be_read_says_why(look: Look) -> None:
    page = look("/runs")
    field_of(page).fill("colour:red ")
    expect(page.get_by_text("“colour” is no key.")).to_be_visible()
    expect(field_of(page)).to_have_attribute("aria-invalid", "true")
    page = look("/runs?q=state:odd")
    expect(page.get_by_text("“odd” is no state.")).to_be_visible()
    expect(page.get_by_text("This filter cannot be read.")).to_be_visible()


def test_chips_filter_and_the_back_button_leads_back(look: Look, served: Served) -> None:
    page = look("/runs")
    runs = served.runs()
    chip = page.get_by_role("group", name="States").get_by_role("button", name=re.compile("^Failed"))
    chip.click()
    page.wait_for_url("**/runs?q=state:failed")
    expect(chip).to_have_attribute("aria-pressed", "true")
    expect_rows(page, [run for run in runs if run["state"] == "failed"])

    listed(page).first.get_by_role("link", name="etl-hourly").click()
    page.wait_for_url("**/runs?q=flow:etl-hourly")
    expect_rows(page, [run for run in runs if run["flow"] == "etl-hourly"])

    listed(page).first.locator("[data-run]").click()
    newest = next(run for run in runs if run["flow"] == "etl-hourly")
    expect(page.get_by_role("heading", level=1, name=newest["name"])).to_be_visible()
    page.go_back()
    expect_rows(page, [run for run in runs if run["flow"] == "etl-hourly"])
    page.go_back()
    expect_rows(page, [run for run in runs if run["state"] == "failed"])
    page.go_back()
    expect_rows(page, runs)
    page.go_forward()
    expect_rows(page, [run for run in runs if run["state"] == "failed"])


def test_nothing_matches_and_the_filter_is_cleared(look: Look, served: Served) -> None:
    page = look("/runs?q=flow:nobody")
    expect(page.get_by_text("No run matches.")).to_be_visible()
    page.get_by_role("button", name="Clear the filter").last.click()
    page.wait_for_url("**/runs")
    expect_rows(page, served.runs())
    expect(field_of(page)).to_have_value("")


def test_the_kind_can_be_chosen(look: Look, served: Served) -> None:
    page = look("/runs?q=-state:completed")
    page.get_by_role("button", name="Kind: Flow runs").click()
    page.get_by_role("menuitemradio", name="Task runs").click()
    page.wait_for_url("**/runs?q=kind:task+-state:completed")
    expect_rows(
        page, [run for run in served.runs("", "--all") if run["kind"] == "task" and run["state"] != "completed"]
    )


def test_the_keyboard_reaches_filter_and_rows(look: Look, served: Served) -> None:
    page = look("/runs")
    page.keyboard.press("/")
    expect(field_of(page)).to_be_focused()
    page.keyboard.press("j")
    expect(field_of(page)).to_have_value("j")
    field_of(page).fill("")
    field_of(page).press("Escape")
    field_of(page).press("Escape")
    expect(field_of(page)).not_to_be_focused()

    runs = served.runs()
    for key, place in (("j", 0), ("j", 1), ("j", 2), ("k", 1)):
        page.keyboard.press(key)
        expect(page.locator(f'[data-run][href*="{runs[place]["id"]}"]')).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name=runs[1]["name"])).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("r")
    expect_rows(page, runs)
    page.keyboard.press("g")
    page.keyboard.press("f")
    expect(page.get_by_role("heading", level=1, name="Flows")).to_be_visible()


def test_a_long_list_is_read_as_one_scrolls(look: Look, served: Served) -> None:
    page = look("/runs?q=kind:task")
    total = sum(run["kind"] == "task" for run in served.runs("", "--all"))
    table = page.get_by_role("table", name="Runs")
    expect(table).to_have_attribute("aria-rowcount", "-1")
    seen: set[str] = set()
    while table.get_attribute("aria-rowcount") == "-1" or len(seen) < total:
        seen.update(listed_ids(page))
        assert listed(page).count() < 100, "only what is in view is in the page"
        table.evaluate("(box) => { box.scrollTop += box.clientHeight / 2 }")
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))")
    assert len(seen) == total
    expect(table).to_have_attribute("aria-rowcount", str(total + 1))


def test_navigation_shows_what_is_under_way(look: Look) -> None:
    page = look("/flows")
    expect(navigation(page).get_by_title("1 under way")).to_have_text("1")


def test_an_empty_home_teaches_what_works(empty: Served, serve: Callable[..., Served], visit: Visitors) -> None:
    page = visit(empty)
    expect(page.get_by_text("Nothing has run yet.")).to_be_visible()
    snippet = page.locator("pre").first.inner_text()
    page.get_by_role("figure").first.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").strip() == snippet.strip()
    navigation(page).get_by_role("link", name="Flows").click()
    expect(page.get_by_text("Nothing has run yet.")).to_be_visible()

    own = serve()
    page = visit(own)
    expect(page.get_by_text("Nothing has run yet.")).to_be_visible()
    script = own.home / "squares.py"
    script.write_text(snippet, encoding="utf-8")
    own.execute(script)
    expect(listed(page)).to_have_count(1)
    expect(listed(page)).to_contain_text("squares")
    expect(listed(page)).to_contain_text("Completed")
