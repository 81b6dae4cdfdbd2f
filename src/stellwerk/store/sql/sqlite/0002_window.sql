-- What pages ask: root runs by state, the runs of a flow, and filters over root runs. All of these indexes are partial,
-- so that task runs cost nothing.

-- In place of the first one: what root runs are filtered by stands in the index, so that only those that match are
-- fetched.
DROP INDEX runs_roots;
CREATE INDEX runs_roots ON runs (project, seq, kind, state, flow, created_at, started_at, ended_at, name, tags)
    WHERE parent_id IS NULL;
CREATE INDEX runs_roots_by_state ON runs (project, state, seq) WHERE parent_id IS NULL;
CREATE INDEX runs_of_flow ON runs (project, flow, seq) WHERE kind = 'flow';
CREATE INDEX counters_of_flow ON counters (project, flow, kind, state);
