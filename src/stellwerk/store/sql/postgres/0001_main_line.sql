-- The first schema: the same tables, columns and order as SQLite's. Text that is compared or sorted is COLLATE "C", so
-- that its order is that of its bytes whatever the database's locale, as in SQLite.
-- Times are microseconds since the Unix epoch, UTC; identities are 16 bytes.
-- Growing tables: every index begins with a growing column (seq, a UUIDv7, time) or with project and then one.
-- Named exceptions: runs_by_name (person's words to run) and runs_unfinished (partial, stays small).

CREATE TABLE meta (key TEXT COLLATE "C" PRIMARY KEY, value TEXT NOT NULL);

-- One row a flow run or task run; its first attempt and its plain story are folded into it.
CREATE TABLE runs (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- order of commit
    id BYTEA NOT NULL UNIQUE CHECK (length(id) = 16),
    project TEXT COLLATE "C" NOT NULL DEFAULT 'default',
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('flow', 'task')),
    parent_id BYTEA,                        -- the calling run; NULL for a root run
    root_id BYTEA NOT NULL,                 -- the run whose owner reports this one
    name TEXT COLLATE "C" NOT NULL,
    flow TEXT COLLATE "C",                  -- name of the flow; for a task run, of the calling flow
    task TEXT COLLATE "C",                  -- NULL for flow runs
    call_key BYTEA,                         -- hash(task, code, inputs); NULL: cannot be matched
    n BIGINT NOT NULL DEFAULT 0,            -- counts equal calls within the calling run
    item_index BIGINT,                     -- place in its map; NULL for other runs
    code_hash BYTEA,                        -- into sources
    tags TEXT,                              -- JSON array; NULL when empty
    parameters TEXT,                        -- JSON object for people
    state TEXT COLLATE "C" NOT NULL CHECK (state IN
        ('scheduled', 'pending', 'running', 'paused', 'cancelling',
         'completed', 'failed', 'crashed', 'cancelled', 'skipped')),
    label TEXT COLLATE "C",
    cause TEXT COLLATE "C",
    evidence TEXT,
    attempts BIGINT NOT NULL DEFAULT 0,     -- number of the latest attempt
    story_rows BIGINT NOT NULL DEFAULT 0,   -- 0: the story is plain and derived from the times below
    created_at BIGINT NOT NULL,
    due_at BIGINT,                          -- earliest next attempt
    started_at BIGINT,                      -- of the first attempt
    ended_at BIGINT,
    error TEXT,                             -- JSON {type, message, traceback}
    result_hash BYTEA,                      -- BLAKE2b-256 of the encoded value; NULL: not recorded
    result_size BIGINT,
    result BYTEA,                           -- the encoded value when small; else the blob store has it
    preview TEXT,
    CHECK ((ended_at IS NULL) = (state IN ('scheduled', 'pending', 'running', 'paused', 'cancelling')))
);
CREATE INDEX runs_roots ON runs (project, seq) WHERE parent_id IS NULL;
CREATE INDEX runs_children ON runs (parent_id, seq) WHERE parent_id IS NOT NULL;
CREATE INDEX runs_unfinished ON runs (root_id, seq) WHERE ended_at IS NULL;
CREATE INDEX runs_by_name ON runs (project, name, seq) WHERE kind = 'flow';

-- Tries of runs that have left the plain road (more than one attempt, a pause, a stop); else views derive the one.
CREATE TABLE attempts (
    run_id BYTEA NOT NULL,
    number BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN
        ('running', 'completed', 'failed', 'crashed', 'cancelled', 'skipped', 'suspended')),
    label TEXT COLLATE "C",
    cause TEXT COLLATE "C",
    evidence TEXT,
    error TEXT,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    PRIMARY KEY (run_id, number)
);

-- Transitions of runs that have left the plain road, from that moment on.
CREATE TABLE story (
    run_id BYTEA NOT NULL,
    n BIGINT NOT NULL,
    at BIGINT NOT NULL,
    event TEXT COLLATE "C" NOT NULL,
    from_state TEXT COLLATE "C" NOT NULL,
    to_state TEXT COLLATE "C" NOT NULL,
    label TEXT COLLATE "C",
    PRIMARY KEY (run_id, n)
);

CREATE TABLE edges (
    downstream_id BYTEA NOT NULL,
    upstream_id BYTEA NOT NULL,
    PRIMARY KEY (downstream_id, upstream_id)
);
CREATE INDEX edges_up ON edges (upstream_id, downstream_id);

-- Values that a generator yielded, in order.
CREATE TABLE items (
    run_id BYTEA NOT NULL,
    n BIGINT NOT NULL,
    at BIGINT NOT NULL,
    result_hash BYTEA,
    result_size BIGINT,
    result BYTEA,
    preview TEXT,
    PRIMARY KEY (run_id, n)
);

-- A thousand items of a map in one row; the arrays are packed so that both databases can unfold them in SQL.
CREATE TABLE chunks (
    parent_id BYTEA NOT NULL,
    map_id BYTEA NOT NULL,
    first_index BIGINT NOT NULL,
    items BIGINT NOT NULL,
    call_keys BYTEA NOT NULL,               -- 16 bytes an item
    states BYTEA NOT NULL,                  -- 1 byte an item
    starts BYTEA NOT NULL,                  -- 8 bytes an item
    durations BYTEA NOT NULL,               -- 4 bytes an item, microseconds
    results BYTEA,
    PRIMARY KEY (parent_id, map_id, first_index)
);

CREATE TABLE logs (
    root_id BYTEA NOT NULL,
    n BIGINT NOT NULL,                      -- line number within the root run: the order in which lines were logged
    run_id BYTEA NOT NULL,
    attempt BIGINT NOT NULL,
    at BIGINT NOT NULL,
    level BIGINT NOT NULL,                  -- numbers of Python's logging
    logger TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (root_id, n)
);
CREATE INDEX logs_of_run ON logs (run_id, n);

-- How to start a root run again.
CREATE TABLE plans (
    run_id BYTEA PRIMARY KEY,
    interpreter TEXT NOT NULL,
    folder TEXT NOT NULL,
    file TEXT,
    entry TEXT,
    arguments BYTEA,                   -- pickled, when small
    arguments_hash BYTEA,              -- else the blob store has them
    code BYTEA
);

CREATE TABLE sources (
    hash BYTEA PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    file TEXT,
    text TEXT NOT NULL
);

-- Who owns a root run. fence and seq are compared inside every write of the owner; counter is renewed from outside it.
CREATE TABLE leases (
    root_id BYTEA PRIMARY KEY,
    fence BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    counter BIGINT NOT NULL DEFAULT 0,
    lease_seconds DOUBLE PRECISION NOT NULL,
    host TEXT COLLATE "C" NOT NULL,
    boot_id TEXT COLLATE "C" NOT NULL,
    pid BIGINT NOT NULL,
    pid_started BIGINT NOT NULL,
    is_held BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX leases_held ON leases (root_id) WHERE is_held = 1;

-- Ended runs by hour, kept in the transaction that ends them.
CREATE TABLE counters (
    project TEXT COLLATE "C" NOT NULL DEFAULT 'default',
    hour BIGINT NOT NULL,                   -- hours since the epoch
    flow TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    runs BIGINT NOT NULL,
    PRIMARY KEY (project, hour, flow, kind, state)
);
