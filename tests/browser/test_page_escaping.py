"""Names, lines, parameters, results and errors that try to be more than text: they are shown as what they are."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from types import ModuleType
from urllib.parse import quote

import pytest
from pages import Visitors, listed, settled
from playwright.sync_api import Page, expect
from served import RUNS, Served


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("seeded_runs", RUNS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SEEDED = _load()
EVIL: str = SEEDED.EVIL
LONG: str = SEEDED.LONG
TABS = ("timeline", "graph", "tasks", "logs", "story", "parameters", "result")


@pytest.fixture(scope="module")
def evil(stage: Served) -> Served:
    """Run what tries to be more than text."""
    stage.run("seed_evil")
    return stage


@pytest.fixture
def page(evil: Served, visit: Visitors) -> Iterator[Page]:
    """Open the list of runs; nothing may have been executed at the end."""
    page = visit(evil)
    page.on("dialog", lambda dialog: visit.complaints.append(f"a dialog: {dialog.message}"))
    yield page
    expect_harmless(page)


def expect_harmless(page: Page) -> None:
    """Expect nothing to have been executed, and the layout to hold."""
    settled(page)
    assert page.evaluate("document.documentElement.dataset.struck") is None
    assert page.locator("img, iframe, script:not([src*='/assets/']), a[href^='javascript']").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.querySelectorAll('*').length") <= 3_000


def test_the_list_and_its_links(page: Page, evil: Served) -> None:
    run = next(each for each in evil.runs() if EVIL in each["name"])
    expect(listed(page)).to_have_count(2)
    row = listed(page).filter(has_text=EVIL)
    expect(row).to_have_count(1)
    expect(row.locator("[data-run]")).to_have_text(run["name"])
    heights = {round(box["height"]) for box in (each.bounding_box() for each in listed(page).all()) if box}
    assert len(heights) == 1, "a long name does not make its row higher"
    expect_harmless(page)

    row.get_by_role("link", name=run["flow"], exact=True).click()
    expect(listed(page)).to_have_count(1)
    expect(page.get_by_role("combobox")).to_have_value(re.compile("^flow:"))
    page.go_back()
    row.get_by_role("link", name=run["tags"][0], exact=True).click()
    expect(listed(page)).to_have_count(1)
    quoted = '"' + EVIL.replace('"', '\\"') + '"'
    page.goto(f"{evil.url}/runs?q={quote(quoted)}")
    expect(listed(page)).to_have_count(1)


def test_the_flows(page: Page, evil: Served) -> None:
    page.goto(f"{evil.url}/flows?q={quote('<img src')}")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.get_by_role("link", name=f"flow {EVIL}", exact=True)).to_be_visible()
    page.goto(f"{evil.url}/flows")
    expect(page.locator("tbody tr")).to_have_count(2)


@pytest.mark.parametrize("width", [1440, 390])
def test_every_view_of_a_run(page: Page, evil: Served, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for run in evil.runs():
        for tab in TABS:
            page.goto(f"{evil.url}/runs/{run['id']}?tab={tab}")
            expect(page.get_by_role("heading", level=1)).to_have_text(run["name"])
            expect_harmless(page)


def test_what_is_shown_is_the_text_itself(page: Page, evil: Served) -> None:
    run = next(each for each in evil.runs() if EVIL in each["name"])
    page.goto(f"{evil.url}/runs/{run['id']}?tab=parameters")
    parameters = page.get_by_role("region", name="Parameters")
    expect(parameters.locator("dd").first).to_contain_text("<img src=x onerror=")
    expect(parameters).to_contain_text(SEEDED.ODD)
    page.get_by_role("tab", name="Result").click()
    expect(page.get_by_role("region", name="Result").locator("pre")).to_have_text(run["result"]["preview"])
    page.get_by_role("tab", name="Logs").click()
    lines = page.get_by_role("region", name=re.compile("^Log of")).locator("[data-sub='0']")
    expect(lines.filter(has_text=f"logged {EVIL}")).to_have_count(1)
    coloured = lines.filter(has_text=f"coloured red {EVIL}")
    expect(coloured).to_have_count(1)
    expect(coloured.get_by_role("link")).to_have_count(0)
    page.get_by_role("tab", name="Graph").click()
    expect(page.get_by_role("application").get_by_role("button")).to_have_accessible_name(f"task {EVIL}, Completed")
    page.get_by_role("application").get_by_role("button").click()
    page.reload()
    expect(page.get_by_role("application").get_by_role("button")).to_have_attribute("aria-pressed", "true")


def test_an_error_is_text(page: Page, evil: Served) -> None:
    run = next(each for each in evil.runs() if each["state"] == "failed")
    page.goto(f"{evil.url}/runs/{run['id']}")
    trouble = page.get_by_role("region", name="What went wrong")
    expect(trouble).to_contain_text(f"ValueError: {EVIL}")
    expect(page.get_by_role("tablist")).to_be_visible()
    expect(page).to_have_title(re.compile("^Donaudampf"))


def test_an_address_that_is_made_up(page: Page, evil: Served, visit: Visitors) -> None:
    page.goto(f"{evil.url}/{quote(EVIL, safe='')}")
    expect(page.get_by_text("There is no such page.")).to_be_visible()
    page.goto(f"{evil.url}/runs?q={quote('state:' + EVIL)}")
    expect(page.get_by_text("This filter cannot be read.")).to_be_visible()
    lost = visit(evil, f"/runs/{quote(EVIL, safe='')}?tab={quote(EVIL)}&line=-1&level=x&from=b", may_fail=True)
    expect(lost.get_by_text("There is no such run.")).to_be_visible()
    expect_harmless(lost)
    run = evil.runs()[0]
    page.goto(
        f"{evil.url}/runs/{run['id']}?tab={quote(EVIL)}&line=-1&level=x&from=b&to=a&selected=z&open=%7C%7C&node=q"
    )
    expect(page.get_by_role("heading", level=1)).to_have_text(run["name"])
