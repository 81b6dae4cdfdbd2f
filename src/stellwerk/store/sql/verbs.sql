-- Every statement of the store has a name and a purpose. `?` is a parameter, `(??)` a list of them; both databases
-- read these, and a statement whose name ends in a dialect's name replaces its twin there.

-- name: lease_open
-- The first batch of a root run opens its lease; a second opening changes nothing.
INSERT INTO leases (root_id, fence, seq, lease_seconds, host, boot_id, pid, pid_started)
VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (root_id) DO NOTHING

-- name: lease_lock postgres
-- Before a batch is folded from what it reads: else that may change under it until it advances. (SQLite has locked the
-- whole database by then.)
SELECT 1 FROM leases WHERE root_id = ? FOR UPDATE

-- name: lease_advance
-- A batch is applied only under the current fence and only if it is the next: this is the fence, inside the write.
UPDATE leases SET seq = ? WHERE root_id = ? AND fence = ? AND seq = ?

-- name: lease_look
-- Why an advance changed nothing: another fence, or a batch applied before.
SELECT fence, seq FROM leases WHERE root_id = ?

-- name: lease_close
-- The root run has ended: nobody need renew.
UPDATE leases SET is_held = 0 WHERE root_id = ?

-- name: lease_renew
-- Count once more for the living runs of one process, from outside it.
UPDATE leases SET counter = counter + 1 WHERE is_held = 1 AND host = ? AND boot_id = ? AND pid = ? AND pid_started = ?

-- name: leases_held
-- Who owns what just now: a partial index, as small as the work in hand.
SELECT root_id, fence, seq, counter, lease_seconds, host, boot_id, pid, pid_started FROM leases WHERE is_held = 1

-- name: lease_take
-- Take over a run whose owner is gone: the fence grows, so what its owner still sends is refused.
UPDATE leases SET fence = fence + 1, seq = 0 WHERE root_id = ? AND fence = ? AND is_held = 1

-- name: runs_load
-- The runs that a batch touches and did not create itself, with the state of the latest attempt: on the plain road that
-- is the run's own.
SELECT r.id, r.project, r.kind, r.parent_id, r.root_id, r.name, r.flow, r.task, r.call_key, r.n, r.item_index, r.code_hash,
       NULL, NULL, r.created_at, r.state, r.label, r.cause, r.evidence, r.attempts, r.story_rows, r.due_at, r.started_at,
       r.ended_at, r.error, r.result_hash, r.result_size, r.result, r.preview,
       COALESCE(a.state, CASE WHEN r.attempts > 0
           AND r.state IN ('running', 'completed', 'failed', 'crashed', 'cancelled', 'skipped') THEN r.state ELSE '' END),
       a.started_at
FROM runs r LEFT JOIN attempts a ON a.run_id = r.id AND a.number = r.attempts
WHERE r.id IN (??)

-- name: runs_unfinished_of
-- What falls with a dead owner.
SELECT id FROM runs WHERE root_id = ? AND ended_at IS NULL ORDER BY seq

-- name: runs_insert
INSERT INTO runs (id, project, kind, parent_id, root_id, name, flow, task, call_key, n, item_index, code_hash, tags,
    parameters, created_at, state, label, cause, evidence, attempts, story_rows, due_at, started_at, ended_at, error, result_hash,
    result_size, result, preview)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: runs_insert_many postgres
-- Many rows come as one array a column and are one statement (`_many`: what Postgres takes in place of the statement
-- above when there are more than a few). The casts are the columns' types.
INSERT INTO runs (id, project, kind, parent_id, root_id, name, flow, task, call_key, n, item_index, code_hash, tags,
    parameters, created_at, state, label, cause, evidence, attempts, story_rows, due_at, started_at, ended_at, error, result_hash,
    result_size, result, preview)
