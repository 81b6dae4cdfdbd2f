"""The verbs of the HTTP API: one table, from which the routes, the documentation and the tests derive.

A verb names what it takes and returns as types, who may use it, and what does it. What does it reads through the views
and is called on a thread of a small pool; one that is a coroutine function runs on the event loop instead.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from stellwerk.api import live, views
from stellwerk.api.answers import is_known
from stellwerk.api.channel import Channel
from stellwerk.api.page import looks
from stellwerk.api.parts import Parts
from stellwerk.api.rest import metrics, shapes
from stellwerk.api.sessions import Link, Proof, Session, Sessions, prove
from stellwerk.errors import (
    NotFound,
    ParameterError,
    ResultError,
    StellwerkError,
    Unauthenticated,
    UnavailableError,
    UsageError,
)
from stellwerk.model import __version__
from stellwerk.model.identity import from_text
from stellwerk.model.messages import Holder
from stellwerk.model.wire import PROTOCOL

BYTES = "application/octet-stream"
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Audience = Literal["any", "page", "process"]


class Doors(msgspec.Struct, frozen=True):
    """Hold what the application keeps besides the server's parts."""

    sessions: Sessions
    channel: Channel
    live: live.Live


class Ask(msgspec.Struct, frozen=True):
    """Hold what a verb is asked: its parameters and body, who asks, and the ETags that the asker knows."""

    parts: Parts
    doors: Doors
    takes: Any
    body: Any
    address: str
    known: str


class Raw(msgspec.Struct, frozen=True):
    """Answer by bytes as they are; with an `etag` they may be asked for again by it."""

    data: bytes
    etag: str = ""


class Verb(msgspec.Struct, frozen=True, kw_only=True):
    """Describe one verb.

    `audience` is who may use it: anybody, pages and processes, or processes alone. `returns` is the type of its JSON, or
    the media type of its bytes. `raises` are the errors it documents besides those of every verb. `has_etag` says that
    it may be asked whether something changed, `may_be_too_many` that it may be asked too often.
    """

    name: str
    method: Literal["GET", "POST"]
    path: str
    audience: Audience
    summary: str
    does: Callable[[Ask], Any]
    returns: Any
    takes: type[msgspec.Struct] = shapes.TakesNothing
    body: type[msgspec.Struct] | None = None
    raises: tuple[type[StellwerkError], ...] = ()
    has_etag: bool = False
    may_be_too_many: bool = False


# ── the server ───────────────────────────────────────────────────────────────────────────────────────────────────────
async def _health(ask: Ask) -> shapes.Health:
    return shapes.Health("ok", __version__)


def _ready(ask: Ask) -> shapes.Readiness:
    ask.parts.store.select("run_by_id", (bytes(16),))
    return shapes.Readiness("ready")


def _metrics(ask: Ask) -> Raw:
    return Raw(metrics.write(ask.parts, ask.doors.channel.count, ask.doors.live.count))


def _server(ask: Ask) -> shapes.ServerInfo:
    store = ask.parts.store
    return shapes.ServerInfo(
        version=__version__,
        protocol=PROTOCOL,
        database_id=store.database_id,
        server_id=ask.parts.server_id,
        started_at=_time(ask.parts.started_at / 1_000_000),
        dialect=store.dialect,  # type: ignore[arg-type]  # one of the two
        address=store.address,
        now=_time(time.time()),
        runs_under_way=len(store.select("leases_held")),
        states=msgspec.convert(looks.as_json()["states"], list[shapes.StateLook]),
    )


async def _wait_for_changes(ask: Ask) -> live.Changed:
    takes: shapes.TakesTopics = ask.takes
    return await live.poll(ask.parts, takes.topics, takes.cursor, takes.wait)


async def _link(ask: Ask) -> Link:
    return ask.doors.sessions.link(ask.body.path)


async def _session(ask: Ask) -> Session:
    if bool(ask.body.code) == bool(ask.body.token):
        raise ParameterError("Either a code or a token is needed.", hint='Send {"code": …} or {"token": …}.')
    return ask.doors.sessions.open(ask.body.code, ask.body.token, ask.address)


async def _proof(ask: Ask) -> Proof:
    return prove(ask.parts.page_key, ask.body.unsigned, ask.body.nonce)


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _run_of(ask: Ask) -> dict[str, Any]:
    return views.run_by_id(ask.parts.store, from_text(ask.takes.id))


def _runs(ask: Ask) -> list[dict[str, Any]]:
    return views.recent_runs(ask.parts.store, ask.takes.limit, ask.takes.all)


def _find(ask: Ask) -> dict[str, Any]:
    run, note = views.find_run(ask.parts.store, ask.takes.run)
    return {"run": run, "note": note}


