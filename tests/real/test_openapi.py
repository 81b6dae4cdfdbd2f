"""The description of the HTTP API against a real server: no 5xx, and every answer is what was described."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
import schemathesis
from doors import House
from hypothesis import HealthCheck, Phase, assume, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from wire import NOW, Root, accept, completed, failed, new_id, retried

from stellwerk.api.rest import openapi
from stellwerk.api.rest.shapes import Run
from stellwerk.api.rest.verbs import VERBS, Verb
from stellwerk.model.identity import to_text
from stellwerk.model.messages import Began, Ended, Logged, Result

EXAMPLES = 12  # requests of each kind a verb: what keeps the suite below a minute
MOST_URL = 50_000  # beyond some 64 KiB the HTTP parser refuses a request before the application sees it
load_all_checks()


def fill(house: House) -> dict[str, str]:
    """Record runs of all kinds; parameters of the path that lead to them."""
    root, plain, tried, bad, waits = Root(), new_id(), new_id(), new_id(), new_id()
    data = b"x" * 50_000
    digest = hashlib.blake2b(data, digest_size=32).digest()
    house.parts.blobs.put(digest, data)
    big = Ended(plain, NOW + 9, "completed", 1, "returned", result=Result(digest, len(data), "x…"))
    messages = [
        root.task(plain),
        Began(plain, NOW + 3, 1),
        big,
        root.task(tried, upstream=(plain,), task="shunt"),
        Began(tried, NOW + 4, 1),
        retried(tried),
        Began(tried, NOW + 15, 2),
        completed(tried, 2, NOW + 20),
        root.task(bad, item_index=3),
        Began(bad, NOW + 3, 1),
        failed(bad),
        root.task(waits, ready=False, upstream=(bad,)),
        Logged([(1, root.id, 1, NOW, 20, "run", "hello"), (2, plain, 1, NOW, 40, "x", "world")]),
    ]
    accept(house.parts.store, root.batch(*root.begin(), *messages))
    done = Root()
    accept(house.parts.store, done.batch(*done.begin(), done.end()))
    return {"root": to_text(root.id), "plain": to_text(plain), "done": to_text(done.id)}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, dict[str, str]]]:
    with House(tmp_path_factory.mktemp("server")) as house:
        yield house, fill(house)


def described(house: House) -> Any:
    """Load the description that the server gives."""
    return schemathesis.openapi.from_dict(house.ask("/api/openapi.json").json)


@pytest.mark.parametrize("verb", VERBS, ids=[verb.name for verb in VERBS])
def test_whatever_is_sent_is_answered_as_described(filled: tuple[House, dict[str, str]], verb: Verb) -> None:
    house, runs = filled
    operation = described(house)[verb.path][verb.method]
    asked = 0

    def check(case: Any) -> None:
        nonlocal asked
        assume(len(urlencode(case.query or {})) < MOST_URL)
        asked += 1
        if "id" in (case.path_parameters or {}) and asked % 3:
            case.path_parameters["id"] = list(runs.values())[asked % len(runs)]
        if verb.name == "wait_for_changes":
            case.query = {**(case.query or {}), "wait": 0}
        headers = {"Authorization": f"Bearer {house.secret}"} if verb.audience != "any" else {}
        response = case.call(base_url=house.url, headers=headers)
        assert response.status_code < 500, response.text
        case.validate_response(
            response,
            checks=(status_code_conformance, content_type_conformance, response_schema_conformance),
        )
        if response.status_code >= 400:
            assert set(response.json()) == {"error"}
            assert response.json()["error"]["message"]

    run_examples(operation.as_strategy(generation_mode=GenerationMode.POSITIVE), check)
    if verb.body is not None or openapi.parameters_of(verb):  # else there is nothing that could be wrong
        run_examples(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE), check)
    assert asked


def run_examples(strategy: Any, check: Any) -> None:
    """Call a check with some examples of a strategy."""
    bounded = settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    bounded(given(strategy)(check))()


@pytest.mark.parametrize("verb", VERBS, ids=[verb.name for verb in VERBS])
def test_answers_have_no_field_that_is_not_described(filled: tuple[House, dict[str, str]], verb: Verb) -> None:
    house, runs = filled
    body = {
        "shorten_ids": {"ids": list(runs.values())},
        "create_link": {},
        "create_session": {"token": house.secret},
        "create_proof": {"unsigned": "swp1.1.x", "nonce": "1"},
    }
    query = {
        "find_run": "?run=night%20train",
        "find_run_of_process": "?host=signal-box&boot_id=boot-1&pid=4711&started=99",
        "wait_for_changes": "?topics=runs",
        "list_runs": "?all=true",
    }
    for run in runs.values() if "{id}" in verb.path else [""]:
        path = verb.path.replace("{id}", run) + query.get(verb.name, "")
        payload = json.dumps(body[verb.name]).encode() if verb.body else None
        answer = house.ask(path, verb.method, payload, content_type="application/json")
        if verb.name == "get_result" and run == runs["root"]:
            assert answer.status == 404
            continue
        assert answer.status == 200, answer.body
        if isinstance(verb.returns, str):
            assert answer.headers["content-type"] == verb.returns
            assert answer.body
        else:
            value = msgspec.json.decode(answer.body)
            again = msgspec.to_builtins(msgspec.convert(value, verb.returns))
            assert again == value


def test_a_run_is_what_the_command_line_prints(filled: tuple[House, dict[str, str]]) -> None:
    house, runs = filled
    shown = house.ask(f"/api/runs/{runs['root']}/tasks").json
    run = house.ask(f"/api/runs/{runs['root']}").json
    fields = {field.encode_name for field in msgspec.structs.fields(Run)}
    assert run.keys() == fields
    assert shown.keys() == fields | {"tasks", "tasks_total"}
    assert [task["upstream"] for task in shown["tasks"]][1] == [runs["plain"]]
    assert shown["tasks_total"] == 4


def test_the_description_needs_a_token_and_stays_the_same(filled: tuple[House, dict[str, str]], tmp_path: Path) -> None:
    house, _ = filled
    assert house.ask("/api/openapi.json", token="").status == 401
    answer = house.ask("/api/openapi.json", token=house.page_token())
    assert answer.json["openapi"] == "3.1.1"
    assert answer.body == house.ask("/api/openapi.json").body
