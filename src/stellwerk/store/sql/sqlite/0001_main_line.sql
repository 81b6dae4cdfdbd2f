-- The first schema. Times are microseconds since the Unix epoch, UTC; identities are 16 bytes.
-- Growing tables: every index begins with a growing column (seq, a UUIDv7, time) or with project and then one.
-- Named exceptions: runs_by_name (person's words to run) and runs_unfinished (partial, stays small).

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- One row a flow run or task run; its first attempt and its plain story are folded into it.
CREATE TABLE runs (
    seq INTEGER PRIMARY KEY,                -- order of commit
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    project TEXT NOT NULL DEFAULT 'default',
    kind TEXT NOT NULL CHECK (kind IN ('flow', 'task')),
    parent_id BLOB,                         -- the calling run; NULL for a root run
    root_id BLOB NOT NULL,                  -- the run whose owner reports this one
    name TEXT NOT NULL,
    flow TEXT,                              -- name of the flow; for a task run, of the calling flow
    task TEXT,                              -- NULL for flow runs
    call_key BLOB,                          -- hash(task, code, inputs); NULL: cannot be matched
    n INTEGER NOT NULL DEFAULT 0,           -- counts equal calls within the calling run
    item_index INTEGER,                     -- place in its map; NULL for other runs
    code_hash BLOB,                         -- into sources
    tags TEXT,                              -- JSON array; NULL when empty
    parameters TEXT,                        -- JSON object for people
    -- A list in IN would be built anew for every row (SQLite), which costs more than the rest of the check.
    state TEXT NOT NULL CHECK (instr(' scheduled pending running paused cancelling'
        || ' completed failed crashed cancelled skipped ', ' ' || state || ' ') > 0),
    label TEXT,
    cause TEXT,
    evidence TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,    -- number of the latest attempt
    story_rows INTEGER NOT NULL DEFAULT 0,  -- 0: the story is plain and derived from the times below
    created_at INTEGER NOT NULL,
    due_at INTEGER,                         -- earliest next attempt
    started_at INTEGER,                     -- of the first attempt
    ended_at INTEGER,
    error TEXT,                             -- JSON {type, message, traceback}
    result_hash BLOB,                       -- BLAKE2b-256 of the encoded value; NULL: not recorded
    result_size INTEGER,
    result BLOB,                            -- the encoded value when small; else the blob store has it
    preview TEXT,
    CHECK ((ended_at IS NULL) = (instr(' scheduled pending running paused cancelling ', ' ' || state || ' ') > 0))
);
CREATE INDEX runs_roots ON runs (project, seq) WHERE parent_id IS NULL;
CREATE INDEX runs_children ON runs (parent_id, seq) WHERE parent_id IS NOT NULL;
CREATE INDEX runs_unfinished ON runs (root_id, seq) WHERE ended_at IS NULL;
CREATE INDEX runs_by_name ON runs (project, name, seq) WHERE kind = 'flow';

-- Tries of runs that have left the plain road (more than one attempt, a pause, a stop); else views derive the one.
CREATE TABLE attempts (
    run_id BLOB NOT NULL,
    number INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN
        ('running', 'completed', 'failed', 'crashed', 'cancelled', 'skipped', 'suspended')),
    label TEXT,
    cause TEXT,
    evidence TEXT,
    error TEXT,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    PRIMARY KEY (run_id, number)
) WITHOUT ROWID;

-- Transitions of runs that have left the plain road, from that moment on.
CREATE TABLE story (
    run_id BLOB NOT NULL,
    n INTEGER NOT NULL,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    from_state TEXT NOT NULL,
    to_state TEXT NOT NULL,
    label TEXT,
    PRIMARY KEY (run_id, n)
) WITHOUT ROWID;

CREATE TABLE edges (
    downstream_id BLOB NOT NULL,
    upstream_id BLOB NOT NULL,
    PRIMARY KEY (downstream_id, upstream_id)
) WITHOUT ROWID;
CREATE INDEX edges_up ON edges (upstream_id, downstream_id);

-- Values that a generator yielded, in order.
CREATE TABLE items (
    run_id BLOB NOT NULL,
    n INTEGER NOT NULL,
    at INTEGER NOT NULL,
    result_hash BLOB,
    result_size INTEGER,
    result BLOB,
    preview TEXT,
    PRIMARY KEY (run_id, n)
) WITHOUT ROWID;

-- A thousand items of a map in one row; the arrays are packed so that both databases can unfold them in SQL.
CREATE TABLE chunks (
    parent_id BLOB NOT NULL,
    map_id BLOB NOT NULL,
    first_index INTEGER NOT NULL,
    items INTEGER NOT NULL,
    call_keys BLOB NOT NULL,                -- 16 bytes an item
    states BLOB NOT NULL,                   -- 1 byte an item
    starts BLOB NOT NULL,                   -- 8 bytes an item
    durations BLOB NOT NULL,                -- 4 bytes an item, microseconds
    results BLOB,
    PRIMARY KEY (parent_id, map_id, first_index)
) WITHOUT ROWID;

CREATE TABLE logs (
    root_id BLOB NOT NULL,
    n INTEGER NOT NULL,                     -- line number within the root run: the order in which lines were logged
    run_id BLOB NOT NULL,
    attempt INTEGER NOT NULL,
    at INTEGER NOT NULL,
    level INTEGER NOT NULL,                 -- numbers of Python's logging
    logger TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (root_id, n)
) WITHOUT ROWID;
CREATE INDEX logs_of_run ON logs (run_id, n);

-- How to start a root run again.
CREATE TABLE plans (
    run_id BLOB PRIMARY KEY,
    interpreter TEXT NOT NULL,
    folder TEXT NOT NULL,
    file TEXT,
    entry TEXT,
    arguments BLOB,                    -- pickled, when small
    arguments_hash BLOB,               -- else the blob store has them
    code BLOB
) WITHOUT ROWID;

CREATE TABLE sources (
    hash BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    file TEXT,
    text TEXT NOT NULL
) WITHOUT ROWID;

-- Who owns a root run. fence and seq are compared inside every write of the owner; counter is renewed from outside it.
CREATE TABLE leases (
    root_id BLOB PRIMARY KEY,
    fence INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    counter INTEGER NOT NULL DEFAULT 0,
    lease_seconds REAL NOT NULL,
    host TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    pid INTEGER NOT NULL,
    pid_started INTEGER NOT NULL,
    is_held INTEGER NOT NULL DEFAULT 1
) WITHOUT ROWID;
CREATE INDEX leases_held ON leases (root_id) WHERE is_held = 1;

-- Ended runs by hour, kept in the transaction that ends them.
CREATE TABLE counters (
    project TEXT NOT NULL DEFAULT 'default',
    hour INTEGER NOT NULL,                  -- hours since the epoch
    flow TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    runs INTEGER NOT NULL,
    PRIMARY KEY (project, hour, flow, kind, state)
) WITHOUT ROWID;