def _begun_by(ask: Ask) -> dict[str, Any]:
    takes: shapes.TakesProcess = ask.takes
    holder = Holder(takes.host, takes.boot_id, takes.pid, takes.started)
    return {"run": views.run_begun_by(ask.parts.store, holder, takes.since)}


def _prefixes(ask: Ask) -> dict[str, str]:
    return views.prefixes(ask.parts.store, [{"id": each} for each in ask.body.ids])


def _tasks(ask: Ask) -> dict[str, Any]:
    return views.show_run(ask.parts.store, _run_of(ask), ask.takes.limit)


def _groups(ask: Ask) -> list[dict[str, Any]]:
    return views.task_groups(ask.parts.store, _run_of(ask))


def _tally(ask: Ask) -> dict[str, Any]:
    states, has_more = views.task_tally(ask.parts.store, _run_of(ask))
    return {"states": states, "has_more": has_more}


def _not_completed(ask: Ask) -> list[dict[str, Any]]:
    return views.tasks_not_completed(ask.parts.store, _run_of(ask), ask.takes.limit)


def _story(ask: Ask) -> list[dict[str, Any]]:
    return views.story(ask.parts.store, _run_of(ask))


def _logs(ask: Ask) -> dict[str, Any]:
    takes: shapes.TakesLogs = ask.takes
    store, run = ask.parts.store, _run_of(ask)
    lines = views.logs(store, run, takes.after, takes.limit, takes.level, takes.tail, takes.q)
    is_all = not takes.level and not takes.q
    return {"lines": lines, "total": views.log_count(store, run) if is_all else None}


def _result(ask: Ask) -> Raw:
    digest, data = views.result_of(ask.parts.store, _run_of(ask))
    return Raw(data if data is not None else ask.parts.blobs.get(digest), f'"{digest.hex()}"')


def _graph(ask: Ask) -> dict[str, Any]:
    from stellwerk.api.page import graph  # with the timeline, only when a page is open: the start stays lean

    run = _run_of(ask)
    found: dict[str, Any] = graph.graph(ask.parts.store, from_text(run["id"]))
    return found


def _timeline(ask: Ask) -> Raw | None:
    from stellwerk.api.page import timeline  # as above

    takes: shapes.TakesTimeline = ask.takes
    run = _run_of(ask)
    opened = [int(seq) for seq in takes.open.split(",") if seq]
    if len(opened) > shapes.MOST_OPEN:
        raise ParameterError(
            f"The parameter open has {len(opened)} rows, but may have {shapes.MOST_OPEN}.",
            hint="Ask with `after` one below the lowest of them instead.",
        )
    etag = ""
    if run["ended_at"]:
        told = f"{ask.parts.store.database_id} {run['id']} {run['state']} {run['ended_at']} {takes.after} {takes.open}"
        etag = f'"{hashlib.blake2b(told.encode(), digest_size=12).hexdigest()}"'
        if is_known(etag, ask.known):
            return None
    return Raw(timeline.frame(ask.parts.store, from_text(run["id"]), takes.after, opened), etag)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")[:-6] + "Z"


_RUN: dict[str, Any] = {"takes": shapes.TakesRun, "raises": (NotFound,)}

