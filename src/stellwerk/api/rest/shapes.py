"""What the verbs of the HTTP API take and return, as types: from these the documentation and its tests derive.

Times are RFC 3339 texts in UTC with microseconds, identities are UUID texts, and what is absent is null. Parameters of
the path and the query are the fields of a `Takes…` struct.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

StateName = Literal[
    "scheduled", "pending", "running", "paused", "cancelling", "completed", "failed", "crashed", "cancelled", "skipped"
]
AttemptStateName = Literal["running", "completed", "failed", "crashed", "cancelled", "skipped", "suspended"]
KindName = Literal["flow", "task"]

MOST_LISTED = 100_000  # runs or tasks in one answer
MOST_LINES = 10_000  # log lines in one answer
MOST_OPEN = 500  # rows that a timeline is asked for again
BIGGEST = (1 << 63) - 1

_TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"
_UUID = r"^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$"
_SIGNS = r"^[\x21-\x7e]+$"
_TEXT = r"^[^\x00]*$"
_TOPIC = f"(runs|run:{_UUID[1:-1]})"
_TOPICS = f"^({_TOPIC}(,{_TOPIC})*)?$"

Time = Annotated[str, Meta(pattern=_TIME, examples=["2026-11-24T10:00:00.123456Z"])]
Identity = Annotated[str, Meta(pattern=_UUID, description="A UUID.", examples=["01a20e99-3330-7000-8000-000000000000"])]
Count = Annotated[int, Meta(ge=0)]


# ── what is returned ─────────────────────────────────────────────────────────────────────────────────────────────────
class Raised(msgspec.Struct):
    """Describe the exception that a run or attempt ended with."""

    type: str
    message: str
    traceback: str


class Attempt(msgspec.Struct):
    """Tell of one try of a run."""

    number: int
    state: AttemptStateName
    label: str | None
    cause: str | None
    evidence: str | None
    error: Raised | None
    started_at: Time | None
    ended_at: Time | None


class Preview(msgspec.Struct):
    """Show the beginning of a result, and how large it is."""

    preview: str | None
    size_bytes: int


class Run(msgspec.Struct, kw_only=True):
    """Tell of a flow run or task run."""

    id: Identity
    name: str
    kind: KindName
    flow: str | None
    task: str | None
    index: int | None
    state: StateName
    label: str | None
    cause: str | None
    evidence: str | None
    error: Raised | None
    parent_id: Identity | None
    root_id: Identity
    tags: list[str]
    parameters: Any
    created_at: Time
    due_at: Time | None
    started_at: Time | None
    ended_at: Time | None
    attempts: list[Attempt]
    result: Preview | None


class TaskRun(Run, kw_only=True):
    """Tell of a run below another one; `upstream` names the runs it depended on."""

    upstream: list[Identity]


class ShownRun(Run, kw_only=True):
    """Tell of a run with its tasks and child flow runs, in order of creation."""

    tasks: list[TaskRun]
    tasks_total: int


class FoundRun(msgspec.Struct):
    """Name the run that a text means, with a note for people where it means several."""

    run: Run
    note: str


class BegunRun(msgspec.Struct):
    """Name the first root run that a process began, if it began one."""

    run: Run | None


class Group(msgspec.Struct):
    """Count the tasks or child flows of one name."""

    kind: KindName
    name: str
    states: dict[str, int]
    started_at: Time | None
    ended_at: Time | None


class Tally(msgspec.Struct):
    """Count tasks by state; `has_more` when there are more than were counted."""

    states: dict[str, int]
    has_more: bool


class StoryStep(msgspec.Struct):
    """Tell one transition of a run."""

    at: Time
    event: str
    from_state: StateName | None
    to_state: StateName
    label: str | None


class LogLine(msgspec.Struct):
    """Give one log line; `n` is its number within the root run."""

    n: int
    at: Time
    level: str
    logger: str
    message: str
    run_id: Identity
    run: str
    attempt: int


class LogLines(msgspec.Struct):
    """Give log lines in order. `total` is how many the run has in all; null where counting is not cheap."""

    lines: list[LogLine]
    total: int | None


class GraphNode(msgspec.Struct):
    """Stand for all task runs of one name, or all child flow runs of one flow."""

    key: str
    kind: KindName
    name: str
    states: dict[str, int]
    started_at: Time | None
    ended_at: Time | None


class GraphEdge(msgspec.Struct, rename={"source": "from", "target": "to"}):
    """Count the dependencies from one node upon another."""

    source: str
    target: str
    count: int


class Graph(msgspec.Struct):
    """Show what depended on what in a run, by name."""

    nodes: list[GraphNode]
    edges: list[GraphEdge]


class StateLook(msgspec.Struct):
    """Tell of a state of runs how it is shown, and whether it is an end."""

    state: StateName
    order: int
    family: str
    glyph: str
    word: str
    style: str
    is_terminal: bool


class ServerInfo(msgspec.Struct):
    """Tell which server this is, and on which database."""

    version: str
    protocol: int
    database_id: str
    server_id: str
    started_at: Time
    dialect: Literal["sqlite", "postgres"]
    address: str
    now: Time
    runs_under_way: int
    states: list[StateLook]


class Health(msgspec.Struct):
    """Say that the process answers."""

    status: Literal["ok"]
    version: str


class Readiness(msgspec.Struct):
    """Say that the database answers."""

    status: Literal["ready"]


# ── what is taken ────────────────────────────────────────────────────────────────────────────────────────────────────
class TakesNothing(msgspec.Struct, forbid_unknown_fields=True):
    """Take no parameter."""


class TakesRun(msgspec.Struct, forbid_unknown_fields=True):
    """Take a run."""

    id: Annotated[Identity, Meta(description="The run's id.")]


class TakesRunLimit(msgspec.Struct, forbid_unknown_fields=True):
    """Take a run, and how many of its tasks to list."""

    id: Annotated[Identity, Meta(description="The run's id.")]
    limit: Annotated[int, Meta(ge=0, le=MOST_LISTED, description="How many to list, from the first.")] = 10_000


class TakesList(msgspec.Struct, forbid_unknown_fields=True):
    """Take how many runs to list."""

    limit: Annotated[int, Meta(ge=1, le=MOST_LISTED, description="How many at most.")] = 50
    all: Annotated[bool, Meta(description="Child flow runs and task runs, too.")] = False


class TakesText(msgspec.Struct, forbid_unknown_fields=True):
    """Take what a person calls a run."""

    run: Annotated[
        str,
        Meta(
            min_length=1, max_length=2_000, pattern=_TEXT, description="An id, the beginning of one, a name, RUN/TASK."
        ),
    ]


class TakesProcess(msgspec.Struct, forbid_unknown_fields=True):
    """Take a process, and since when to look for what it began."""

    host: Annotated[str, Meta(max_length=1_000, pattern=_TEXT, description="The name of its machine.")]
    boot_id: Annotated[str, Meta(max_length=1_000, pattern=_TEXT, description="The boot of that machine.")]
    pid: Annotated[int, Meta(ge=0, le=BIGGEST, description="Its number.")]
    started: Annotated[int, Meta(ge=0, le=BIGGEST, description="When it was started, as its system counts.")]
    since: Annotated[int, Meta(ge=0, le=1 << 57, description="Microseconds since the Unix epoch, UTC.")] = 0


class TakesLogs(msgspec.Struct, forbid_unknown_fields=True):
    """Take which log lines of a run to give."""

    id: Annotated[Identity, Meta(description="The run's id.")]
    after: Annotated[int, Meta(ge=0, le=BIGGEST, description="Only lines after the one with this number.")] = 0
    limit: Annotated[int, Meta(ge=1, le=MOST_LINES, description="How many lines at most.")] = 1_000
    level: Annotated[int, Meta(ge=0, le=1_000, description="The lowest level, as Python numbers them.")] = 0
    tail: Annotated[int, Meta(ge=1, le=BIGGEST, description="Only the last so many lines.")] | None = None
    q: Annotated[str, Meta(max_length=1_000, pattern=_TEXT, description="Only lines that contain this text.")] = ""


class TakesTimeline(msgspec.Struct, forbid_unknown_fields=True):
    """Take which rows of a run's timeline to give."""

    id: Annotated[Identity, Meta(description="The run's id.")]
    after: Annotated[int, Meta(ge=0, le=BIGGEST, description="Only rows whose `seq` is greater.")] = 0
    open: Annotated[
        str,
        Meta(
            pattern=r"^(\d{1,18}(,\d{1,18})*)?$",
            max_length=MOST_OPEN * 19,
            description=f"Rows to give besides, at most {MOST_OPEN}: their `seq`, with commas between them.",
        ),
    ] = ""


