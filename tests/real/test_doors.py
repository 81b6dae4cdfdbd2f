"""Who gets in: tokens, names and origins, on every request and every WebSocket; and what is said to who does not."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from doors import SECONDS, House, Page
from wire import NOW, RESULT, Root, accept, completed, new_id

from stellwerk.api import answers, guard
from stellwerk.client.http import Http
from stellwerk.client.road import Remote
from stellwerk.errors import NotFound, UnavailableError
from stellwerk.model.identity import to_text
from stellwerk.model.messages import Began, Ended, Result
from stellwerk.model.wire import MOST_FRAME_BYTES

PRIVATE = [
    "/api",
    "/api/",
    "/api/runs",
    "/api/openapi.json",
    "/api/live?topics=runs",
    "/graphql",
    "/metrics",
    "/api/nothing",
]
OPEN = ["/", "/health", "/ready", "/runs", "/runs/x?tab=logs"]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path) as house:
        yield house


def blob_of(house: House) -> tuple[Root, bytes, bytes]:
    """Record a run whose result lies in the blob store; the run, the result's digest and its bytes."""
    data = b"carriage" * 10_000
    digest = hashlib.blake2b(data, digest_size=32).digest()
    house.parts.blobs.put(digest, data)
    root, task = Root(), new_id()
    end = Ended(task, NOW + 9, "completed", 1, "returned", result=Result(digest, len(data), "…"))
    accept(house.parts.store, root.batch(*root.begin(), root.task(task), Began(task, NOW + 3, 1), end, root.end()))
    return Root(task), digest, data


# ── another user of this machine: reaches the port, has no token ─────────────────────────────────────────────────────
@pytest.mark.parametrize("path", PRIVATE)
def test_without_a_token_nobody_gets_in(house: House, path: str) -> None:
    for token in ("", "x", house.secret[:-1], house.secret + "x", "ü" * 43, "swp1.9999999999.x.y"):
        answer = house.ask(path, token="", authorization=f"Bearer {token}".encode().decode("latin-1"))
        assert (answer.status, answer.code) == (401, "unauthenticated")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert house.ask(path, token="").status == 401
    assert house.ask(path, token="", authorization=f"Basic {house.secret}").status == 401
    assert house.ask(f"{path}{'&' if '?' in path else '?'}token={house.secret}", token="").status == 401


@pytest.mark.parametrize("path", OPEN)
def test_what_is_open_says_nothing_of_the_record(house: House, path: str) -> None:
    root = Root()
    accept(house.parts.store, root.batch(*root.begin()))
    answer = house.ask(path, token="")
    assert answer.status == 200
    assert b"night" not in answer.body
    assert house.secret.encode() not in answer.body


def test_every_way_in_needs_a_token_for_writing(house: House) -> None:
    page = house.page_token()
    for token, status in (("", 401), (page, 403)):
        assert house.ask(f"/api/blobs/{'0' * 64}", "PUT", b"x", token).status == status
        assert house.post("/api/links", {}, token).status == status
        assert house.post("/api/channel", {}, token).status in (401, 403)
    assert house.post("/api/links", {}).status == 200


def test_a_page_may_read_everything(house: House) -> None:
    task, digest, data = blob_of(house)
    page, run = house.page_token(), to_text(task.id)
    for path in (
        "/api/runs",
        f"/api/runs/{run}",
        f"/api/runs/{run}/logs",
        "/metrics",
        "/api/server",
        "/api/openapi.json",
    ):
        assert house.ask(path, token=page).status == 200, path
    assert house.ask(f"/api/runs/{run}/blobs/{digest.hex()}", token=page).body == data
    with Page(house, page) as feed:
        assert feed.subscribe("runs").keys() == {"runs"}


def test_the_shared_token_lets_in(tmp_path: Path) -> None:
    with House(tmp_path, api_token="a-token-of-our-team") as house:
        assert house.ask("/api/runs", token="a-token-of-our-team").status == 200
        assert house.post("/api/links", {}, "a-token-of-our-team").status == 200
        assert house.ask("/api/runs", token="a-token-of-our-tea").status == 401