VERBS: tuple[Verb, ...] = (
    Verb(
        name="health",
        method="GET",
        path="/health",
        audience="any",
        summary="Say whether the process answers.",
        does=_health,
        returns=shapes.Health,
    ),
    Verb(
        name="ready",
        method="GET",
        path="/ready",
        audience="any",
        summary="Say whether the database answers and has the schema of this version.",
        does=_ready,
        returns=shapes.Readiness,
        raises=(UnavailableError,),
    ),
    Verb(
        name="metrics",
        method="GET",
        path="/metrics",
        audience="page",
        summary="Give counters and gauges in the text format of Prometheus.",
        does=_metrics,
        returns=METRICS_TYPE,
    ),
    Verb(
        name="get_server",
        method="GET",
        path="/api/server",
        audience="page",
        summary="Tell which server this is, and on which database.",
        does=_server,
        returns=shapes.ServerInfo,
    ),
    Verb(
        name="create_link",
        method="POST",
        path="/api/links",
        audience="process",
        summary="Make a link with a one-time code by which a browser gets in.",
        does=_link,
        returns=Link,
        body=shapes.AsksLink,
    ),
    Verb(
        name="create_session",
        method="POST",
        path="/api/session",
        audience="any",
        summary="Exchange a one-time code, or the server's token, for a page's token.",
        does=_session,
        returns=Session,
        body=shapes.AsksSession,
        raises=(Unauthenticated,),
        may_be_too_many=True,
    ),
    Verb(
        name="create_proof",
        method="POST",
        path="/api/proof",
        audience="any",
        summary="Prove to a page that this server could have signed its token.",
        does=_proof,
        returns=Proof,
        body=shapes.AsksProof,
    ),
    Verb(
        name="wait_for_changes",
        method="GET",
        path="/api/live",
        audience="page",
        summary="Wait until something changes: for where a WebSocket does not get through.",
        does=_wait_for_changes,
        returns=live.Changed,
        takes=shapes.TakesTopics,
        raises=(UsageError,),
    ),
    Verb(
        name="list_runs",
        method="GET",
        path="/api/runs",
        audience="page",
        summary="List flow runs that no other run called, newest first.",
        does=_runs,
        returns=list[shapes.Run],
        takes=shapes.TakesList,
    ),
    Verb(
        name="find_run",
        method="GET",
        path="/api/runs/find",
        audience="page",
        summary="Find the run that a person means by an id, the beginning of one, or a name.",
        does=_find,
        returns=shapes.FoundRun,
        takes=shapes.TakesText,
        raises=(NotFound, UsageError),
    ),
    Verb(
        name="find_run_of_process",
        method="GET",
        path="/api/runs/begun_by",
        audience="page",
        summary="Find the first root run that a process began.",
        does=_begun_by,
        returns=shapes.BegunRun,
        takes=shapes.TakesProcess,
    ),
    Verb(
        name="shorten_ids",
        method="POST",
        path="/api/runs/prefixes",
        audience="page",
        summary="Give the shortest unique beginning of each run's id; ids of no run are left out.",
        does=_prefixes,
        returns=dict[str, str],
        body=shapes.AsksPrefixes,
    ),
    Verb(
        name="get_run",
        method="GET",
        path="/api/runs/{id}",
        audience="page",
        summary="Tell of one run.",
        does=_run_of,
        returns=shapes.Run,
        **_RUN,
    ),
    Verb(
        name="list_tasks",
        method="GET",
        path="/api/runs/{id}/tasks",
        audience="page",
        summary="Tell of one run with its tasks and child flow runs.",
        does=_tasks,
        returns=shapes.ShownRun,
        takes=shapes.TakesRunLimit,
        raises=(NotFound,),
    ),
    Verb(
        name="count_tasks_by_name",
        method="GET",
        path="/api/runs/{id}/groups",
        audience="page",
        summary="Count a run's tasks and child flows by name and state.",
        does=_groups,
        returns=list[shapes.Group],
        **_RUN,
    ),
    Verb(
        name="count_tasks_by_state",
        method="GET",
        path="/api/runs/{id}/tally",
        audience="page",
        summary="Count a run's tasks and child flows by state, a thousand of them at most.",
        does=_tally,
        returns=shapes.Tally,
        **_RUN,
    ),
    Verb(
        name="list_tasks_not_completed",
        method="GET",
        path="/api/runs/{id}/not_completed",
        audience="page",
        summary="List a run's tasks and child flow runs that have not completed.",
        does=_not_completed,
        returns=list[shapes.Run],
        takes=shapes.TakesRunLimit,
        raises=(NotFound,),
    ),
    Verb(
        name="get_story",
        method="GET",
        path="/api/runs/{id}/story",
        audience="page",
        summary="Tell a run's transitions in order.",
        does=_story,
        returns=list[shapes.StoryStep],
        **_RUN,
    ),
    Verb(
        name="read_logs",
        method="GET",
        path="/api/runs/{id}/logs",
        audience="page",
        summary="Give log lines of a run and of everything below it, in order.",
        does=_logs,
        returns=shapes.LogLines,
        takes=shapes.TakesLogs,
        raises=(NotFound,),
    ),
    Verb(
        name="get_result",
        method="GET",
        path="/api/runs/{id}/result",
        audience="page",
        summary="Give a run's result as it was recorded: the encoded bytes.",
        does=_result,
        returns=BYTES,
        takes=shapes.TakesRun,
        raises=(NotFound, ResultError),
        has_etag=True,
    ),
    Verb(
        name="get_graph",
        method="GET",
        path="/api/runs/{id}/graph",
        audience="page",
        summary="Show what depended on what in a run, by name.",
        does=_graph,
        returns=shapes.Graph,
        **_RUN,
    ),
    Verb(
        name="get_timeline",
        method="GET",
        path="/api/runs/{id}/timeline",
        audience="page",
        summary="Give the rows of a run's timeline as packed columns (format TL01).",
        does=_timeline,
        returns=BYTES,
        takes=shapes.TakesTimeline,
        raises=(NotFound,),
        has_etag=True,
    ),
)
