"""Getting in: by a link that works once, by the API token, and from a tab that is in already."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from pages import Visitors, navigation
from playwright.sync_api import Page, expect
from served import Served

TOKEN = "a-token-that-people-share"


def is_outside(page: Page) -> None:
    """Expect the view that says how to get in."""
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_text("stellwerk open", exact=True)).to_be_visible()
    expect(page).to_have_title("Sign in · Stellwerk")
    expect(navigation(page)).to_have_count(0)


def is_inside(page: Page) -> None:
    """Expect the page."""
    expect(navigation(page)).to_be_visible()


def test_a_link_lets_one_browser_in_once(served: Served, visit: Visitors) -> None:
    link = served.link()
    page = visit.watched(visit.profile(), served.url)
    page.goto(link)
    is_inside(page)
    assert page.url == f"{served.url}/runs", "the code must not stay in the address"

    second = visit.watched(visit.profile(), served.url, may_fail=True)
    second.goto(link)
    is_outside(second)
    expect(second.get_by_role("alert")).to_have_text(re.compile("The code has been used"))
    assert "code" not in second.url


def test_the_browser_is_opened_without_telling_all_users_the_code(
    served: Served, visit: Visitors, tmp_path: Path
) -> None:
    # What a process was started with is there to read for every user of the machine.
    browser, told = tmp_path / "browser", tmp_path / "told"
    browser.write_text(f'#!/bin/sh\nprintf %s "$*" > {told}\n', encoding="utf-8")
    browser.chmod(0o700)
    desk = {"STELLWERK_HOME": str(served.home), "DISPLAY": ":9", "BROWSER": f"{browser} %s"}
    subprocess.run([sys.executable, "-m", "stellwerk", "open"], env={**os.environ, **desk}, check=True, timeout=60)
    (there,) = told.read_text(encoding="utf-8").split()
    assert there == (served.home / "open.html").as_uri()
    assert stat.S_IMODE((served.home / "open.html").stat().st_mode) == 0o600
    page = visit.watched(visit.profile(), served.url)
    page.goto(there)
    is_inside(page)


def test_the_token_is_kept_by_the_tab_alone(served: Served, visit: Visitors) -> None:
    page = visit(served)
    assert page.evaluate("Object.keys(sessionStorage)") == ["stellwerk.token"]
    token = page.evaluate("sessionStorage.getItem('stellwerk.token')")
    assert token not in page.evaluate("JSON.stringify(localStorage)")
    assert page.context.cookies() == []
    page.reload()
    is_inside(page)


def test_without_a_token_the_page_explains_how_to_get_in(served: Served, visit: Visitors) -> None:
    page = visit.watched(visit.profile(), served.url)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{served.url}/runs/some-run?tab=logs")
    is_outside(page)
    expect(page.get_by_role("alert")).to_have_count(0)
    assert not [url for url in asked if "/api/" in url or "graphql" in url], "nothing is asked for before"


def test_the_api_token_lets_in_and_the_place_is_kept(serve: Callable[..., Served], visit: Visitors) -> None:
    own = serve(STELLWERK_API_TOKEN=TOKEN)
    page = visit.watched(visit.profile(), own.url, may_fail=True)
    page.goto(f"{own.url}/flows?q=etl")
    field = page.get_by_label("API token")
    field.fill("no-token-of-this-server")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill(TOKEN)
    field.press("Enter")
    is_inside(page)
    expect(page.get_by_role("heading", name="Flows")).to_be_visible()
    assert page.url == f"{own.url}/flows?q=etl"
    assert TOKEN not in page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])")


def test_a_link_to_a_run_leads_there(served: Served, visit: Visitors) -> None:
    run = served.newest("spoilt")
    page = visit.watched(visit.profile(), served.url)
    page.goto(served.link(run["id"]))
    expect(page.get_by_role("heading", level=1, name=run["name"])).to_be_visible()
    assert page.url == f"{served.url}/runs/{run['id']}"


def test_a_second_tab_gets_in_by_itself_and_leaves_together(served: Served, visit: Visitors) -> None:
    first = visit(served)
    second = visit.watched(first.context, served.url)
    second.goto(f"{served.url}/flows")
    is_inside(second)
    expect(second.get_by_role("heading", name="Flows")).to_be_visible()

    first.close()
    third = visit.watched(second.context, served.url)
    third.goto(served.url)
    is_inside(third)

    navigation(third).get_by_role("button", name="Settings").click()
    third.get_by_role("menuitem", name="Sign out").click()
    is_outside(third)
    is_outside(second)
    assert second.evaluate("sessionStorage.length") == 0
    third.reload()
    is_outside(third)


def test_a_tab_that_waits_outside_comes_in_with_another(served: Served, visit: Visitors) -> None:
    profile = visit.profile()
    waiting = visit.watched(profile, served.url)
    waiting.goto(f"{served.url}/flows")
    is_outside(waiting)
    other = visit.watched(profile, served.url)
    other.goto(f"{served.url}/runs#code={served.code()}")
    is_inside(other)
    is_inside(waiting)
    expect(waiting.get_by_role("heading", name="Flows")).to_be_visible()


def test_a_token_that_is_no_longer_valid_leads_outside(served: Served, visit: Visitors) -> None:
    page = visit(served, may_fail=True)
    page.evaluate("sessionStorage.setItem('stellwerk.token', 'spoilt')")
    page.reload()
    is_outside(page)
    expect(page.get_by_role("alert")).to_have_text("Your session has ended.")
