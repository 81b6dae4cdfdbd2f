"""The page's files as they are served: packed, kept or asked for anew, and never anything beside them."""

from __future__ import annotations

import gzip
import http.client
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from doors import SECONDS, House

SCRIPT = b"console.log('night train')\n" * 100
INDEX = '<!doctype html>\n<html lang="en">\n  <head>\n    <meta charset="utf-8">\n  </head>\n  <body>trains</body>\n</html>\n'


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """Lay out a built page, with something beside it that nobody may get."""
    folder = tmp_path / "ui_dist"
    (folder / "assets").mkdir(parents=True)
    (folder / ".vite").mkdir()
    (folder / "index.html").write_text(INDEX, encoding="utf-8")
    (folder / "index.html.gz").write_bytes(gzip.compress(INDEX.encode()))
    (folder / "favicon.svg").write_text("<svg/>", encoding="utf-8")
    (folder / "assets" / "index-abc.js").write_bytes(SCRIPT)
    (folder / "assets" / "index-abc.js.br").write_bytes(b"packed by br")
    (folder / "assets" / "index-abc.js.gz").write_bytes(gzip.compress(SCRIPT))
    (folder / "assets" / "tokens-abc.css").write_text("b{}", encoding="utf-8")
    (folder / ".vite" / "manifest.json").write_text("{}", encoding="utf-8")
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    return folder


@pytest.fixture
def house(tmp_path: Path, page: Path) -> Iterator[House]:
    with House(tmp_path, page=page) as house:
        yield house


def test_every_place_of_the_page_is_its_index(house: House) -> None:
    for path in ("/", "/runs", "/runs/0197?tab=logs", "/flows/", "/a/b/c.d", "/index.html"):
        answer = house.ask(path, token="")
        assert answer.status == 200, path
        assert answer.body.decode() == INDEX.replace("<head>", '<head><base href="/">')
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
        policy = answer.headers["content-security-policy"]
        assert f"ws://127.0.0.1:{house.port}" in policy
        for source in ("default-src 'self'", "style-src 'self'", "img-src 'self' data:", "frame-ancestors 'none'"):
            assert source in policy


def test_the_base_is_the_path_of_the_proxy(tmp_path: Path, page: Path) -> None:
    with House(tmp_path, page=page, server_path="/a/trains") as house:
        for path in ("/", "/a/trains", "/a/trains/", "/a/trains/runs/x"):
            assert b'<head><base href="/a/trains/">' in house.ask(path, token="").body
        assert house.ask("/a/trains/assets/index-abc.js", token="").body == SCRIPT


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("br, gzip", "br"),
        ("gzip, deflate, br;q=0.9", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("identity", None),
        ("deflate", None),
        ("", None),
    ],
)
def test_files_come_packed_as_they_are_accepted(house: House, accepted: str, encoding: str | None) -> None:
    answer = house.ask("/assets/index-abc.js", token="", accept_encoding=accepted)
    assert answer.status == 200
    assert answer.headers["content-encoding"] == encoding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    unpacked = {"br": b"packed by br", "gzip": gzip.compress(SCRIPT), None: SCRIPT}[encoding]
    assert gzip.decompress(answer.body) == SCRIPT if encoding == "gzip" else answer.body == unpacked


def test_what_is_not_packed_comes_as_it_is(house: House) -> None:
    answer = house.ask("/assets/tokens-abc.css", token="", accept_encoding="br, gzip")
    assert (answer.body, answer.headers["content-encoding"]) == (b"b{}", None)
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    icon = house.ask("/favicon.svg", token="")
    assert (icon.headers["content-type"], icon.headers["cache-control"]) == ("image/svg+xml", "no-cache")


def test_what_is_known_is_not_sent_again(house: House) -> None:
    for path, accepted in (("/", ""), ("/runs", ""), ("/assets/index-abc.js", "br"), ("/assets/index-abc.js", "")):
        etag = house.ask(path, token="", accept_encoding=accepted).headers["etag"]
        for told in (etag, f'"other", {etag}', f"W/{etag}", "*"):
            again = house.ask(path, token="", accept_encoding=accepted, if_none_match=told)
            assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag)
        assert house.ask(path, token="", accept_encoding=accepted, if_none_match='"other"').status == 200
    packed = house.ask("/assets/index-abc.js", token="", accept_encoding="br").headers["etag"]
    assert house.ask("/assets/index-abc.js", token="", accept_encoding="gzip", if_none_match=packed).status == 200


def test_head_tells_the_same_without_a_body(house: House) -> None:
    for path in ("/", "/assets/index-abc.js", "/health"):
        whole, head = house.ask(path, token=""), house.ask(path, "HEAD", token="")
        assert (head.status, head.body) == (200, b"")
        for name in ("content-length", "content-type", "etag", "cache-control"):
            assert head.headers[name] == whole.headers[name]


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/assets/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "//secret.txt",
        "/assets//index-abc.js",
        "/link.txt",
        "/.vite/manifest.json",
        "/assets/index-abc.js%00.css",
        "/assets\\index-abc.js",
        "/index.html.gz",
        "/assets/index-abc.js.br",
        "/assets/",
        "/assets/index-old.js",
    ],
)
def test_nothing_but_the_listed_files_is_served(house: House, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", house.port, timeout=SECONDS)
    connection.putrequest("GET", path, skip_accept_encoding=True)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status in (400, 404) or b'<base href="/">' in body
    assert body != b"secret"
    if path.startswith("/assets/") and ".." not in path:
        assert answer.status in (400, 404)  # never HTML for a script


def test_a_page_that_is_built_anew_is_seen(house: House, page: Path) -> None:
    assert house.ask("/assets/index-abc.js", token="").status == 200
    (page / "assets" / "index-abc.js").unlink()
    assert house.ask("/assets/index-abc.js", token="").status == 404
    (page / "assets" / "index-def.js").write_bytes(b"new")
    (page / "index.html").write_text(INDEX.replace("trains", "newer trains"), encoding="utf-8")
    os.utime(page / "index.html", ns=(1, 1))
    assert b"newer trains" in house.ask("/", token="").body
    assert house.ask("/assets/index-def.js", token="").body == b"new"


def test_without_a_built_page_it_says_how_to_build_it(tmp_path: Path) -> None:
    with House(tmp_path, page=tmp_path / "nothing") as house:
        for path in ("/", "/runs"):
            answer = house.ask(path, token="")
            assert answer.status == 200
            assert b"make ui" in answer.body
            assert answer.headers["cache-control"] == "no-store"
        assert house.ask("/api/runs").status == 200
