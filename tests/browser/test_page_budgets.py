"""What the page may weigh, ask for and hold; and what its answers forbid."""

from __future__ import annotations

import gzip
import json
import re
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pages import Visitors, connection, settled
from playwright.sync_api import Request, expect
from served import Served

import stellwerk

BUILT = Path(stellwerk.__file__).parent / "ui_dist"
FIRST_LOAD_KB = 220
LAZY_KB = 60
ALL_KB = 2_000
MOST_FILES = 6
MOST_REQUESTS = 12
MOST_NODES = 3_000


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    """Read what the build made of what."""
    found: dict[str, Any] = json.loads((BUILT / ".vite" / "manifest.json").read_text(encoding="utf-8"))
    return found


def closure(manifest: dict[str, Any], key: str) -> Iterator[str]:
    """Name the files that must be there before a chunk can run."""
    chunk = manifest[key]
    yield chunk["file"]
    yield from chunk.get("css", [])
    for each in chunk.get("imports", []):
        yield from closure(manifest, each)


def kilobytes(files: set[str]) -> float:
    """Weigh files as gzip sends them."""
    return sum(len(gzip.compress((BUILT / file).read_bytes(), 9, mtime=0)) for file in files) / 1000


def test_the_first_load_is_light(manifest: dict[str, Any]) -> None:
    first = set(closure(manifest, "index.html"))
    assert any(file.endswith(".css") for file in first)
    assert kilobytes(first) <= FIRST_LOAD_KB
    assert len(first) <= MOST_FILES, "each file is a way to the server and back"


def test_each_later_load_is_light(manifest: dict[str, Any]) -> None:
    first = set(closure(manifest, "index.html"))
    later = {
        key: kilobytes(set(closure(manifest, key)) - first) for key in manifest if manifest[key].get("isDynamicEntry")
    }
    assert len(later) > 3, "the run page and its views come when they are needed"
    assert {key: weight for key, weight in later.items() if weight > LAZY_KB} == {}


def test_all_files_together_are_small() -> None:
    files = [path for path in BUILT.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) / 1000 <= ALL_KB
    assert not [path.name for path in files if path.suffix == ".map"]


@pytest.mark.parametrize(
    "place", ["/runs", "/flows", "spoilt", "wide", "chatty?tab=logs", "tidy?tab=graph", "lasting", "wide?tab=tasks"]
)
def test_a_place_loads_with_few_requests_and_little_in_it(served: Served, visit: Visitors, place: str) -> None:
    flow, mark, query = place.partition("?")
    path = place if place.startswith("/") else f"/runs/{served.newest(flow)['id']}{mark}{query}"
    page = visit.watched(visit.profile(), served.url)
    asked: Counter[str] = Counter()
    page.on("request", lambda request: asked.update([_matter_of(request)]))
    page.on("websocket", lambda socket: asked.update(["socket"]))
    page.goto(f"{served.url}{path}#code={served.code()}")
    settled(page)
    expect(connection(page)).to_have_text("Live")
    matters = {matter: times for matter, times in asked.items() if not matter.startswith("/assets/")}
    assert len(matters) <= MOST_REQUESTS, matters
    # The second time is the look at what may have changed before the page could be told so.
    assert all(times <= 2 for times in matters.values()), matters
    assert page.evaluate("document.querySelectorAll('*').length") <= MOST_NODES


def _matter_of(request: Request) -> str:
    """Name what a request asks for: a path, or the operation of a query."""
    operation = re.search(r"query (\w+)", request.post_data or "")
    return operation[1] if operation else urlsplit(request.url).path


def test_answers_forbid_what_the_page_does_not_need(served: Served, visit: Visitors) -> None:
    for path in ("/", "/runs/anything", "/index.html"):
        with urllib.request.urlopen(f"{served.url}{path}") as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'self'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            text = answer.read().decode()
            assert "<script>" not in text
            assert "style=" not in text

    page = visit(served, may_fail=True)
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.isStruck = 1'}))"
    )
    page.evaluate("document.body.append(Object.assign(new Image(), {src: 'https://example.org/x.png'}))")
    settled(page)
    assert page.evaluate("window.isStruck") is None


def test_a_part_that_is_gone_asks_for_a_reload(served: Served, visit: Visitors) -> None:
    page = visit(served, may_fail=True)
    page.route("**/assets/FlowsPage*", lambda route: route.fulfill(status=404, body="{}"))
    page.get_by_role("link", name="Flows").click()
    expect(page.get_by_text("The server has a new version.")).to_be_visible()
    page.unroute_all()
    page.get_by_role("button", name="Reload").click()
    expect(page.get_by_role("heading", level=1, name="Flows")).to_be_visible()