class TakesTopics(msgspec.Struct, forbid_unknown_fields=True):
    """Take which topics to wait for."""

    topics: Annotated[
        str,
        Meta(
            pattern=_TOPICS,
            max_length=5_000,
            description="`runs`, `run:` with the id of a root run, or several with commas between them.",
            examples=["runs"],
        ),
    ]
    cursor: Annotated[str, Meta(max_length=100, description="What the last answer gave; empty for the first one.")] = ""
    wait: Annotated[int, Meta(ge=0, le=60, description="How many seconds to wait for a change.")] = 25


class AsksPrefixes(msgspec.Struct, forbid_unknown_fields=True):
    """Ask for the shortest unique beginnings of ids."""

    ids: Annotated[list[Identity], Meta(max_length=MOST_LISTED)]


class AsksLink(msgspec.Struct, forbid_unknown_fields=True):
    """Ask for a link to the page."""

    path: Annotated[str, Meta(pattern=r"^/[^#\x00-\x20\x7f]*$", max_length=1_000)] = "/"


class AsksSession(msgspec.Struct, forbid_unknown_fields=True):
    """Ask for a page's token: by a one-time code, or by the server's own token."""

    code: Annotated[str, Meta(max_length=200)] = ""
    token: Annotated[str, Meta(max_length=1_000)] = ""


class AsksProof(msgspec.Struct, forbid_unknown_fields=True):
    """Ask a server whether it could have signed a token: the token up to its last dot, and a number of one's own."""

    unsigned: Annotated[str, Meta(pattern=_SIGNS, max_length=200)]
    nonce: Annotated[str, Meta(pattern=_SIGNS, max_length=200)]
