-- What pages ask: root runs by state, the runs of a flow, and filters over root runs. All of these indexes are partial,
-- so that task runs cost nothing. (Tags are not in one, unlike SQLite's: a row of an index has at most 2,704 bytes.)
DROP INDEX runs_roots;
CREATE INDEX runs_roots ON runs (project, seq, kind, state, created_at, started_at, ended_at) WHERE parent_id IS NULL;
CREATE INDEX runs_roots_by_state ON runs (project, state, seq) WHERE parent_id IS NULL;
CREATE INDEX runs_of_flow ON runs (project, flow, seq) WHERE kind = 'flow';
CREATE INDEX counters_of_flow ON counters (project, flow, kind, state);

-- A text if it is JSON, else NULL: what a client sent may be anything.
CREATE FUNCTION json_or_null(given TEXT) RETURNS TEXT LANGUAGE plpgsql STABLE STRICT AS $$
BEGIN
    PERFORM given::json;
    RETURN given;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$$;