SELECT * FROM unnest(?::bytea[], ?::text[], ?::text[], ?::bytea[], ?::bytea[], ?::text[], ?::text[], ?::text[],
    ?::bytea[], ?::bigint[], ?::bigint[], ?::bytea[], ?::text[], ?::text[], ?::bigint[], ?::text[], ?::text[], ?::text[], ?::text[],
    ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::text[], ?::bytea[], ?::bigint[], ?::bytea[],
    ?::text[])

-- name: runs_update
UPDATE runs SET state = ?, label = ?, cause = ?, evidence = ?, attempts = ?, story_rows = ?, due_at = ?,
    started_at = ?, ended_at = ?, error = ?, result_hash = ?, result_size = ?, result = ?, preview = ?
WHERE id = ?

-- name: runs_update_many postgres
UPDATE runs SET state = u.state, label = u.label, cause = u.cause, evidence = u.evidence, attempts = u.attempts,
    story_rows = u.story_rows, due_at = u.due_at, started_at = u.started_at, ended_at = u.ended_at, error = u.error,
    result_hash = u.result_hash, result_size = u.result_size, result = u.result, preview = u.preview
FROM unnest(?::text[], ?::text[], ?::text[], ?::text[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[],
    ?::text[], ?::bytea[], ?::bigint[], ?::bytea[], ?::text[], ?::bytea[])
    AS u (state, label, cause, evidence, attempts, story_rows, due_at, started_at, ended_at, error, result_hash,
    result_size, result, preview, id)
WHERE runs.id = u.id

-- name: attempts_put
INSERT INTO attempts (run_id, number, state, label, cause, evidence, error, started_at, ended_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run_id, number) DO UPDATE SET state = excluded.state, label = excluded.label, cause = excluded.cause,
    evidence = excluded.evidence, error = excluded.error, ended_at = excluded.ended_at

-- name: attempts_put_many postgres
INSERT INTO attempts (run_id, number, state, label, cause, evidence, error, started_at, ended_at)
SELECT * FROM unnest(?::bytea[], ?::bigint[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[], ?::bigint[],
    ?::bigint[])
ON CONFLICT (run_id, number) DO UPDATE SET state = excluded.state, label = excluded.label, cause = excluded.cause,
    evidence = excluded.evidence, error = excluded.error, ended_at = excluded.ended_at

-- name: story_insert
INSERT INTO story (run_id, n, at, event, from_state, to_state, label) VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: story_insert_many postgres
INSERT INTO story (run_id, n, at, event, from_state, to_state, label)
SELECT * FROM unnest(?::bytea[], ?::bigint[], ?::bigint[], ?::text[], ?::text[], ?::text[], ?::text[])

-- name: edges_insert
INSERT INTO edges (downstream_id, upstream_id) VALUES (?, ?) ON CONFLICT DO NOTHING

-- name: edges_insert_many postgres
INSERT INTO edges (downstream_id, upstream_id) SELECT * FROM unnest(?::bytea[], ?::bytea[]) ON CONFLICT DO NOTHING

-- name: items_put
INSERT INTO items (run_id, n, at, result_hash, result_size, result, preview) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run_id, n) DO UPDATE SET at = excluded.at, result_hash = excluded.result_hash,
    result_size = excluded.result_size, result = excluded.result, preview = excluded.preview

-- name: items_put_many postgres
INSERT INTO items (run_id, n, at, result_hash, result_size, result, preview)
SELECT * FROM unnest(?::bytea[], ?::bigint[], ?::bigint[], ?::bytea[], ?::bigint[], ?::bytea[], ?::text[])
ON CONFLICT (run_id, n) DO UPDATE SET at = excluded.at, result_hash = excluded.result_hash,
    result_size = excluded.result_size, result = excluded.result, preview = excluded.preview

-- name: logs_insert
INSERT INTO logs (root_id, n, run_id, attempt, at, level, logger, message) VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: logs_insert_many postgres
INSERT INTO logs (root_id, n, run_id, attempt, at, level, logger, message)
SELECT * FROM unnest(?::bytea[], ?::bigint[], ?::bytea[], ?::bigint[], ?::bigint[], ?::bigint[], ?::text[], ?::text[])

-- name: sources_insert
INSERT INTO sources (hash, name, file, text) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING

-- name: plans_insert
INSERT INTO plans (run_id, interpreter, folder, file, entry, arguments, arguments_hash, code)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: counters_add
INSERT INTO counters (project, hour, flow, kind, state, runs) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (project, hour, flow, kind, state) DO UPDATE SET runs = counters.runs + excluded.runs

-- name: runs_recent
-- Root flow runs, newest first.
SELECT RUN FROM runs r WHERE r.project = ? AND r.parent_id IS NULL AND r.kind = 'flow' ORDER BY r.seq DESC LIMIT ?

-- name: runs_recent_all
-- Every run, newest first.
SELECT RUN FROM runs r WHERE r.project = ? ORDER BY r.seq DESC LIMIT ?

-- name: run_by_id
SELECT RUN FROM runs r WHERE r.id = ?

-- name: runs_by_prefix
-- Ids are compared as bytes: a prefix of the text is a range of them.
SELECT RUN FROM runs r WHERE r.id >= ? AND r.id <= ? ORDER BY r.id LIMIT 3

-- name: runs_by_name
SELECT RUN FROM runs r WHERE r.project = ? AND r.name = ? AND r.kind = 'flow' ORDER BY r.seq DESC LIMIT 2

-- name: run_children
SELECT RUN FROM runs r WHERE r.parent_id = ? ORDER BY r.seq LIMIT ?

-- name: attempts_of
SELECT run_id, number, state, label, cause, evidence, error, started_at, ended_at FROM attempts
WHERE run_id IN (??) ORDER BY run_id, number

-- name: story_of
SELECT at, event, from_state, to_state, label FROM story WHERE run_id = ? ORDER BY n

-- name: upstream_of
SELECT downstream_id, upstream_id FROM edges WHERE downstream_id IN (??) ORDER BY downstream_id, upstream_id

-- name: logs_of_root
SELECT l.n, l.run_id, l.attempt, l.at, l.level, l.logger, l.message, COALESCE(r.name, '') FROM logs l
LEFT JOIN runs r ON r.id = l.run_id WHERE l.root_id = ? AND l.n > ? ORDER BY l.n LIMIT ?

-- name: logs_of_run
SELECT l.n, l.run_id, l.attempt, l.at, l.level, l.logger, l.message, COALESCE(r.name, '') FROM logs l
LEFT JOIN runs r ON r.id = l.run_id WHERE l.run_id = ? AND l.n > ? ORDER BY l.n LIMIT ?

-- name: plan_of
SELECT interpreter, folder, file, entry, arguments, arguments_hash, code FROM plans WHERE run_id = ?

-- name: result_of
SELECT result_hash, result_size, result, preview FROM runs WHERE id = ?

-- name: items_of
SELECT n, at, result_hash, result_size, result, preview FROM items WHERE run_id = ? ORDER BY n LIMIT ?

-- name: blob_of
-- Whether a run, an item of it or its plan references a blob.
SELECT 1 FROM runs WHERE id = ? AND result_hash = ?
UNION ALL SELECT 1 FROM items WHERE run_id = ? AND result_hash = ?
UNION ALL SELECT 1 FROM plans WHERE run_id = ? AND arguments_hash = ?
LIMIT 1

-- name: source_of
SELECT name, file, text FROM sources WHERE hash = ?

-- name: counters_since
SELECT flow, kind, state, CAST(SUM(runs) AS BIGINT) FROM counters WHERE project = ? AND hour >= ? GROUP BY flow, kind, state

-- name: run_of_process
-- The first root run that a process began since a moment; ids carry their time, so the search starts there.
SELECT RUN FROM runs r CROSS JOIN leases l
WHERE r.id >= ? AND r.parent_id IS NULL AND l.root_id = r.id AND l.host = ? AND l.boot_id = ? AND l.pid = ?
ORDER BY r.id LIMIT 1

-- name: run_neighbours
-- The ids before and after each run's, from which the shortest unique prefix follows.
SELECT r.id, (SELECT b.id FROM runs b WHERE b.id < r.id ORDER BY b.id DESC LIMIT 1),
       (SELECT a.id FROM runs a WHERE a.id > r.id ORDER BY a.id LIMIT 1)
FROM runs r WHERE r.id IN (??)

-- name: run_tasks
-- Task runs and child flow runs of a run, with the tasks that its tasks called, in order of creation: that of the ids,
-- since an owner may report a run that waits after one that was created later.
WITH RECURSIVE below (id, seq, kind) AS (
    SELECT r.id, r.seq, r.kind FROM runs r WHERE r.parent_id = ?
    UNION ALL
    SELECT c.id, c.seq, c.kind FROM below b CROSS JOIN runs c WHERE c.parent_id = b.id AND b.kind = 'task'
)
SELECT RUN FROM (SELECT id, seq FROM below ORDER BY id LIMIT ?) b CROSS JOIN runs r WHERE r.seq = b.seq ORDER BY b.id

-- name: run_tasks_not_completed
-- The same, but only those that have not completed (yet).
WITH RECURSIVE below (id, seq, kind, state) AS (
    SELECT r.id, r.seq, r.kind, r.state FROM runs r WHERE r.parent_id = ?
    UNION ALL
    SELECT c.id, c.seq, c.kind, c.state FROM below b CROSS JOIN runs c WHERE c.parent_id = b.id AND b.kind = 'task'
)
SELECT RUN FROM (SELECT id, seq FROM below WHERE state <> 'completed' ORDER BY id LIMIT ?) b CROSS JOIN runs r
WHERE r.seq = b.seq ORDER BY b.id

-- name: run_task_groups
-- How a run's tasks and child flows stand, by name and state, in order of first creation.
WITH RECURSIVE below (id, kind, name, state, created_at, started_at, ended_at) AS (
    SELECT r.id, r.kind, COALESCE(r.task, r.flow), r.state, r.created_at, r.started_at, r.ended_at
    FROM runs r WHERE r.parent_id = ?
    UNION ALL
    SELECT c.id, c.kind, COALESCE(c.task, c.flow), c.state, c.created_at, c.started_at, c.ended_at
    FROM below b CROSS JOIN runs c WHERE c.parent_id = b.id AND b.kind = 'task'
)
SELECT kind, name, state, COUNT(*), MIN(started_at), MAX(ended_at) FROM below
GROUP BY kind, name, state ORDER BY MIN(created_at)

-- name: run_tasks_tally
-- How the tasks and child flows of a run stand; bounded, for lists.
WITH RECURSIVE below (id, kind, state) AS (
    SELECT r.id, r.kind, r.state FROM runs r WHERE r.parent_id = ?
    UNION ALL
    SELECT c.id, c.kind, c.state FROM below b CROSS JOIN runs c WHERE c.parent_id = b.id AND b.kind = 'task'
)
SELECT state, COUNT(*) FROM (SELECT state FROM below LIMIT ?) c GROUP BY state

-- name: logs_of_tree
-- Lines of a run and of everything below it, from a level up.
WITH RECURSIVE below (id) AS (
    SELECT r.id FROM runs r WHERE r.id = ?
    UNION ALL
    SELECT c.id FROM below b CROSS JOIN runs c WHERE c.parent_id = b.id
)
SELECT l.n, l.run_id, l.attempt, l.at, l.level, l.logger, l.message, COALESCE(r.name, '') FROM logs l
LEFT JOIN runs r ON r.id = l.run_id
WHERE l.run_id IN (SELECT id FROM below) AND l.n > ? AND l.level >= ? ORDER BY l.n LIMIT ?

-- name: logs_of_root_from
-- Lines of a root run and of everything below it, from a level up.
SELECT l.n, l.run_id, l.attempt, l.at, l.level, l.logger, l.message, COALESCE(r.name, '') FROM logs l
LEFT JOIN runs r ON r.id = l.run_id WHERE l.root_id = ? AND l.n > ? AND l.level >= ? ORDER BY l.n LIMIT ?

-- name: logs_of_root_tail
-- Where the last lines of a root run begin.
SELECT MIN(n) FROM (SELECT n FROM logs WHERE root_id = ? AND level >= ? ORDER BY n DESC LIMIT ?) l

-- name: logs_of_tree_tail
-- Where the last lines of a run and of everything below it begin.
WITH RECURSIVE below (id) AS (
    SELECT r.id FROM runs r WHERE r.id = ?
    UNION ALL
    SELECT c.id FROM below b CROSS JOIN runs c WHERE c.parent_id = b.id
)
SELECT MIN(n) FROM (SELECT n FROM logs WHERE run_id IN (SELECT id FROM below) AND level >= ? ORDER BY n DESC LIMIT ?) l

-- name: meta_all postgres
-- The migrations that were applied and the database's id. (SQLite keeps its version in its header.)
SELECT key, value FROM meta

-- name: meta_lock postgres
-- Processes that start at once migrate one after another; the lock ends with the transaction.
SELECT pg_advisory_xact_lock(?)

-- name: meta_insert postgres
INSERT INTO meta (key, value) VALUES (?, ?)

-- name: tables_present postgres
-- Tables of ours, or of somebody else under the same names.
SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = ANY(?)

-- ── a server ─────────────────────────────────────────────────────────────────────────────────────────────────────────

-- name: lease_take_silent
-- The same as lease_take for an owner who was not heard for a lease, unless it was heard after all: what it sent may have
-- waited to be written.
UPDATE leases SET fence = fence + 1, seq = 0 WHERE root_id = ? AND fence = ? AND seq = ? AND counter = ? AND is_held = 1

-- name: lease_fences
-- Under which fences root runs that were in hand stand now: who took them over.
SELECT root_id, fence FROM leases WHERE root_id IN (??)

-- name: meta_get
SELECT value FROM meta WHERE key = ?

-- name: meta_keep
-- What a database keeps for good; of several who come at once, the first one decides.
INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING

-- ── watching: what other processes committed ─────────────────────────────────────────────────────────────────────────

-- name: leases_watched
-- Who has come how far: a partial index, as small as the work in hand.
SELECT root_id, fence, seq FROM leases WHERE is_held = 1

-- name: roots_newest
SELECT MAX(seq) FROM runs WHERE project = ? AND parent_id IS NULL

-- name: roots_since
-- Root runs that are new, in order.
SELECT seq, id FROM runs WHERE project = ? AND parent_id IS NULL AND seq > ? ORDER BY seq LIMIT ?

-- ── counting for metrics ─────────────────────────────────────────────────────────────────────────────────────────────

-- name: runs_unfinished_states
-- How many runs are in hand, by state: a partial index, as small as the work in hand.
SELECT state, COUNT(*) FROM runs WHERE ended_at IS NULL GROUP BY state

-- ── searching log lines ──────────────────────────────────────────────────────────────────────────────────────────────

-- name: logs_found_of_root
-- Lines of a root run and of everything below it that contain a text, from a level up.
SELECT l.n, l.run_id, l.attempt, l.at, l.level, l.logger, l.message, COALESCE(r.name, '') FROM logs l
LEFT JOIN runs r ON r.id = l.run_id
WHERE l.root_id = ? AND l.n > ? AND l.level >= ? AND l.message LIKE ? ESCAPE '!' ORDER BY l.n LIMIT ?

-- name: logs_found_of_root postgres
SELECT l.n, l.run_id, l.attempt, l.at, l.level, l.logger, l.message, COALESCE(r.name, '') FROM logs l
LEFT JOIN runs r ON r.id = l.run_id
WHERE l.root_id = ? AND l.n > ? AND l.level >= ? AND l.message ILIKE ? ESCAPE '!' ORDER BY l.n LIMIT ?

-- name: logs_found_of_tree
-- Lines of a run and of everything below it that contain a text, from a level up.
WITH RECURSIVE below (id) AS (
    SELECT r.id FROM runs r WHERE r.id = ?
    UNION ALL
    SELECT c.id FROM below b CROSS JOIN runs c WHERE c.parent_id = b.id
)
SELECT l.n, l.run_id, l.attempt, l.at, l.level, l.logger, l.message, COALESCE(r.name, '') FROM logs l
LEFT JOIN runs r ON r.id = l.run_id
WHERE l.run_id IN (SELECT id FROM below) AND l.n > ? AND l.level >= ? AND l.message LIKE ? ESCAPE '!'
ORDER BY l.n LIMIT ?

-- name: logs_found_of_tree postgres
WITH RECURSIVE below (id) AS (
    SELECT r.id FROM runs r WHERE r.id = ?
    UNION ALL
    SELECT c.id FROM below b CROSS JOIN runs c WHERE c.parent_id = b.id
)
SELECT l.n, l.run_id, l.attempt, l.at, l.level, l.logger, l.message, COALESCE(r.name, '') FROM logs l
LEFT JOIN runs r ON r.id = l.run_id
WHERE l.run_id IN (SELECT id FROM below) AND l.n > ? AND l.level >= ? AND l.message ILIKE ? ESCAPE '!'
ORDER BY l.n LIMIT ?

-- name: logs_found_of_root_tail
-- Where the last lines of a root run that contain a text begin.
SELECT MIN(n) FROM (
    SELECT n FROM logs WHERE root_id = ? AND level >= ? AND message LIKE ? ESCAPE '!' ORDER BY n DESC LIMIT ?) l

-- name: logs_found_of_root_tail postgres
SELECT MIN(n) FROM (
    SELECT n FROM logs WHERE root_id = ? AND level >= ? AND message ILIKE ? ESCAPE '!' ORDER BY n DESC LIMIT ?) l

-- name: logs_found_of_tree_tail
-- Where the last lines of a run and of everything below it that contain a text begin.
WITH RECURSIVE below (id) AS (
    SELECT r.id FROM runs r WHERE r.id = ?
    UNION ALL
    SELECT c.id FROM below b CROSS JOIN runs c WHERE c.parent_id = b.id
)
SELECT MIN(n) FROM (
    SELECT n FROM logs WHERE run_id IN (SELECT id FROM below) AND level >= ? AND message LIKE ? ESCAPE '!'
    ORDER BY n DESC LIMIT ?) l

-- name: logs_found_of_tree_tail postgres
WITH RECURSIVE below (id) AS (
    SELECT r.id FROM runs r WHERE r.id = ?
    UNION ALL
    SELECT c.id FROM below b CROSS JOIN runs c WHERE c.parent_id = b.id
)
SELECT MIN(n) FROM (
    SELECT n FROM logs WHERE run_id IN (SELECT id FROM below) AND level >= ? AND message ILIKE ? ESCAPE '!'
    ORDER BY n DESC LIMIT ?) l

-- ── what the page draws of one run: its timeline and its graph ──────────────────────────────────────────────────────

-- name: timeline_head
-- How far the record goes: with it, whether reading what is new or the whole run is shorter.
SELECT MAX(seq) FROM runs

-- name: timeline_all
-- Task runs and child flow runs of a run, with the tasks that its tasks called, from a place in the record on.
WITH RECURSIVE below (id, seq, kind) AS (
    SELECT r.id, r.seq, r.kind FROM runs r WHERE r.parent_id = ?
    UNION ALL
    SELECT c.id, c.seq, c.kind FROM below b CROSS JOIN runs c WHERE c.parent_id = b.id AND b.kind = 'task'
)
SELECT r.seq, r.created_at, r.started_at, r.ended_at, r.item_index, r.kind, COALESCE(r.task, r.flow), r.state, r.attempts
FROM (SELECT seq FROM below WHERE seq > ? ORDER BY seq LIMIT ?) b CROSS JOIN runs r WHERE r.seq = b.seq ORDER BY r.seq

-- name: timeline_new
-- The same, read from that place in the record on: what is new, of whatever run, is little while a page looks.
SELECT r.seq, r.created_at, r.started_at, r.ended_at, r.item_index, r.kind, COALESCE(r.task, r.flow), r.state, r.attempts
FROM runs r WHERE r.seq > ? AND r.root_id = ? AND (r.parent_id = ? OR EXISTS (
    WITH RECURSIVE above (parent_id, kind) AS (
        SELECT p.parent_id, p.kind FROM runs p WHERE p.id = r.parent_id
        UNION ALL
        SELECT p.parent_id, p.kind FROM above a CROSS JOIN runs p WHERE p.id = a.parent_id AND a.kind = 'task'
    )
    SELECT 1 FROM above a WHERE a.parent_id = ? AND a.kind = 'task'))
ORDER BY r.seq LIMIT ?

-- name: timeline_open
-- The same for places that a page knows and may have changed.
SELECT r.seq, r.created_at, r.started_at, r.ended_at, r.item_index, r.kind, COALESCE(r.task, r.flow), r.state, r.attempts
FROM runs r WHERE r.root_id = ? AND (r.parent_id = ? OR EXISTS (
    WITH RECURSIVE above (parent_id, kind) AS (
        SELECT p.parent_id, p.kind FROM runs p WHERE p.id = r.parent_id
        UNION ALL
        SELECT p.parent_id, p.kind FROM above a CROSS JOIN runs p WHERE p.id = a.parent_id AND a.kind = 'task'
    )
    SELECT 1 FROM above a WHERE a.parent_id = ? AND a.kind = 'task'))
AND r.seq IN (??)

-- name: graph_edges
-- Which names gave results to which, and how often; bounded in what is looked at and in what is told.
WITH RECURSIVE below (id, kind, name) AS (
    SELECT r.id, r.kind, COALESCE(r.task, r.flow) FROM runs r WHERE r.parent_id = ?
    UNION ALL
    SELECT c.id, c.kind, COALESCE(c.task, c.flow)
    FROM below b CROSS JOIN runs c WHERE c.parent_id = b.id AND b.kind = 'task'
)
SELECT u.kind, COALESCE(u.task, u.flow), d.kind, d.name, COUNT(*)
FROM (SELECT id, kind, name FROM below LIMIT ?) d CROSS JOIN edges e CROSS JOIN runs u
WHERE e.downstream_id = d.id AND u.id = e.upstream_id
GROUP BY u.kind, COALESCE(u.task, u.flow), d.kind, d.name
ORDER BY u.kind, COALESCE(u.task, u.flow), d.kind, d.name LIMIT ?

-- name: graph_edges postgres
-- Row by row (OFFSET 0 keeps it so): a plan made before the tables are known to have grown would take minutes.
WITH RECURSIVE below (id, kind, name) AS (
    SELECT r.id, r.kind, COALESCE(r.task, r.flow) FROM runs r WHERE r.parent_id = ?
    UNION ALL
    SELECT c.id, c.kind, COALESCE(c.task, c.flow)
    FROM below b CROSS JOIN runs c WHERE c.parent_id = b.id AND b.kind = 'task'
)
SELECT u.kind, u.name, d.kind, d.name, COUNT(*)
FROM (SELECT id, kind, name FROM below LIMIT ?) d
CROSS JOIN LATERAL (SELECT e.upstream_id FROM edges e WHERE e.downstream_id = d.id OFFSET 0) e
CROSS JOIN LATERAL (SELECT r.kind, COALESCE(r.task, r.flow) AS name FROM runs r WHERE r.id = e.upstream_id OFFSET 0) u
GROUP BY u.kind, u.name, d.kind, d.name ORDER BY u.kind, u.name, d.kind, d.name LIMIT ?
