"""The window over HTTP: what it takes, what it refuses and how, and what no nonsense brings about."""

from __future__ import annotations

import json
import string
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode

import pytest
from doors import House
from wire import Root, accept, new_id

from stellwerk.errors import InternalError, UnavailableError

DOCUMENT = "query Names($n: Int) { runs(limit: $n) { name } } query Other { __typename }"


@pytest.fixture
def house(url: str, tmp_path: Path) -> Iterator[House]:
    with House(tmp_path, url) as house:
        root = Root()
        accept(house.parts.store, root.batch(*root.begin(), root.task(new_id())))
        yield house


def test_post_and_get_answer_alike(house: House) -> None:
    wanted = {"data": {"runs": [{"name": "couple-0"}]}}
    asked = {"query": DOCUMENT, "variables": {"n": 1}, "operationName": "Names"}
    answer = house.post("/graphql", asked)
    assert (answer.status, answer.json, answer.headers["content-type"]) == (200, wanted, "application/json")
    taken = urlencode({"query": DOCUMENT, "variables": '{"n": 1}', "operationName": "Names"})
    answer = house.ask(f"/graphql?{taken}", accept="application/graphql-response+json, application/json;q=0.5")
    assert (answer.status, answer.json) == (200, wanted)
    assert answer.headers["content-type"] == "application/graphql-response+json"
    for variables in (None, {}):
        assert house.post("/graphql", {"query": "{ __typename }", "variables": variables}).json == {
            "data": {"__typename": "Query"}
        }


def test_a_page_may_ask_and_nobody_else(house: House) -> None:
    asked = {"query": "{ __typename }"}
    assert house.post("/graphql", asked, token=house.page_token()).status == 200
    assert house.post("/graphql", asked, token="").status == 401
    assert house.post("/graphql", asked, token="guessed").status == 401
    assert house.ask("/graphql?query=%7B__typename%7D", token="").status == 401


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"query": "{ __typename }"}', "text/plain", 415),
        (b'{"query": "{ __typename }"}', "", 415),
        (b"query=%7B__typename%7D", "application/x-www-form-urlencoded", 415),
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"null", "application/json", 400),
        (b"7", "application/json", 400),
        (b'"{ __typename }"', "application/json", 400),
        (b'[{"query": "{ __typename }"}]', "application/json", 400),
        (b" \n[]", "application/json", 400),
        (b"{}", "application/json", 400),
        (b'{"query": 7}', "application/json", 400),
        (b'{"query": "{ __typename }", "variables": []}', "application/json", 400),
        (b'{"query": "{ __typename }", "operationName": 7}', "application/json", 400),
        (b'{"query": "\xff"}', "application/json", 400),
        (b'{"query": "{ a\\ud800 }"}', "application/json", 400),
        (b'{"query": "{ runs(limit: 100000) { id } }"}', "application/json", 400),
        (
            b'{"query": "{ runs { id } }", "variables": ' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"}",
            "application/json",
            400,
        ),
        (b'{"query": "' + b" " * (2 << 20) + b'"}', "application/json", 413),
    ],
)
def test_what_is_no_request_is_refused(house: House, body: bytes, kind: str, status: int) -> None:
    answer = house.ask("/graphql", "POST", body, content_type=kind)
    assert answer.status == status
    told = answer.json
    assert told.get("errors") or told.get("error")
    assert "data" not in told


def test_errors_are_told_in_the_format_of_graphql(house: House) -> None:
    answer = house.post("/graphql", {"query": "{ runs { password } }"})
    assert answer.status == 400
    (error,) = answer.json["errors"]
    assert "password" in error["message"]
    assert error["locations"] == [{"line": 1, "column": 10}]
    assert house.ask("/graphql").status == 400
    assert house.ask("/graphql?query=%7B__typename%7D&variables=%5B%5D").status == 400
    assert house.ask("/graphql", "PUT", b"{}").status == 405


@pytest.mark.parametrize(
    ("problem", "status", "told"),
    [
        (UnavailableError("It is away.", hint="Wait.", is_passing=True), 503, "It is away."),
        (InternalError("It is odd.", hint="Report it."), 500, "It is odd."),
        (ZeroDivisionError("of ours"), 500, "The server made a mistake."),
    ],
)
def test_what_is_not_the_askers_fault(
    house: House, problem: Exception, status: int, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise problem

    monkeypatch.setattr(house.parts.store, "read", fail)
    answer = house.post("/graphql", {"query": "{ runs { id } }"})
    assert answer.status == status
    (error,) = answer.json["errors"]
    assert error["message"] == told
    assert error["extensions"]["code"]
    assert ("retry-after" in answer.headers) is (status == 503)
    assert "of ours" not in answer.body.decode()


def mangled(chance: Random, text: str) -> str:
    """Damage a document: cut, double, swap or insert."""
    for _ in range(chance.randint(1, 4)):
        place, other = sorted(chance.choices(range(len(text) + 1), k=2))
        kind = chance.randrange(4)
        if kind == 0:
            text = text[:place] + text[other:]
        elif kind == 1:
            text = text[:other] + text[place:other] * chance.randint(1, 50) + text[other:]
        elif kind == 2:
            text = text[:place] + chance.choice(string.printable + "é🚂\0\u2028") + text[place:]
        else:
            pieces = text.split(" ")
            chance.shuffle(pieces)
            text = " ".join(pieces)
    return text


def test_nonsense_is_a_400_and_never_a_500(house: House) -> None:
    whole = """query A($n: Int = 3, $w: runs_bool_exp, $b: Boolean! = true) {
        one: runs(limit: $n, where: $w, order_by: [{seq: asc}]) @include(if: $b) { ...F attempts { number state } }
        runs_aggregate(where: {_or: [{name: {_like: "a%"}}, {tags: {_contains: ["x"]}}]}) { aggregate { count } } }
        fragment F on runs { id story { n event } logs(limit: 2) { message level_number } }"""
    chance, seen = Random(11), set()
    odd: list[Any] = [None, 7, -1, 1e400, "x", [], {}, {"name": {"_eq": None}}, {"seq": {"_in": ["x"]}}, [[{}]], True]
    for _ in range(400):
        variables = {name: chance.choice(odd) for name in chance.sample(["n", "w", "b", "z"], chance.randint(0, 3))}
        text = mangled(chance, whole) if chance.random() < 0.8 else whole
        body = json.dumps({"query": text, "variables": variables}).encode()
        answer = house.ask("/graphql", "POST", body, content_type="application/json")
        assert answer.status in (200, 400), (answer.status, text, variables, answer.body)
        assert ("data" in answer.json) is (answer.status == 200)
        seen.add(answer.status)
    assert seen == {200, 400}
