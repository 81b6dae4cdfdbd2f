"""One-time codes and pages' tokens: used once, ended in time, not guessed, and good after a restart."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from doors import House, Page

from stellwerk.api import guard, sessions
from stellwerk.api.answers import Refusal
from stellwerk.api.sessions import CODE_SECONDS, MOST_CODES, TOKEN_SECONDS, WRONG_GUESSES, Sessions
from stellwerk.errors import Unauthenticated

NOW = 1_800_000_000.0


class Clock:
    """Tell the time that a test says."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path) as house:
        yield house


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def codes(house: House, clock: Clock) -> Sessions:
    return Sessions(house.parts, guard.grant_of, clock)


def test_a_link_lets_one_browser_in(house: House) -> None:
    link = house.post("/api/links", {"path": "/runs/x?tab=logs"}).json
    assert link["url"] == f"{house.url}/runs/x?tab=logs#code={link['code']}"
    opened = house.post("/api/session", {"code": link["code"]}, "")
    assert opened.status == 200
    assert house.ask("/api/runs", token=opened.json["token"]).status == 200
    again = house.post("/api/session", {"code": link["code"]}, "")
    assert (again.status, again.code) == (401, "unauthenticated")
    assert "stellwerk open" in again.json["error"]["hint"]


def test_of_many_who_bring_a_code_at_once_one_gets_in(house: House) -> None:
    code = house.post("/api/links", {}).json["code"]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: house.post("/api/session", {"code": code}, "").status, range(8)))
    assert sorted(found) == [200] + [401] * 7


def test_the_servers_own_token_is_exchanged_for_a_pages(tmp_path: Path) -> None:
    with House(tmp_path, api_token="0123456789abcdef") as house:
        for token in (house.secret, "0123456789abcdef"):
            page = house.post("/api/session", {"token": token}, "").json["token"]
            assert guard.grant_of(house.parts, page) == "page"
        # A page's token does not renew itself: else a stolen one would never end.
        assert house.post("/api/session", {"token": page}, "").status == 401
        assert house.post("/api/session", {"token": "wrong"}, "").status == 401


def test_a_code_ends_after_an_hour(codes: Sessions, clock: Clock) -> None:
    early, late = codes.link(), codes.link()
    assert early.expires_at == int(NOW + CODE_SECONDS)
    clock.now += CODE_SECONDS - 1
    codes.open(early.code, "", "a")
    clock.now += 1
    with pytest.raises(Unauthenticated):
        codes.open(late.code, "", "a")


def test_of_too_many_codes_the_oldest_ends(codes: Sessions) -> None:
    links = [codes.link() for _ in range(MOST_CODES + 1)]
    with pytest.raises(Unauthenticated):
        codes.open(links[0].code, "", "a")
    codes.open(links[1].code, "", "a")
    codes.open(links[-1].code, "", "a")


def test_wrong_guesses_are_slowed(house: House, codes: Sessions, clock: Clock) -> None:
    secret = house.parts.secret
    for _ in range(WRONG_GUESSES):
        with pytest.raises(Unauthenticated):
            codes.open("wrong", "", "a")
    for wrong, token in (("wrong", ""), ("", "wrong"), ("", secret)):
        with pytest.raises(Refusal) as refused:
            codes.open(wrong, token, "a")
        assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "61")
    # Somebody else is not held up, and after a minute nobody is.
    codes.open("", secret, "b")
    clock.now += 60
    codes.open("", secret, "a")


def test_who_shares_an_address_keeps_nobody_out(codes: Sessions) -> None:
    good = codes.link()
    for _ in range(WRONG_GUESSES):
        with pytest.raises(Unauthenticated):
            codes.open("wrong", "", "a")
    codes.open(good.code, "", "a")
    with pytest.raises(Refusal):
        codes.open(good.code, "", "a")  # it worked once


def test_wrong_guesses_are_slowed_over_http(house: House) -> None:
    for _ in range(WRONG_GUESSES):
        assert house.post("/api/session", {"code": "wrong"}, "").status == 401
    answer = house.post("/api/session", {"token": house.secret}, "")
    assert (answer.status, answer.code) == (429, "too_many")
    assert 1 <= int(answer.headers["retry-after"]) <= 61
    assert house.ask("/api/runs").status == 200


def test_what_guessers_make_us_remember_is_bounded(codes: Sessions) -> None:
    for number in range(sessions.MOST_GUESSERS + 10):
        with pytest.raises(Unauthenticated):
            codes.open("wrong", "", str(number))
    assert len(codes._guesses) == sessions.MOST_GUESSERS


def test_a_pages_token_outlives_the_server(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        token = house.page_token()
    with House(tmp_path) as house:
        assert house.ask("/api/runs", token=token).status == 200
    with House(tmp_path, page_key=b"x" * 32) as house:  # the server of another database
        assert house.ask("/api/runs", token=token).status == 401
        with pytest.raises(KeyError), Page(house, token):
            pass


def test_a_pages_token_ends_after_a_week(house: House, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    key = house.parts.page_key
    session = sessions.make_token(key, NOW)
    assert session.expires_at == NOW + TOKEN_SECONDS
    assert sessions.is_valid(key, session.token, session.expires_at - 1)
    assert not sessions.is_valid(key, session.token, session.expires_at)


def forged(token: str) -> list[str]:
    """Change a token in every way that might be taken."""
    prefix, expires_at, number, signature = token.split(".")
    return [
        f"{prefix}.{int(expires_at) + 1}.{number}.{signature}",
        f"{prefix}.{expires_at}.{number}x.{signature}",
        f"{prefix}.{expires_at}..{signature}",
        f"swp2.{expires_at}.{number}.{signature}",
        f"{prefix}.{expires_at}.{number}.",
        f"{prefix}.{expires_at}.{number}",
        f"{token}=",
        f"{token}.",
        token[:-1],
        token.upper(),
        "...",
        "",
    ]


def test_a_forged_token_is_refused(house: House) -> None:
    token = sessions.make_token(house.parts.page_key, NOW).token
    for wrong in [*forged(token), "\ud800", "é"]:
        assert not sessions.is_valid(house.parts.page_key, wrong, NOW), wrong
        assert guard.grant_of(house.parts, wrong) is None
    assert guard.grant_of(house.parts, sessions.make_token(b"z" * 32, NOW).token) is None


def test_two_tokens_of_one_moment_differ(house: House) -> None:
    key: Any = house.parts.page_key
    assert sessions.make_token(key, NOW).token != sessions.make_token(key, NOW).token


def test_a_server_proves_that_it_signed_a_token() -> None:
    token = sessions.make_token(b"key", NOW).token
    unsigned, _, signature = token.rpartition(".")
    proof = sessions.prove(b"key", unsigned, "nonce").proof
    assert proof == hmac.digest(signature.encode(), b"stellwerk server proof\0nonce", "sha256").hex()
    assert signature not in proof
    assert proof != sessions.prove(b"key", unsigned, "other").proof
    assert proof != sessions.prove(b"another", unsigned, "nonce").proof