def test_without_a_shared_token_an_empty_one_does_not_let_in(house: House) -> None:
    assert house.parts.config.api_token is None
    assert guard.grant_of(house.parts, "") is None


# ── a hostile page that this user's browser shows ────────────────────────────────────────────────────────────────────
FOREIGN = [
    "https://evil.example",
    "null",
    "http://127.0.0.1:1",
    "http://127.0.0.1",
    "https://127.0.0.1:{port}.evil.example",
    "http://evil.example:{port}",
    "http://user@127.0.0.1:{port}",
    "http://127.0.0.1:{port}/path",
    "file://",
    "chrome-extension://abcdef",
    "http://localhost:{port}",
    "http://127.0.0.1:99999999",
    "",
    "http://[::1:{port}",
]


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_page_is_refused(house: House, origin: str) -> None:
    origin = origin.format(port=house.port)
    for path in ("/api/runs", "/health", "/", "/graphql"):
        answer = house.ask(path, origin=origin)
        assert (answer.status, answer.code) == (403, "forbidden")
    assert house.post("/api/session", {"token": house.secret}, "", origin=origin).status == 403
    for path in ("/api/live", "/api/channel"):
        refused = house.upgrade(path, origin=origin)
        assert (refused.status, refused.code) == (403, "forbidden")


def test_no_answer_lets_another_page_read_it(house: House) -> None:
    answer = house.ask("/api/runs", "OPTIONS", origin="https://evil.example", access_control_request_method="GET")
    assert answer.status == 403
    for each in (answer, house.ask("/api/runs"), house.ask("/")):
        assert not [name for name in each.headers if name.lower().startswith("access-control")]


def test_our_own_page_is_let_in(house: House) -> None:
    origin = f"http://127.0.0.1:{house.port}"
    assert house.ask("/api/runs", origin=origin).status == 200
    assert house.upgrade("/api/live", origin=origin).status == 101
    assert house.ask("/api/runs", host=f"localhost:{house.port}", origin=f"http://localhost:{house.port}").status == 200
    # A proxy with TLS: the browser leaves out the port that belongs to the scheme.
    assert house.ask("/api/runs", host="localhost", origin="https://localhost").status == 200
    assert house.ask("/api/runs", host="localhost:443", origin="https://localhost").status == 200
    assert house.ask("/api/runs", host="localhost", origin="http://localhost:8080").status == 403


# ── DNS rebinding: a hostile name that stands for our address ────────────────────────────────────────────────────────
HOSTILE = [
    "evil.example",
    "evil.example:{port}",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "10.0.0.1",
    "",
    "a b",
]
HOSTILE += ["127.0.0.1:x", "[::1", "xlocalhost", "0.0.0.0", "evil.example@127.0.0.1", "127.0.0.1:{port}/x"]


@pytest.mark.parametrize("host", HOSTILE)
def test_a_name_that_is_not_ours_is_refused(house: House, host: str) -> None:
    host = host.format(port=house.port)
    for path in ("/api/runs", "/health", "/", "/metrics", "/assets/x.js"):
        answer = house.ask(path, host=host)
        assert answer.status in (400, 421)  # what is no name at all may be refused by the HTTP parser
        assert answer.status == 400 or answer.code == "misdirected"
    for path in ("/api/live", "/api/channel"):
        assert house.upgrade(path, host=host).status in (400, 421)


def test_two_names_are_refused(house: House) -> None:
    with socket.create_connection(("127.0.0.1", house.port), SECONDS) as wire:
        wire.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        answer = http.client.HTTPResponse(wire)
        answer.begin()
        assert answer.status in (400, 421)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1.2.3:4711", "localhost", "LOCALHOST:1", "[::1]:80", "app.localhost"]
)
def test_our_own_names_are_answered(house: House, host: str) -> None:
    assert house.ask("/api/runs", host=host).status == 200


