"""What a person chooses about the page: zone, theme, density, keys; and that nothing moves for those who want none."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from pages import ZONE, Visitors, listed, navigation, settled
from playwright.sync_api import Page, expect
from served import Served

BACKGROUND = "getComputedStyle(document.body).backgroundColor"


def choose(page: Page, menu: str, name: str) -> None:
    """Choose one of a menu at the side."""
    navigation(page).get_by_role("button", name=re.compile(menu)).click()
    page.get_by_role("menuitemradio", name=name).click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("menu")).to_have_count(0)


def clocks(page: Page) -> list[tuple[str, str]]:
    """Read the moments on a page: as they are, and as they are shown."""
    found: list[list[str]] = page.locator("time").evaluate_all(
        "(times) => times.map((time) => [time.dateTime, time.textContent])"
    )
    return [(iso, shown) for iso, shown in found]


def expect_zone(page: Page, zone: str) -> None:
    """Expect all times of a page in a zone; what is not of today has its day before it."""
    found = clocks(page)
    assert found
    for iso, shown in found:
        local = datetime.fromisoformat(iso.replace("Z", "+00:00")).astimezone(ZoneInfo(zone))
        assert local.strftime("%H:%M:%S") in shown, (iso, shown, zone)


@pytest.mark.parametrize("tab", ["timeline", "tasks", "story"])
def test_the_zone_changes_all_times(served: Served, visit: Visitors, tab: str) -> None:
    run = served.newest("tidy")
    page = visit(served, f"/runs/{run['id']}?tab={tab}")
    settled(page)
    expect_zone(page, ZONE)
    choose(page, "^Time zone", "UTC")
    expect_zone(page, "UTC")
    expect(page.get_by_role("definition").filter(has_text="UTC").first).to_have_text(re.compile("UTC$"))
    began = datetime.fromisoformat(run["started_at"])
    if tab == "timeline":
        page.get_by_role("button", name="Table", exact=True).click()
        expect(page.locator("tbody tr").first.locator("td").nth(2)).to_have_text(re.compile(f"^{began:%H:%M}"))
        expect(page.get_by_role("region", name=re.compile("^Log of")).locator("[data-n]").first).to_contain_text(
            f"{began:%H:%M}"
        )


def test_any_zone_is_remembered_and_shared_by_tabs(served: Served, visit: Visitors) -> None:
    page = visit(served)
    other = visit.watched(page.context, served.url)
    other.goto(f"{served.url}/flows")
    settled(other)
    expect_zone(other, ZONE)
    navigation(page).get_by_role("button", name=re.compile("^Time zone")).click()
    page.get_by_role("menuitem", name="Another zone …").click()
    field = page.get_by_role("searchbox", name="Part of the zone's name")
    expect(field).to_be_focused()
    field.fill("kathm")
    field.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(navigation(page).get_by_role("button", name=re.compile("^Time zone.*UTC\\+5:45"))).to_be_visible()
    expect(listed(page).first).to_be_visible()
    expect_zone(page, "Asia/Kathmandu")
    expect(navigation(other).get_by_role("button", name=re.compile("^Time zone.*UTC\\+5:45"))).to_be_visible()
    expect_zone(other, "Asia/Kathmandu")
    page.reload()
    settled(page)
    expect(listed(page).first).to_be_visible()
    expect_zone(page, "Asia/Kathmandu")
    time = listed(page).first.locator("button:has(time)")
    time.click()
    assert page.evaluate("navigator.clipboard.readText()") == clocks(page)[0][0]


def test_the_theme_is_the_system_s_until_one_chooses(served: Served, visit: Visitors) -> None:
    page = visit(served, color_scheme="light")
    light = page.evaluate(BACKGROUND)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    dark = page.evaluate(BACKGROUND)
    assert _brightness(light) > 200 > 60 > _brightness(dark)
    choose(page, "^Settings", "Light")
    assert page.evaluate(BACKGROUND) == light
    page.reload()
    expect(navigation(page)).to_be_visible()
    assert page.evaluate(BACKGROUND) == light
    choose(page, "^Settings", "Dark")
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    assert page.evaluate(BACKGROUND) == dark
    choose(page, "^Settings", "As the system")
    assert page.evaluate(BACKGROUND) == light


def _brightness(colour: str) -> float:
    numbers = [float(part) for part in re.findall(r"[\d.]+", colour)[:3]]
    return sum(numbers) / 3


def test_rows_can_be_compact(served: Served, visit: Visitors) -> None:
    page = visit(served)
    heights = {}
    for name in ("Normal", "Compact"):
        choose(page, "^Settings", name)
        boxes = [listed(page).nth(place).bounding_box() for place in (0, 1)]
        assert boxes[0]
        assert boxes[1]
        heights[name] = round(boxes[1]["y"] - boxes[0]["y"])
    assert heights == {"Normal": 34, "Compact": 28}


def test_the_help_lists_the_keys_and_gives_the_focus_back(served: Served, visit: Visitors) -> None:
    page = visit(served, f"/runs/{served.newest('spoilt')['id']}")
    settled(page)
    button = navigation(page).get_by_role("button", name="Keyboard help")
    button.click()
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    for words in ("Show the keys", "Go to runs", "Only what failed", "Next run", "Search the log"):
        expect(dialog.get_by_text(words, exact=True)).to_be_visible()
    assert dialog.evaluate("(dialog) => dialog.contains(document.activeElement)")
    page.keyboard.press("f")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(button).to_be_focused()
    assert "only=" not in page.url, "keys do nothing behind a dialog"

    tab = page.get_by_role("tab", name="Story")
    tab.focus()
    page.keyboard.press("?")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    expect(tab).to_be_focused()


def test_single_letters_can_be_switched_off(served: Served, visit: Visitors) -> None:
    page = visit(served, f"/runs/{served.newest('spoilt')['id']}")
    navigation(page).get_by_role("button", name="Settings").click()
    page.get_by_role("menuitemradio", name="Off").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("menu")).to_have_count(0)
    page.keyboard.press("n")
    page.keyboard.press("?")
    expect(page.get_by_role("tab", name="Timeline")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_first_stop_of_the_keyboard_skips_to_the_content(served: Served, visit: Visitors) -> None:
    page = visit(served)
    expect(listed(page).first).to_be_visible()
    page.keyboard.press("Tab")
    skip = page.get_by_role("button", name="Skip to content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


RUNNING = "document.getAnimations().filter((each) => each.playState === 'running').length"


@pytest.mark.parametrize("flow", ["tidy", "lasting"])
def test_nothing_moves_for_those_who_want_no_motion(served: Served, visit: Visitors, flow: str) -> None:
    run = served.newest(flow)
    page = visit(served, f"/runs/{run['id']}")
    for tab in ("Timeline", "Graph", "Tasks", "Logs", "Story", "Result"):
        page.get_by_role("tab", name=re.compile(f"^{tab}")).click()
        settled(page)
        assert page.evaluate(RUNNING) == 0, tab


def test_changes_move_for_those_who_do_not_mind(stage: Served, visit: Visitors) -> None:
    page = visit(stage, reduced_motion="no-preference")
    expect(page.get_by_text("Nothing has run yet.")).to_be_visible()
    page.evaluate(
        """() => {
            const animate = Element.prototype.animate
            window.moved = 0
            Element.prototype.animate = function (...given) { window.moved += 1; return animate.apply(this, given) }
        }"""
    )
    stage.begin("lasting").kill()
    expect(listed(page)).to_contain_text(re.compile("Crashed|Owner lost"))
    assert page.evaluate("window.moved") > 0
