"""The live feed: told at once, seldom enough, by whomever it was changed, and to readers of every kind."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from doors import SECONDS, House, Page, open_socket
from websockets.exceptions import ConnectionClosed
from wire import Root, accept, change, new_id, open_store

from stellwerk.api import live
from stellwerk.client.live import LiveFeed
from stellwerk.client.road import Remote
from stellwerk.engine.watch import PAUSE_SECONDS
from stellwerk.model.identity import to_text
from stellwerk.store.port import Store


@pytest.fixture(params=["sqlite", "postgres"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """Have a server on either database."""
    database = str(request.getfixturevalue("postgres_database")) if request.param == "postgres" else ""
    with House(tmp_path, database) as house:
        yield house


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[House]:
    """Have a server on SQLite, where the database makes no difference."""
    with House(tmp_path) as house:
        yield house


@pytest.fixture
def other(house: House) -> Iterator[Store]:
    """Be another process of the same database, as far as the server can tell."""
    store = open_store(house.database)
    yield store
    store.close()


def topic(root: Root) -> str:
    return f"run:{to_text(root.id)}"


def commit(house: House, root: Root, *messages: Any) -> None:
    """Commit through the server."""
    done = threading.Event()
    house.parts.intake.submit(root.batch(*messages), lambda answer: done.set())
    assert done.wait(SECONDS)


def settle(page: Page) -> None:
    """Read until nothing more is told: a watch that begins to look says once that anything may have changed."""
    try:
        while True:
            page.changed(3 * PAUSE_SECONDS)
    except TimeoutError:
        pass


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for what the server does by itself and tells nobody."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# ── what is told ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_page_is_told_what_the_server_commits(house: House) -> None:
    root, unseen = Root(), Root()
    with Page(house, house.page_token()) as page:
        assert page.welcome == {"server_id": house.parts.server_id, "version": page.welcome["version"]}
        first = page.subscribe("runs", topic(root))
        assert first.keys() == {"runs", topic(root)}
        settle(page)
        commit(house, root, *root.begin())
        told = page.changed()
        assert told.keys() == {"runs", topic(root)}
        assert all(told[each] > first[each] for each in told)
        settle(page)
        commit(house, unseen, *unseen.begin())
        assert page.changed().keys() == {"runs"}


def test_a_page_is_told_what_other_processes_commit(house: House, other: Store) -> None:
    root, brief = Root(), Root()
    with Page(house) as page:
        page.subscribe("runs", topic(root), topic(brief))
        settle(page)
        accept(other, root.batch(*root.begin()))
        assert page.changed().keys() == {"runs", topic(root)}
        settle(page)
        accept(other, root.batch(root.task(new_id())))
        assert page.changed().keys() == {"runs", topic(root)}
        settle(page)
        accept(other, root.batch(root.end()))
        assert page.changed().keys() == {"runs", topic(root)}
        settle(page)
        # It begins and ends between two looks.
        accept(other, brief.batch(*brief.begin(), brief.end()))
        assert page.changed().keys() == {"runs", topic(brief)}


def test_what_is_none_of_its_topics_is_not_told(house: House, other: Store) -> None:
    watched, unwatched = Root(), Root()
    with Page(house) as page:
        page.subscribe(topic(watched))
        settle(page)
        commit(house, unwatched, *unwatched.begin())
        accept(other, unwatched.batch(unwatched.end()))
        accept(other, watched.batch(*watched.begin()))
        assert page.changed().keys() == {topic(watched)}


def test_a_renewal_is_no_change(house: House, other: Store) -> None:
    root, unwatched = Root(), Root()
    accept(other, root.batch(*root.begin()))
    with Page(house) as page:
        page.subscribe("runs", topic(root))
        settle(page)
        change(house.database, "UPDATE leases SET counter = counter + 1")
        accept(other, unwatched.batch(*unwatched.begin()))
        assert page.changed().keys() == {"runs"}


def test_a_page_is_told_seldom_enough(lite: House) -> None:
    root = Root()
    with Page(lite) as page:
        page.subscribe("runs")
        settle(page)
        told: list[float] = []
        end = time.monotonic() + 2.0
        with ThreadPoolExecutor(1) as pool:

            def work() -> int:
                commit(lite, root, *root.begin())
                count = 1
                while time.monotonic() < end:
                    commit(lite, root, root.task(new_id()))
                    count += 1
                return count

            working = pool.submit(work)
            while time.monotonic() < end:
                page.changed()
                told.append(time.monotonic())
            commits = working.result()
        # What is read late makes gaps look shorter, but only the first one can shorten them all together.
        assert len(told) <= (told[-1] - told[0]) / PAUSE_SECONDS + 3
        assert commits > 2 * len(told)


def test_the_last_change_is_always_told(lite: House) -> None:
    root = Root()
    with Page(lite) as page:
        page.subscribe("runs", topic(root))
        settle(page)
        commit(lite, root, *root.begin())
        for _ in range(50):
            commit(lite, root, root.task(new_id()))
        last = lite.parts.watch.count
        told: dict[str, int] = {}
        while told.get("runs", 0) < last or told.get(topic(root), 0) < last:
            told |= page.changed()


def test_subscribing_replaces_what_was_watched(lite: House) -> None:
    one, two = Root(), Root()
    with Page(lite) as page:
        page.subscribe("runs", topic(one))
        settle(page)
        assert page.subscribe(topic(two)).keys() == {topic(two)}
        settle(page)
        commit(lite, one, *one.begin())
        commit(lite, two, *two.begin())
        assert page.changed().keys() == {topic(two)}
        assert page.subscribe() == {}


def test_many_pages_are_told_alike(lite: House) -> None:
    root = Root()
    pages = [Page(lite).__enter__() for _ in range(20)]
    for page in pages:
        page.subscribe("runs")
    settle(pages[-1])
    commit(lite, root, *root.begin())
    version = lite.parts.watch.count
    for page in pages:
        while page.changed()["runs"] < version:
            pass
        page.__exit__()
    wait_until(lambda: lite.app.state.live.count == 0)


def test_who_has_gone_is_forgotten(lite: House) -> None:
    watch = lite.parts.watch
    for _ in range(3):
        with Page(lite) as page:
            page.subscribe("runs", *(f"run:{to_text(new_id())}" for _ in range(50)))
    wait_until(lambda: not watch._listeners)
    assert not watch._listening


# ── bad readers and writers ──────────────────────────────────────────────────────────────────────────────────────────
NONSENSE = [
    "",
    "x",
    "[]",
    "null",
    "{}",
    '{"subscribe": "runs"}',
    '{"subscribe": ["walks"]}',
    '{"subscribe": ["run:"]}',
    '{"subscribe": ["run:xyz"]}',
    '{"subscribe": [1]}',
    '{"subscribe": ["runs"], "colour": "blue"}',
    '{"token": "again"}',
    '{"subscribe": [' + ",".join(['"runs"'] * (live.MOST_TOPICS + 1)) + "]}",
    '{"subscribe": ["' + "x" * live.MOST_FRAME + '"]}',
    "[" * 60_000,
    b"binary",
]


@pytest.mark.parametrize("frame", NONSENSE, ids=range(len(NONSENSE)))
def test_nonsense_is_told_and_ends_it(lite: House, frame: str | bytes) -> None:
    with Page(lite) as page:
        page.socket.send(frame)
        last, code = page.end()
    assert code == 4400
    assert last["error"]["code"] == "bad_frame"
    assert last["error"]["message"]


@pytest.mark.parametrize("frame", ["x", "{}", '{"subscribe": ["runs"]}', b"binary", '{"token": 5}'])
def test_a_greeting_that_is_none_is_told(lite: House, frame: str | bytes) -> None:
    wire = open_socket(lite)
    wire.send(frame)
    assert "bad_frame" in str(wire.recv(SECONDS))
    with pytest.raises(ConnectionClosed):
        wire.recv(SECONDS)
    assert wire.close_code == 4400


@pytest.mark.parametrize("token", ["", "wrong", "swp1.1.x.y"])
def test_a_wrong_token_is_told(lite: House, token: str) -> None:
    last, code = Page(lite, token).end()
    assert (last["error"]["code"], code) == ("unauthenticated", 4401)


def test_who_does_not_greet_is_sent_away(lite: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "GREETING_SECONDS", 0.1)
    wire = open_socket(lite)
    assert "bad_frame" in str(wire.recv(SECONDS))


def test_who_has_no_token_keeps_nobody_out(lite: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_UNGREETED", 2)
    with Page(lite) as inside:
        strangers = [open_socket(lite) for _ in range(2)]
        wait_until(lambda: lite.app.state.live._greetings.count == 2)
        with Page(lite) as page:  # takes the place of the first
            page.subscribe("runs")
        assert "bad_frame" in str(strangers[0].recv(SECONDS))
        inside.subscribe("runs")  # who is in stays in
        for stranger in strangers:
            stranger.close()


def test_a_token_that_ends_meanwhile_ends_the_feed(lite: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PING_SECONDS", 0.1)
    with Page(lite, lite.page_token()) as page:
        assert "ping" in page.hear()
        monkeypatch.setattr("stellwerk.api.sessions.is_valid", lambda *_: False)
        last, code = page.end()
    assert (last["error"]["code"], code) == ("unauthenticated", 4401)


def test_a_slow_reader_is_closed_and_nothing_grows(lite: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SLOW_SECONDS", 0.5)
    monkeypatch.setattr("stellwerk.engine.watch.PAUSE_SECONDS", 0.0)
    topics = [f"run:{to_text(new_id())}" for _ in range(live.MOST_TOPICS)]
    ids = [bytes.fromhex(each.removeprefix("run:").replace("-", "")) for each in topics]
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    raw.connect(("127.0.0.1", lite.port))
    slow = Page(lite, sock=raw, max_queue=1)
    slow.hear()
    slow.say({"subscribe": topics})
    with Page(lite) as quick:
        quick.subscribe("runs")
        deadline = time.monotonic() + SECONDS
        while lite.app.state.live.count > 1:  # until the slow one was closed
            assert time.monotonic() < deadline
            lite.parts.watch.noticed(ids)
            quick.changed()
            for listener in list(lite.parts.watch._listeners):
                assert len(listener._pending) <= live.MOST_TOPICS
    raw.close()


# ── long polls ───────────────────────────────────────────────────────────────────────────────────────────────────────
def poll(house: House, topics: str, cursor: str = "", wait: int = 20) -> tuple[str, dict[str, int]]:
    answer = house.ask(f"/api/live?topics={topics}&cursor={cursor}&wait={wait}")
    assert answer.status == 200, answer.body
    return answer.json["cursor"], answer.json["changed"]


def settled(house: House, topics: str) -> str:
    """Give a cursor after which nothing has happened."""
    cursor, _ = poll(house, topics)
    while True:
        cursor, changed = poll(house, topics, cursor, 1)
        if not changed:
            return cursor


def test_a_long_poll_waits_for_a_change(house: House, other: Store) -> None:
    root = Root()
    cursor, told = poll(house, f"runs,{topic(root)}")
    assert told.keys() == {"runs", topic(root)}
    cursor = settled(house, f"runs,{topic(root)}")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(poll, house, f"runs,{topic(root)}", cursor)
        wait_until(lambda: any(listener.topics for listener in house.parts.watch._listeners))
        assert not waiting.done()
        accept(other, root.batch(*root.begin()))
        _, told = waiting.result(SECONDS)
    assert told.keys() == {"runs", topic(root)}


def test_between_two_polls_nothing_is_missed(house: House, other: Store) -> None:
    root = Root()
    cursor = settled(house, topic(root))
    wait_until(lambda: not house.parts.watch._listeners)
    accept(other, root.batch(*root.begin(), root.end()))
    _, told = poll(house, topic(root), cursor)
    assert told.keys() == {topic(root)}


def test_after_a_time_in_which_nobody_looked_anything_may_have_changed(
    lite: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stellwerk.engine.watch.LINGER_SECONDS", 0.0)
    cursor = settled(lite, "runs")
    wait_until(lambda: not lite.parts.watch._is_looking)
    _, told = poll(lite, "runs", cursor)
    assert told.keys() == {"runs"}


def test_a_poll_without_a_change_ends_in_time(lite: House) -> None:
    cursor = settled(lite, "runs")
    assert poll(lite, "runs", cursor, wait=0) == (cursor, {})
    assert poll(lite, "", cursor, wait=0)[1] == {}


@pytest.mark.parametrize("cursor", ["other.1", "x", "1", ".", "a.b", "%20"])
def test_a_cursor_of_another_server_tells_everything(lite: House, cursor: str) -> None:
    assert poll(lite, "runs", cursor)[1].keys() == {"runs"}


def test_after_a_restart_everything_may_have_changed(tmp_path: Path) -> None:
    root = Root()
    with House(tmp_path) as house:
        cursor = settled(house, f"runs,{topic(root)}")
    with House(tmp_path) as house:
        again, told = poll(house, f"runs,{topic(root)}", cursor)
        assert told.keys() == {"runs", topic(root)}
        assert again.startswith(house.parts.server_id)


def test_who_polls_is_told_at_most_four_times_a_second(lite: House) -> None:
    root = Root()
    commit(lite, root, *root.begin())
    cursor, _ = poll(lite, "runs")
    began, count = time.monotonic(), 0
    while time.monotonic() < began + 1.5:
        commit(lite, root, root.task(new_id()))
        cursor, told = poll(lite, "runs", cursor)
        assert told
        count += 1
    assert count <= (time.monotonic() - began) / PAUSE_SECONDS + 1


def test_a_server_that_goes_ends_what_waits(tmp_path: Path) -> None:
    house = House(tmp_path)
    cursor = settled(house, "runs")
    page = Page(house).__enter__()
    page.subscribe("runs")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(house.ask, f"/api/live?topics=runs&cursor={cursor}&wait=60")
        wait_until(lambda: len(house.parts.watch._listeners) == 2)
        house.close()
        answer = waiting.result(SECONDS)
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert page.end()[1] == 1012


def test_a_command_does_not_hurry_back_to_a_feed_that_turns_it_away(
    lite: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.closing(LiveFeed(Remote(lite.url, lite.secret), ["runs"])) as feed:
        assert feed.wait(SECONDS)  # told at once how it is now
        feed.close()
        monkeypatch.setattr(live, "MOST_SOCKETS", 0)
        # It says that it has not waited, so that who asked does; and it is not opened again at once.
        assert [feed.wait(SECONDS) for _ in range(3)] == [False] * 3