def test_further_names_are_a_setting(tmp_path: Path) -> None:
    with House(tmp_path, server_names="trains.example.org, signal-box") as house:
        for name in ("trains.example.org", "Signal-Box:443"):
            assert house.ask("/api/runs", host=name, origin=f"https://{name.partition(':')[0]}").status == 200
            assert house.upgrade("/api/live", host=name, origin=f"https://{name.lower()}").status == 101
        # A proxy that hides the name it was asked by.
        assert house.ask("/api/runs", origin="https://trains.example.org").status == 200
        assert house.ask("/api/runs", host="example.org").status == 421


def test_beyond_loopback_addresses_and_the_machines_name_are_ours(tmp_path: Path) -> None:
    with House(tmp_path, host="0.0.0.0", api_token="0123456789abcdef") as house:
        for host in ("10.1.2.3:4711", "[2001:db8::1]:4711", socket.gethostname(), "localhost", "127.0.0.1"):
            assert house.ask("/api/runs", host=host).status == 200, host
        for host in ("evil.example", "10.1.2.3.evil.example"):
            assert house.ask("/api/runs", host=host).status == 421, host


# ── below a path of a proxy ──────────────────────────────────────────────────────────────────────────────────────────
def test_a_sub_path_is_known_whether_or_not_the_proxy_takes_it_away(tmp_path: Path) -> None:
    with House(tmp_path, server_path="/a/trains") as house:
        for path in ("/health", "/api/runs", "/", "/runs/x", "/metrics"):
            assert house.ask(path).status == house.ask(f"/a/trains{path}").status == 200, path
        for path in ("/api/runs", "/a/trains/api/runs", "/a/trains/metrics", "/a/trains/graphql"):
            assert house.ask(path, token="").status == 401, path
        with Page(house, path="/a/trains/api/live") as page:
            assert page.subscribe("runs")
        assert house.post("/a/trains/api/links", {}).json["url"].startswith(f"{house.url}/a/trains/#code=")
        assert house.ask("/a/trains/api/openapi.json").json["servers"] == [{"url": "/a/trains/"}]
        assert b'<base href="/a/trains/">' in house.ask("/a/trains").body or b"make ui" in house.ask("/a/trains").body
        assert house.ask("/a/trainspotting/api/runs", token="").headers["content-type"].startswith("text/html")


# ── bad input ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_unknown_place_is_told_in_json(house: House) -> None:
    for method in ("GET", "POST", "PUT", "DELETE"):
        answer = house.ask("/api/nothing", method)
        assert (answer.status, answer.code) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/api/runs", "GET, HEAD"),
        ("GET", "/api/session", "POST"),
        ("GET", "/api/runs/prefixes", "POST"),
        ("DELETE", "/", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_told_in_json(house: House, method: str, path: str, allowed: str) -> None:
    answer = house.ask(path, method)
    assert (answer.status, answer.code, answer.headers["allow"]) == (405, "method_not_allowed", allowed)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/api/runs?limit=0", "limit is '0', but must be a whole number from 1 to 100000"),
        ("/api/runs?limit=ten", "limit is 'ten'"),
        ("/api/runs?limit=1.5", "limit is '1.5'"),
        (f"/api/runs?limit={'9' * 5000}", "limit is '9999"),
        ("/api/runs?all=maybe", "all is 'maybe', but must be true or false"),
        ("/api/runs?limit=1&limit=2", "limit was given twice"),
        ("/api/runs?limt=1", "no parameter 'limt'"),
        ("/api/runs/find", "run is missing"),
        ("/api/runs/find?run=", "run is ''"),
        ("/api/runs/find?run=a%00b", "without NUL"),
        ("/api/runs/xyz", "id is 'xyz'"),
        ("/api/live?topics=runs,walks", "topics is"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_is_allowed(house: House, path: str, told: str) -> None:
    answer = house.ask(path)
    assert (answer.status, answer.code) == (422, "parameters")
    assert told in answer.json["error"]["message"]


def test_a_run_that_there_is_not(house: House) -> None:
    for place in (
        "",
        "/tasks",
        "/groups",
        "/tally",
        "/not_completed",
        "/story",
        "/logs",
        "/result",
        "/graph",
        "/timeline",
    ):
        answer = house.ask(f"/api/runs/{to_text(new_id())}{place}")
        assert (answer.status, answer.code) == (404, "not_found"), place


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 422),
        (b"[]", "application/json", 422),
        (b'{"code": 5}', "application/json", 422),
        (b'{"code": "x", "token": "y"}', "application/json", 422),
        (b'{"code": "x", "colour": "y"}', "application/json", 422),
        (b"{}", "application/json", 422),
        (b"code=x", "application/x-www-form-urlencoded", 415),
        (b'{"code": "x"}', "text/plain", 415),
        (b'{"code": "' + b"x" * (1 << 20) + b'"}', "application/json", 413),
    ],
)
def test_a_bad_body_is_told_in_json(house: House, body: bytes, media_type: str, status: int) -> None:
    answer = house.ask("/api/session", "POST", body, "", content_type=media_type)
    assert answer.status == status
    assert answer.code


