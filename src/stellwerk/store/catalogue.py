"""The catalogue: what the store says of its rows to those who ask freely, with the SQL behind each word.

What lives here: sources (tables, or what stands for one), their columns, and how a row of one leads to rows of another.
What does not: how a question becomes a statement (api/graphql) and who may ask it.

Theory of operation: a source is a union of *branches*, each a FROM with an SQL expression for every column, so that a
condition is put into each branch in the branch's own words and finds that branch's indexes. The first attempt and the
plain story of a run are folded into its row (engine/fold); here the branch that unfolds them stands beside the one that
reads what was written, with the meaning of `api.views`, to which a test holds it. A *way* is how a relation gets from a
row (`{k[column]}`) to those of its target (`{t[column]}`); a relation with several ways has them exclude each other.

In every template `{c}` is the collation that compares text by code point, `{project}` the project in sight, `{now}` the
present moment in microseconds; other names in braces are aliases. Text is COLLATE "C" where the column is not.
Columns that cost something are *late*: they are computed only for the rows that are answered.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import msgspec

from stellwerk.model.states import ATTEMPT_STATES, RUN_STATES

__all__ = ["SOURCES", "Branch", "Column", "Relation", "Source", "Way", "tag_texts"]

TALLIED: Final = (
    1_000  # children whose state `tally` looks at, so that a list of runs costs the same however big they are
)


class Column(msgspec.Struct, frozen=True):
    """Describe a column.

    Args:
        kind: `text`, `uuid` (16 bytes), `hex` (bytes), `time` (microseconds), `bigint`, `seconds` (kept in microseconds),
            `json` (an object as text; what is no JSON reads as null), `tags` (a JSON array of texts).
        choices: the closed list that its values come from. Such values stand in the statement itself, so that partial
            indexes can be found.
        late: an expression over the columns named in `needs`, in place of the branches' own.
        missing: what an absent value reads as, in JSON.
    """

    name: str
    kind: str
    about: str
    is_null: bool = True
    choices: tuple[str, ...] = ()
    late: str = ""
    needs: tuple[str, ...] = ()
    missing: str = "null"
    is_shown: bool = True


class Branch(msgspec.Struct, frozen=True):
    """Describe one part of a source: a FROM, an expression for each column, and which rows it has."""

    tables: str
    columns: dict[str, str]
    condition: str = ""


class Way(msgspec.Struct, frozen=True):
    """Lead from a row to those of another source.

    Args:
        condition: over `{k[…]}`, columns of the row, and `{t[…]}`, columns of the target.
        join: a table between them, with an alias of its own.
        tables: what to read the target from instead of its own branches, over `{k[…]}`.
    """

    condition: str = ""
    join: str = ""
    tables: str = ""


class Relation(msgspec.Struct, frozen=True):
    """Describe a relation.

    Args:
        needs: columns of the row that its ways use.
        is_many: a list, with `where`, `order_by`, `limit` and `offset`; else one row or null.
        is_plain: a list that is always given whole, and cannot be filtered by.
        has_aggregate: a second relation of its name with `_aggregate` counts.
        is_newest_first: in place of the target's natural order.
        depth: as `Source.depth`, of its ways: in place of the target's where they read something else, else besides.
    """

    name: str
    target: str
    about: str
    ways: tuple[Way, ...]
    needs: tuple[str, ...]
    is_many: bool = True
    is_plain: bool = False
    has_aggregate: bool = False
    is_newest_first: bool = False
    depth: int = 0

    def deepest(self, target: Source) -> int:
        """Tell how deep a query of its rows nests."""
        return self.depth if any(way.tables for way in self.ways) else self.depth + target.depth


Order = tuple[tuple[str, bool], ...]  # columns, and whether descending


class Source(msgspec.Struct, frozen=True):
    """Describe a source.

    Args:
        newest: the order of a list at the root, in which an index can serve it.
        natural: the order of a relation's list.
        key: name and column of the field that finds one row, if any.
        split: a column with choices such that, for roots (no parent), a list of them is read value by value, each in
            the order of its index, and merged.
        is_root: whether questions may begin here.
        guard: the predicate that limits the source to the rows in sight, over its own columns.
        depth: how many symbols a parser must hold at most while it reads its FROM, its conditions and its columns. (The
            parser of SQLite holds 100; a test measures that statements stay below.)
    """

    name: str
    about: str
    columns: tuple[Column, ...]
    branches: tuple[Branch, ...]
    newest: Order
    natural: Order
    relations: tuple[Relation, ...] = ()
    key: tuple[str, str] | None = None
    split: str = ""
    is_root: bool = True
    guard: str = ""
    depth: int = 14

    def column(self, name: str) -> Column:
        """Find a column by name."""
        return next(column for column in self.columns if column.name == name)


def tag_texts(tag: str) -> tuple[str, str]:
    """Return the texts one of which stands in the tags of a run that has a tag, and in no other's.

    Tags are written as one canonical JSON array (engine/fold). Within a string of it a quotation mark follows a
    backslash, so what begins with a bracket or comma and a quotation mark is the beginning of an element.
    """
    text = msgspec.json.encode(tag).decode()
    return f"[{text}", f",{text}"


def _of(alias: str, names: str, **other: str) -> dict[str, str]:
    """Name the columns that a branch takes as they are, and those that it makes."""
    return {name: f"{{{alias}}}.{name}" for name in names.split()} | other


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
_RUN_COLUMNS = (
    Column("id", "uuid", "Its identity; identities are in order of creation.", is_null=False),
    Column("seq", "bigint", "Its place in the order in which runs were first recorded.", is_null=False),
    Column("name", "text", "The name that people know it by: brave-otter, or clean-3.", is_null=False),
    Column("kind", "text", "flow or task.", is_null=False, choices=("flow", "task")),
    Column("flow_name", "text", "The flow; of a task run, the calling one."),
    Column("task", "text", "The task; null for a flow run."),
    Column("index", "bigint", "Its place in its map; null for other runs."),
    Column(
        "state",
        "text",
        "Where it stands: scheduled, pending, running, paused, cancelling; completed, failed, crashed, cancelled, skipped.",
        is_null=False,
        choices=RUN_STATES,
    ),
    Column("label", "text", "A word that explains the state and never drives anything: AwaitingRetry, Cached …"),
    Column("cause", "text", "Why it did not complete: user_error, timeout, cancelled, oom, lease_lost …"),
    Column("evidence", "text", "What the cause was told by."),
    Column("error", "json", "The exception: {type, message, traceback}, or null."),
    Column("parameters", "json", "Its parameters as people read them, by name.", missing="{}"),
    Column("tags", "tags", "Its tags.", is_null=False, missing="[]"),
    Column("parent_id", "uuid", "The run that called it; null for a root run."),
    Column("root_id", "uuid", "The run whose process owns it; its own identity for a root run.", is_null=False),
    Column("created_at", "time", "When it was called.", is_null=False),
    Column("due_at", "time", "The earliest moment of its next attempt."),
    Column("started_at", "time", "When its first attempt began."),
    Column("ended_at", "time", "When it ended; null while it has not."),
    Column("duration_seconds", "seconds", "From its first attempt's beginning to its end, or so far."),
    Column("attempt_count", "bigint", "How often it was tried so far.", is_null=False),
    Column("result_preview", "text", "The first 1 KiB of its result as text."),
    Column("result_size_bytes", "bigint", "The size of its recorded result."),
    Column("call_key", "hex", "What identifies the call; null when it cannot be matched. Hexadecimal."),
    Column("code_hash", "hex", "What identifies its code. Hexadecimal."),
    Column("project", "text", "Its project.", is_null=False, is_shown=False),
)
_ENDED = "COALESCE({r}.ended_at, {now})"
_RUNS = Branch(
    "runs {r}",
    _of(
        "r",
        "id seq name kind task state label cause error parameters tags parent_id root_id created_at due_at started_at"
        " ended_at call_key code_hash project",
        flow_name="{r}.flow",
        index="{r}.item_index",
        evidence="{r}.evidence{c}",
        attempt_count="{r}.attempts",
        result_preview="{r}.preview{c}",
        result_size_bytes="{r}.result_size",
        # Clocks of two machines differ: so far is never less than nothing.
        duration_seconds=f"CASE WHEN {_ENDED} > {{r}}.started_at THEN CAST({_ENDED} AS NUMERIC) - {{r}}.started_at"
        " WHEN {r}.started_at IS NOT NULL THEN 0 END",
    ),
)
# Lines of a root run are those that its owner reported; those of another run, its own and those of what it called.
_BELOW = (
    "WITH RECURSIVE below (id) AS (SELECT {k[id]} WHERE {k[root_id]} <> {k[id]} UNION ALL"
    " SELECT c.id FROM below b CROSS JOIN runs c WHERE c.parent_id = b.id) SELECT id FROM below"
)
_LINES = (
    Way("{t[root_id]} = {k[id]} AND {k[root_id]} = {k[id]}"),
    Way(f"{{t[run_id]}} IN ({_BELOW})"),
)
_RUN_RELATIONS = (
    Relation(
        "flow",
        "flows",
        "The flow; of a task run, the calling one.",
        (
            Way(
                tables="(SELECT {k[flow_name]} AS name) {f}",
                condition="EXISTS (SELECT 1 FROM runs w WHERE w.project = {project} AND w.flow = {k[flow_name]}"
                " AND w.kind = 'flow')",
            ),
        ),
        ("flow_name",),
        is_many=False,
        depth=24,
    ),
    Relation(
        "parent", "runs", "The run that called it.", (Way("{t[id]} = {k[parent_id]}"),), ("parent_id",), is_many=False
    ),
    Relation(
        "root", "runs", "The run whose process owns it.", (Way("{t[id]} = {k[root_id]}"),), ("root_id",), is_many=False
    ),
    Relation(
        "children",
        "runs",
        "The runs that it called, in the order in which they were recorded.",
        (Way("{t[parent_id]} = {k[id]}"),),
        ("id",),
        has_aggregate=True,
    ),
    Relation(
        "attempts",
        "attempts",
        "Each try of it, in order.",
        (Way("{t[run_id]} = {k[id]}"),),
        ("id",),
        has_aggregate=True,
    ),
    Relation(
        "upstream",
        "runs",
        "The runs whose results it was given.",
        (Way("{t[id]} = {e}.upstream_id AND {e}.downstream_id = {k[id]}", join="edges {e}"),),
        ("id",),
        has_aggregate=True,
    ),
    Relation(
        "downstream",
        "runs",
        "The runs that were given its result.",
        (Way("{t[id]} = {e}.downstream_id AND {e}.upstream_id = {k[id]}", join="edges {e}"),),
        ("id",),
        has_aggregate=True,
    ),
    Relation(
        "story",
        "story",
        "Its transitions, in order.",
        (Way("{t[run_id]} = {k[id]}"),),
        ("id",),
        has_aggregate=True,
    ),
    Relation(
        "logs",
        "logs",
        "The lines that it and everything below it logged, in the order in which they were logged.",
        _LINES,
        ("id", "root_id"),
        has_aggregate=True,
        depth=18,
    ),
    Relation(
        "source",
        "sources",
        "The code that it ran.",
        (Way("{t[hash]} = {k[code_hash]}"),),
        ("code_hash",),
        is_many=False,
    ),
    Relation(
        "tally",
        "state_counts",
        f"How its children stand, by state; at most the first {TALLIED:,} of them are looked at.",
        (
            Way(
                tables="(SELECT c.state, COUNT(*) AS count FROM (SELECT b.state FROM runs b"
                f" WHERE b.parent_id = {{k[id]}} AND b.project = {{project}} ORDER BY b.seq LIMIT {TALLIED}) c"
                " GROUP BY c.state) {s}",
            ),
        ),
        ("id",),
        is_plain=True,
        depth=24,
    ),
)

# ── attempts ─────────────────────────────────────────────────────────────────────────────────────────────────────────
_RUN = Relation("run", "runs", "The run.", (Way("{t[id]} = {k[run_id]}"),), ("run_id",), is_many=False)
_TERMINAL = "('completed', 'failed', 'crashed', 'cancelled', 'skipped')"
_ATTEMPT_COLUMNS = (
    Column("run_id", "uuid", "The run that was tried.", is_null=False),
    Column("number", "bigint", "Which try it was, from 1.", is_null=False),
    Column(
        "state",
        "text",
        "running; completed, failed, crashed, cancelled, skipped, suspended.",
        is_null=False,
        choices=ATTEMPT_STATES,
    ),
    Column("label", "text", "A word that explains the state."),
    Column("cause", "text", "Why it did not complete."),
    Column("evidence", "text", "What the cause was told by."),
    Column("error", "json", "The exception: {type, message, traceback}, or null."),
    Column("started_at", "time", "When it began."),
    Column("ended_at", "time", "When it ended; null while it has not."),
)
_TOLD_ATTEMPTS = Branch(
    "attempts {a}",
    _of("a", "run_id number state label cause error started_at ended_at", evidence="{a}.evidence{c}"),
)
_FOLDED_ATTEMPTS = Branch(
    "runs {r}",
    _of(
        "r",
        "started_at ended_at",
        run_id="{r}.id",
        number="{r}.attempts",
        state="CASE WHEN {r}.ended_at IS NULL THEN 'running' ELSE {r}.state END{c}",
        label="CASE WHEN {r}.ended_at IS NOT NULL THEN {r}.label END",
        cause="CASE WHEN {r}.ended_at IS NOT NULL THEN {r}.cause END",
        evidence="CASE WHEN {r}.ended_at IS NOT NULL THEN {r}.evidence END{c}",
        error="CASE WHEN {r}.ended_at IS NOT NULL THEN {r}.error END",
    ),
    "{r}.story_rows = 0 AND {r}.attempts > 0",
)

# ── story ────────────────────────────────────────────────────────────────────────────────────────────────────────────
_STORY_COLUMNS = (
    Column("run_id", "uuid", "The run it happened to.", is_null=False),
    Column("n", "bigint", "Its place in the run's story, from 1.", is_null=False),
    Column("at", "time", "When it happened.", is_null=False),
    Column("event", "text", "What happened: submitted, granted, began, completed, failed, retried …", is_null=False),
    Column("from_state", "text", "The state before; null for the first."),
    Column("to_state", "text", "The state after.", is_null=False),
    Column("label", "text", "A word that explains the state after."),
)
# What was not written is derived (`api.views`): up to the first written step t, else to the present state. A run that had
# ended before that step tells how by its first attempt a.
_LAST = f"t.from_state IN {_TERMINAL} AND a.ended_at <> 0 AND a.ended_at <= t.at"
_PLAIN = (
    "(SELECT r.id, r.created_at, COALESCE(t.from_state, r.state) AS reached,"
    f" CASE WHEN t.n IS NULL THEN r.started_at WHEN {_LAST} THEN a.started_at"
    " WHEN t.from_state = 'running' THEN r.started_at END AS began_at,"
    f" CASE WHEN t.n IS NULL THEN r.ended_at WHEN {_LAST} THEN a.ended_at"
    f" WHEN t.from_state IN {_TERMINAL} THEN t.at END AS ended_at,"
    f" CASE WHEN t.n IS NULL THEN r.label WHEN {_LAST} THEN a.label END AS label"
    " FROM runs r LEFT JOIN story t ON t.run_id = r.id AND t.n = 1 AND r.story_rows > 0"
    " LEFT JOIN attempts a ON a.run_id = t.run_id AND a.number = 1) {p}"
)
_GRANTED = "CASE WHEN {p}.began_at IS NOT NULL THEN 2 WHEN {p}.reached = 'pending' THEN 1 ELSE 0 END"
_FOLDED_STORY = Branch(
    _PLAIN + " CROSS JOIN (SELECT 1 AS step UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4) {v}",
    {
        "run_id": "{p}.id",
        "n": f"CASE WHEN {{v}}.step < 4 THEN {{v}}.step ELSE 2 + {_GRANTED} END",
        "at": "CASE {v}.step WHEN 1 THEN {p}.created_at WHEN 4 THEN {p}.ended_at"
        " ELSE COALESCE({p}.began_at, {p}.created_at) END",
        # A result without an attempt was taken from an earlier call; else the event is called like the state.
        "event": "CASE WHEN {v}.step = 1 THEN 'submitted' WHEN {v}.step = 2 THEN 'granted' WHEN {v}.step = 3 THEN 'began'"
        " WHEN {p}.reached = 'completed' AND {p}.began_at IS NULL THEN 'cached' ELSE {p}.reached END{c}",
        "from_state": "CASE WHEN {v}.step = 1 THEN NULL WHEN {v}.step = 2 THEN 'scheduled' WHEN {v}.step = 3 THEN 'pending'"
        " WHEN {p}.began_at IS NOT NULL THEN 'running' WHEN {p}.reached = 'pending' THEN 'pending' ELSE 'scheduled' END{c}",
        "to_state": "CASE {v}.step WHEN 1 THEN 'scheduled' WHEN 2 THEN 'pending' WHEN 3 THEN 'running'"
        " ELSE {p}.reached END{c}",
        "label": "CASE {v}.step WHEN 4 THEN {p}.label END",
    },
    f"CASE {{v}}.step WHEN 1 THEN {{p}}.reached <> '' WHEN 2 THEN {_GRANTED} > 0 WHEN 3 THEN {_GRANTED} > 1"
    " ELSE {p}.ended_at IS NOT NULL END",
)
_TOLD_STORY = Branch(
    _PLAIN + " INNER JOIN story {s} ON {s}.run_id = {p}.id",
    _of(
        "s",
        "run_id at event to_state label",
        n=f"{{s}}.n + CASE WHEN {{p}}.reached = '' THEN 0 WHEN {{p}}.ended_at IS NULL THEN 1 + {_GRANTED}"
        f" ELSE 2 + {_GRANTED} END",
        from_state="NULLIF({s}.from_state, ''){c}",
    ),
)

# ── logs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
_LOG_COLUMNS = (
    Column("n", "bigint", "Its number among the lines of the root run, from 1.", is_null=False),
    Column("at", "time", "When it was logged.", is_null=False),
    Column("level", "text", "DEBUG, INFO, WARNING, ERROR, CRITICAL; or the number of another level.", is_null=False),
    Column("level_number", "bigint", "The level as Python's logging numbers it: 10, 20, 30, 40, 50.", is_null=False),
    Column("logger", "text", "The name of the logger.", is_null=False),
    Column("message", "text", "The line.", is_null=False),
    Column("run_id", "uuid", "The run that logged it.", is_null=False),
    Column("root_id", "uuid", "The run whose process owns that run.", is_null=False),
    Column("attempt", "bigint", "The number of the attempt that logged it.", is_null=False),
)
_LOGS = Branch(
    "logs {l}",
    _of(
        "l",
        "n at run_id root_id attempt",
        level="CASE {l}.level WHEN 10 THEN 'DEBUG' WHEN 20 THEN 'INFO' WHEN 30 THEN 'WARNING' WHEN 40 THEN 'ERROR'"
        " WHEN 50 THEN 'CRITICAL' ELSE CAST({l}.level AS TEXT) END{c}",
        level_number="{l}.level",
        logger="{l}.logger{c}",
        message="{l}.message{c}",
    ),
)

# ── flows ────────────────────────────────────────────────────────────────────────────────────────────────────────────
# A flow is a name that a flow run has had. Names are found by leaps through an index, not by reading all its runs.
_FLOW_NAMES = (
    "WITH RECURSIVE found (name) AS ("
    "SELECT MIN(w.flow) FROM runs w WHERE w.project = {project} AND w.kind = 'flow' UNION ALL"
    " SELECT (SELECT MIN(w.flow) FROM runs w WHERE w.project = {project} AND w.kind = 'flow' AND w.flow > p.name)"
    " FROM found p WHERE p.name IS NOT NULL) SELECT name FROM found WHERE name IS NOT NULL"
)
_RUNS_OF_FLOW = "FROM runs w WHERE w.project = {project} AND w.flow = {k[name]} AND w.kind = 'flow'"
_FLOW_COLUMNS = (
    Column("name", "text", "Its name.", is_null=False),
    Column(
        "first_seen_at",
        "time",
        "When its first recorded run was called.",
        late=f"(SELECT w.created_at {_RUNS_OF_FLOW} ORDER BY w.seq LIMIT 1)",
        needs=("name",),
    ),
    Column(
        "last_run_at",
        "time",
        "When its latest run was called.",
        late=f"(SELECT w.created_at {_RUNS_OF_FLOW} ORDER BY w.seq DESC LIMIT 1)",
        needs=("name",),
    ),
    Column(
        "run_count",
        "bigint",
        "How many runs it has had.",
        is_null=False,
        late=f"(SELECT COUNT(*) {_RUNS_OF_FLOW})",
        needs=("name",),
    ),
)
_FLOW_RELATIONS = (
    Relation(
        "runs",
        "runs",
        "Its flow runs, newest first.",
        (Way("{t[flow_name]} = {k[name]} AND {t[kind]} = 'flow'"),),
        ("name",),
        has_aggregate=True,
        is_newest_first=True,
    ),
    Relation(
        "counts",
        "state_counts",
        "How many of its runs have ended, by state, from the counters that outlive deleted runs.",
        (
            Way(
                tables="(SELECT c.state, CAST(SUM(c.runs) AS BIGINT) AS count FROM counters c"
                " WHERE c.project = {project} AND c.flow = {k[name]} AND c.kind = 'flow'"
                " GROUP BY c.state HAVING SUM(c.runs) <> 0) {s}",
            ),
        ),
        ("name",),
        is_plain=True,
        depth=24,
    ),
)

_ALL = (
    Source(
        "runs",
        "Flow runs and task runs.",
        _RUN_COLUMNS,
        (_RUNS,),
        newest=(("seq", True),),
        natural=(("seq", False),),
        relations=_RUN_RELATIONS,
        key=("run", "id"),
        split="state",
        guard="{t[project]} = {project}",
    ),
    Source(
        "flows",
        "Flows: each name under which a flow has run.",
        _FLOW_COLUMNS,
        (Branch(f"({_FLOW_NAMES}) {{f}}", {"name": "{f}.name"}),),
        newest=(("name", False),),
        natural=(("name", False),),
        relations=_FLOW_RELATIONS,
        key=("flow", "name"),
        depth=34,
    ),
    Source(
        "attempts",
        "Attempts: each try of a run.",
        _ATTEMPT_COLUMNS,
        (_TOLD_ATTEMPTS, _FOLDED_ATTEMPTS),
        newest=(("run_id", True), ("number", True)),
        natural=(("number", False), ("run_id", False)),
        relations=(_RUN,),
        depth=17,
    ),
    Source(
        "story",
        "Transitions of runs from state to state.",
        _STORY_COLUMNS,
        (_FOLDED_STORY, _TOLD_STORY),
        newest=(("run_id", True), ("n", True)),
        natural=(("n", False), ("run_id", False)),
        relations=(_RUN,),
        depth=30,
    ),
    Source(
        "logs",
        "Lines that runs logged.",
        _LOG_COLUMNS,
        (_LOGS,),
        newest=(("root_id", True), ("n", True)),
        natural=(("n", False), ("root_id", False)),
        relations=(_RUN,),
    ),
    Source(
        "sources",
        "Source code that runs ran.",
        (
            Column("name", "text", "The qualified name of the function.", is_null=False),
            Column("file", "text", "The file that it stood in."),
            Column("text", "text", "Its text.", is_null=False),
            Column("hash", "hex", "What identifies it.", is_null=False, is_shown=False),
        ),
        (Branch("sources {s}", _of("s", "name hash", file="{s}.file{c}", text="{s}.text{c}")),),
        newest=(("hash", False),),
        natural=(("hash", False),),
        is_root=False,
    ),
    Source(
        "state_counts",
        "How many runs are in a state.",
        (
            Column("state", "text", "The state.", is_null=False),
            Column("count", "bigint", "How many.", is_null=False),
        ),
        (Branch("", _of("s", "state count")),),
        newest=(("state", False),),
        natural=(("state", False),),
        is_root=False,
    ),
)
SOURCES: Final = MappingProxyType({source.name: source for source in _ALL})
"""Every source by its name."""
