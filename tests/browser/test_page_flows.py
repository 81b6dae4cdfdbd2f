"""The page of flows."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from pages import listed, listed_ids
from playwright.sync_api import Page, expect
from served import Served

Look = Callable[[str], Page]


def names(page: Page) -> list[str]:
    """Read which flows are listed."""
    return page.locator("tbody tr td:first-child").all_inner_texts()


def test_each_flow_is_summed_up_by_its_runs(look: Look, served: Served) -> None:
    runs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for run in served.runs("", "--all"):
        if run["kind"] == "flow":
            runs[run["flow"]].append(run)
    page = look("/flows")
    expect(page.locator("tbody tr")).to_have_count(len(runs))
    assert set(names(page)) == set(runs)
    for flow, own in runs.items():
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name=flow, exact=True))
        cells = row.get_by_role("cell")
        expect(cells.nth(5)).to_have_text(str(len(own)))
        ended = [run["state"] for run in own if run["ended_at"]]
        share = f"{100 * ended.count('completed') // len(ended)}\u202f%" if ended else "–"
        expect(cells.nth(3)).to_have_text(share)
        words = {f"{count} {state}" for state, count in Counter(run["state"] for run in own).items()}
        pulse = cells.nth(2).inner_text().split("\n")[0]
        assert set(pulse.split(", ")) == words
        expect(cells.nth(2).locator("a")).to_have_count(len(own))
        last = max(own, key=lambda run: run["created_at"])
        expect(cells.nth(1).get_by_role("link")).to_have_attribute("href", re.compile(last["id"]))


def test_flows_are_found_and_sorted(look: Look) -> None:
    page = look("/flows")
    page.get_by_role("button", name="Flow", exact=True).click()
    page.wait_for_url("**/flows?sort=name")
    expect(page.get_by_role("columnheader", name="Flow")).to_have_attribute("aria-sort", "ascending")
    expect(page.locator("tbody tr").first).to_contain_text("chatty")
    assert names(page) == sorted(names(page))
    page.get_by_role("searchbox").fill("ETL")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.wait_for_url("**/flows?sort=name&q=ETL")
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_role("searchbox").fill("nobody")
    expect(page.get_by_text("No flow has that in its name.")).to_be_visible()


def test_ways_lead_to_runs(look: Look, served: Served) -> None:
    page = look("/flows")
    page.get_by_role("link", name="etl-hourly", exact=True).click()
    page.wait_for_url("**/runs?q=flow:etl-hourly")
    expect(listed(page)).to_have_count(3)
    assert listed_ids(page) == [run["id"] for run in served.runs("etl-hourly")]
    page.go_back()
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="etl-hourly", exact=True))
    row.get_by_role("cell").nth(2).locator("a").first.click()
    oldest = served.runs("etl-hourly")[-1]
    expect(page.get_by_role("heading", level=1, name=oldest["name"])).to_be_visible()