def test_a_body_without_a_length_is_bounded_too(house: House) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", house.port, timeout=SECONDS)
    pieces = (b" " * 65_536 for _ in range(40))
    connection.request("POST", "/api/session", pieces, {"content-type": "application/json"}, encode_chunked=True)
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["error"]["code"]) == (413, "too_large")
    connection.close()


def test_the_channel_takes_large_bodies(house: House) -> None:
    answer = house.ask("/api/channel", "POST", b"x" * (2 << 20))
    assert answer.status == 400
    with socket.create_connection(("127.0.0.1", house.port), SECONDS) as wire:
        head = f"POST /api/channel HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {house.secret}\r\n"
        wire.sendall(f"{head}Content-Length: {MOST_FRAME_BYTES + 1}\r\n\r\n".encode())
        answer = http.client.HTTPResponse(wire)
        answer.begin()
        assert answer.status == 413


def test_what_the_world_or_we_do_wrong_is_told_and_logged(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: Any) -> None:
        raise UnavailableError("The database is away.", hint="Start it.", is_passing=True)

    monkeypatch.setattr(house.parts.store, "select", away)
    answer = house.ask("/ready", token="")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert answer.json["error"] == {"code": "unavailable", "message": "The database is away.", "hint": "Start it."}
    assert house.ask("/health", token="").status == 200

    def broken(*_: Any) -> None:
        raise ZeroDivisionError("a secret of the code")

    monkeypatch.setattr(house.parts.store, "select", broken)
    answer = house.ask("/api/runs")
    assert (answer.status, answer.code) == (500, "internal")
    assert "secret of the code" not in answer.body.decode()
    request_id = answer.json["error"]["request_id"]
    assert answer.headers["x-request-id"] == request_id
    assert request_id in caplog.text
    assert "a secret of the code" in caplog.text


def test_every_class_of_errors_has_a_status() -> None:
    for kind, status in answers.STATUS:
        assert answers.status_of(kind("")) == status, kind


# ── what goes out ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_answers_are_dressed(house: House) -> None:
    for path, token in (("/api/runs", None), ("/", ""), ("/health", ""), ("/api/runs", ""), ("/api/nothing", None)):
        headers = house.ask(path, token=token).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert (headers["cache-control"] == "no-store") is path.startswith("/api"), path
        assert "server" not in headers
        assert "set-cookie" not in headers


# ── blobs ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_blob_is_checked_and_kept(house: House) -> None:
    data = b"x" * 100_000
    digest = hashlib.blake2b(data, digest_size=32).hexdigest()
    assert house.ask(f"/api/blobs/{digest}", "PUT", data[:-1]).status == 400
    assert house.ask(f"/api/blobs/{digest}", "PUT", data).status == 204
    assert house.ask(f"/api/blobs/{digest}", "PUT", data).status == 204
    assert house.parts.blobs.get(bytes.fromhex(digest)) == data
    assert house.ask("/api/blobs/xyz", "PUT", data).status == 422


def test_a_blob_that_stops_coming_gives_its_room_to_others(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stellwerk.api.rest.blobs.STALLED_SECONDS", 0.2)
    monkeypatch.setattr("stellwerk.api.rest.blobs.MOST_BYTES", 1_000)
    data = b"x" * 900
    path = f"/api/blobs/{hashlib.blake2b(data, digest_size=32).hexdigest()}"
    with socket.create_connection(("127.0.0.1", house.port), SECONDS) as wire:
        head = f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {house.secret}\r\n"
        wire.sendall(f"{head}Content-Length: 900\r\n\r\nxxx".encode())
        assert house.ask(path, "PUT", data).status == 204
        answer = http.client.HTTPResponse(wire)
        answer.begin()
        assert answer.status == 408
    connection = http.client.HTTPConnection("127.0.0.1", house.port, timeout=SECONDS)
    connection.request("PUT", path, iter([data]), {"authorization": f"Bearer {house.secret}"}, encode_chunked=True)
    assert connection.getresponse().status == 411
    connection.close()


def test_a_blob_is_read_through_its_run_alone(house: House) -> None:
    task, digest, data = blob_of(house)
    run, other = to_text(task.id), Root()
    accept(house.parts.store, other.batch(*other.begin()))
    assert house.ask(f"/api/runs/{run}/blobs/{digest.hex()}").body == data
    for wrong in (f"{to_text(other.id)}/blobs/{digest.hex()}", f"{run}/blobs/{'0' * 64}"):
        assert (house.ask(f"/api/runs/{wrong}").status, house.ask(f"/api/runs/{wrong}").code) == (404, "not_found")


def test_a_damaged_blob_is_told(house: House) -> None:
    task, digest, _ = blob_of(house)
    (path,) = [each for each in Path(house.parts.config.home).joinpath("blobs").rglob("*") if each.is_file()]
    path.write_bytes(b"something else")
    for place in (f"blobs/{digest.hex()}", "result"):
        answer = house.ask(f"/api/runs/{to_text(task.id)}/{place}")
        assert (answer.status, answer.code) == (409, "result")


def test_a_result_is_given_as_it_was_recorded(house: House) -> None:
    task, _, data = blob_of(house)
    answer = house.ask(f"/api/runs/{to_text(task.id)}/result")
    assert (answer.body, answer.headers["content-type"]) == (data, "application/octet-stream")
    assert house.ask(f"/api/runs/{to_text(task.id)}/result", if_none_match=answer.headers["etag"]).status == 304
    root, small, none = Root(), new_id(), new_id()
    messages = [root.task(small), Began(small, NOW + 3, 1), completed(small), root.task(none)]
    accept(house.parts.store, root.batch(*root.begin(), *messages))
    assert house.ask(f"/api/runs/{to_text(small)}/result").body == RESULT.data
    assert house.ask(f"/api/runs/{to_text(none)}/result").code == "not_found"


# ── metrics ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_metrics_count(house: House) -> None:
    root, open_root = Root(), Root()
    answers_: list[Any] = []
    for batch in (root.batch(*root.begin(), root.end()), open_root.batch(*open_root.begin())):
        house.parts.intake.submit(batch, answers_.append)
    assert house.parts.intake.call(lambda store: len(store.select("leases_held"))) == 1
    with Page(house) as page:
        page.subscribe("runs")
        text = house.ask("/metrics").body.decode()
    numbers = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert len(answers_) == int(numbers["stellwerk_batches_total"]) == 2
    assert int(numbers["stellwerk_messages_total"]) == 5
    assert numbers['stellwerk_runs{state="running"}'] == "1"
    assert numbers["stellwerk_live_sockets"] == "1"
    assert int(numbers["stellwerk_commits_total"]) == int(numbers['stellwerk_commit_seconds_bucket{le="+Inf"}'])
    assert int(numbers["stellwerk_commit_seconds_count"]) >= 1
    assert 10e6 < float(numbers["process_resident_memory_bytes"]) < 10e9


def test_a_kept_connection_stays_open_also_after_an_error(house: House) -> None:
    # One that had to be opened again would go where somebody else may listen by now, without a look at the server's file.
    with contextlib.closing(Http(Remote(house.url, house.secret))) as client:
        with pytest.raises(NotFound):
            client.json(f"/api/runs/{'0' * 32}")
        [(_, kept)] = client._idle
        assert kept.sock is not None
        client.json("/api/runs")
        assert [each for _, each in client._idle] == [kept]
