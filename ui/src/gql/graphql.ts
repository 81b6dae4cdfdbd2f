/* eslint-disable */
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';
/** A comparison; all that is said must hold. An absent value fits none but _is_null. */
export type Float_Comparison_Exp = {
  /** Is equal to. */
  _eq?: number | null | undefined;
  /** Is greater than; texts are compared by code point. */
  _gt?: number | null | undefined;
  /** Is greater than or equal to. */
  _gte?: number | null | undefined;
  /** Is one of. */
  _in?: Array<number> | null | undefined;
  /** Is absent (true) or there (false). */
  _is_null?: boolean | null | undefined;
  /** Is less than. */
  _lt?: number | null | undefined;
  /** Is less than or equal to. */
  _lte?: number | null | undefined;
  /** Is there and not equal to. */
  _neq?: number | null | undefined;
  /** Is there and none of. */
  _nin?: Array<number> | null | undefined;
};

/** A comparison; all that is said must hold. An absent value fits none but _is_null. */
export type String_Array_Comparison_Exp = {
  /** Has all of these. */
  _contains?: Array<string> | null | undefined;
};

/** A comparison; all that is said must hold. An absent value fits none but _is_null. */
export type String_Comparison_Exp = {
  /** Is equal to. */
  _eq?: string | null | undefined;
  /** Is greater than; texts are compared by code point. */
  _gt?: string | null | undefined;
  /** Is greater than or equal to. */
  _gte?: string | null | undefined;
  /** Matches a pattern as _like does, whether letters from A to Z are capital or small. */
  _ilike?: string | null | undefined;
  /** Is one of. */
  _in?: Array<string> | null | undefined;
  /** Is absent (true) or there (false). */
  _is_null?: boolean | null | undefined;
  /** Matches a pattern: % stands for any text, _ for any character, \% and \_ for themselves. */
  _like?: string | null | undefined;
  /** Is less than. */
  _lt?: string | null | undefined;
  /** Is less than or equal to. */
  _lte?: string | null | undefined;
  /** Is there and not equal to. */
  _neq?: string | null | undefined;
  /** Is there and none of. */
  _nin?: Array<string> | null | undefined;
};

/** A condition on attempts; all that is said must hold. */
export type Attempts_Bool_Exp = {
  /** All of these hold. */
  _and?: Array<Attempts_Bool_Exp> | null | undefined;
  /** This does not hold. */
  _not?: Attempts_Bool_Exp | null | undefined;
  /** At least one of these holds. */
  _or?: Array<Attempts_Bool_Exp> | null | undefined;
  /** Why it did not complete. */
  cause?: String_Comparison_Exp | null | undefined;
  /** When it ended; null while it has not. */
  ended_at?: Timestamptz_Comparison_Exp | null | undefined;
  /** The exception: {type, message, traceback}, or null. */
  error?: Json_Comparison_Exp | null | undefined;
  /** What the cause was told by. */
  evidence?: String_Comparison_Exp | null | undefined;
  /** A word that explains the state. */
  label?: String_Comparison_Exp | null | undefined;
  /** Which try it was, from 1. */
  number?: Bigint_Comparison_Exp | null | undefined;
  /** The run. */
  run?: Runs_Bool_Exp | null | undefined;
  /** The run that was tried. */
  run_id?: Uuid_Comparison_Exp | null | undefined;
  /** When it began. */
  started_at?: Timestamptz_Comparison_Exp | null | undefined;
  /** running; completed, failed, crashed, cancelled, skipped, suspended. */
  state?: String_Comparison_Exp | null | undefined;
};

/** A comparison; all that is said must hold. An absent value fits none but _is_null. */
export type Bigint_Comparison_Exp = {
  /** Is equal to. */
  _eq?: number | string | null | undefined;
  /** Is greater than; texts are compared by code point. */
  _gt?: number | string | null | undefined;
  /** Is greater than or equal to. */
  _gte?: number | string | null | undefined;
  /** Is one of. */
  _in?: Array<number | string> | null | undefined;
  /** Is absent (true) or there (false). */
  _is_null?: boolean | null | undefined;
  /** Is less than. */
  _lt?: number | string | null | undefined;
  /** Is less than or equal to. */
  _lte?: number | string | null | undefined;
  /** Is there and not equal to. */
  _neq?: number | string | null | undefined;
  /** Is there and none of. */
  _nin?: Array<number | string> | null | undefined;
};

/** A condition on flows; all that is said must hold. */
export type Flows_Bool_Exp = {
  /** All of these hold. */
  _and?: Array<Flows_Bool_Exp> | null | undefined;
  /** This does not hold. */
  _not?: Flows_Bool_Exp | null | undefined;
  /** At least one of these holds. */
  _or?: Array<Flows_Bool_Exp> | null | undefined;
  /** When its first recorded run was called. */
  first_seen_at?: Timestamptz_Comparison_Exp | null | undefined;
  /** When its latest run was called. */
  last_run_at?: Timestamptz_Comparison_Exp | null | undefined;
  /** Its name. */
  name?: String_Comparison_Exp | null | undefined;
  /** How many runs it has had. */
  run_count?: Bigint_Comparison_Exp | null | undefined;
  /** At least one of these: Its flow runs, newest first. */
  runs?: Runs_Bool_Exp | null | undefined;
};

/** One column of flows and its direction. */
export type Flows_Order_By = {
  /** When its first recorded run was called. */
  first_seen_at?: Order_By | null | undefined;
  /** When its latest run was called. */
  last_run_at?: Order_By | null | undefined;
  /** Its name. */
  name?: Order_By | null | undefined;
  /** How many runs it has had. */
  run_count?: Order_By | null | undefined;
};

/** A comparison; all that is said must hold. An absent value fits none but _is_null. */
export type Hex_Comparison_Exp = {
  /** Is equal to. */
  _eq?: string | null | undefined;
  /** Is one of. */
  _in?: Array<string> | null | undefined;
  /** Is absent (true) or there (false). */
  _is_null?: boolean | null | undefined;
  /** Is there and not equal to. */
  _neq?: string | null | undefined;
  /** Is there and none of. */
  _nin?: Array<string> | null | undefined;
};

/** A comparison; all that is said must hold. An absent value fits none but _is_null. */
export type Json_Comparison_Exp = {
  /** Is absent (true) or there (false). */
  _is_null?: boolean | null | undefined;
};

/** A condition on logs; all that is said must hold. */
export type Logs_Bool_Exp = {
  /** All of these hold. */
  _and?: Array<Logs_Bool_Exp> | null | undefined;
  /** This does not hold. */
  _not?: Logs_Bool_Exp | null | undefined;
  /** At least one of these holds. */
  _or?: Array<Logs_Bool_Exp> | null | undefined;
  /** When it was logged. */
  at?: Timestamptz_Comparison_Exp | null | undefined;
  /** The number of the attempt that logged it. */
  attempt?: Bigint_Comparison_Exp | null | undefined;
  /** DEBUG, INFO, WARNING, ERROR, CRITICAL; or the number of another level. */
  level?: String_Comparison_Exp | null | undefined;
  /** The level as Python's logging numbers it: 10, 20, 30, 40, 50. */
  level_number?: Bigint_Comparison_Exp | null | undefined;
  /** The name of the logger. */
  logger?: String_Comparison_Exp | null | undefined;
  /** The line. */
  message?: String_Comparison_Exp | null | undefined;
  /** Its number among the lines of the root run, from 1. */
  n?: Bigint_Comparison_Exp | null | undefined;
  /** The run whose process owns that run. */
  root_id?: Uuid_Comparison_Exp | null | undefined;
  /** The run. */
  run?: Runs_Bool_Exp | null | undefined;
  /** The run that logged it. */
  run_id?: Uuid_Comparison_Exp | null | undefined;
};

/** A direction. */
export type Order_By =
  /** Ascending; absent values last. */
  | 'asc'
  /** Descending; absent values last. */
  | 'desc';

/** A condition on runs; all that is said must hold. */
export type Runs_Bool_Exp = {
  /** All of these hold. */
  _and?: Array<Runs_Bool_Exp> | null | undefined;
  /** This does not hold. */
  _not?: Runs_Bool_Exp | null | undefined;
  /** At least one of these holds. */
  _or?: Array<Runs_Bool_Exp> | null | undefined;
  /** How often it was tried so far. */
  attempt_count?: Bigint_Comparison_Exp | null | undefined;
  /** At least one of these: Each try of it, in order. */
  attempts?: Attempts_Bool_Exp | null | undefined;
  /** What identifies the call; null when it cannot be matched. Hexadecimal. */
  call_key?: Hex_Comparison_Exp | null | undefined;
  /** Why it did not complete: user_error, timeout, cancelled, oom, lease_lost … */
  cause?: String_Comparison_Exp | null | undefined;
  /** At least one of these: The runs that it called, in the order in which they were recorded. */
  children?: Runs_Bool_Exp | null | undefined;
  /** What identifies its code. Hexadecimal. */
  code_hash?: Hex_Comparison_Exp | null | undefined;
  /** When it was called. */
  created_at?: Timestamptz_Comparison_Exp | null | undefined;
  /** At least one of these: The runs that were given its result. */
  downstream?: Runs_Bool_Exp | null | undefined;
  /** The earliest moment of its next attempt. */
  due_at?: Timestamptz_Comparison_Exp | null | undefined;
  /** From its first attempt's beginning to its end, or so far. */
  duration_seconds?: Float_Comparison_Exp | null | undefined;
  /** When it ended; null while it has not. */
  ended_at?: Timestamptz_Comparison_Exp | null | undefined;
  /** The exception: {type, message, traceback}, or null. */
  error?: Json_Comparison_Exp | null | undefined;
  /** What the cause was told by. */
  evidence?: String_Comparison_Exp | null | undefined;
  /** The flow; of a task run, the calling one. */
  flow?: Flows_Bool_Exp | null | undefined;
  /** The flow; of a task run, the calling one. */
  flow_name?: String_Comparison_Exp | null | undefined;
  /** Its identity; identities are in order of creation. */
  id?: Uuid_Comparison_Exp | null | undefined;
  /** Its place in its map; null for other runs. */
  index?: Bigint_Comparison_Exp | null | undefined;
  /** flow or task. */
  kind?: String_Comparison_Exp | null | undefined;
  /** A word that explains the state and never drives anything: AwaitingRetry, Cached … */
  label?: String_Comparison_Exp | null | undefined;
  /** At least one of these: The lines that it and everything below it logged, in the order in which they were logged. */
  logs?: Logs_Bool_Exp | null | undefined;
  /** The name that people know it by: brave-otter, or clean-3. */
  name?: String_Comparison_Exp | null | undefined;
  /** The run that called it. */
  parent?: Runs_Bool_Exp | null | undefined;
  /** The run that called it; null for a root run. */
  parent_id?: Uuid_Comparison_Exp | null | undefined;
  /** The first 1 KiB of its result as text. */
  result_preview?: String_Comparison_Exp | null | undefined;
  /** The size of its recorded result. */
  result_size_bytes?: Bigint_Comparison_Exp | null | undefined;
  /** The run whose process owns it. */
  root?: Runs_Bool_Exp | null | undefined;
  /** The run whose process owns it; its own identity for a root run. */
  root_id?: Uuid_Comparison_Exp | null | undefined;
  /** Its place in the order in which runs were first recorded. */
  seq?: Bigint_Comparison_Exp | null | undefined;
  /** The code that it ran. */
  source?: Sources_Bool_Exp | null | undefined;
  /** When its first attempt began. */
  started_at?: Timestamptz_Comparison_Exp | null | undefined;
  /** Where it stands: scheduled, pending, running, paused, cancelling; completed, failed, crashed, cancelled, skipped. */
  state?: String_Comparison_Exp | null | undefined;
  /** At least one of these: Its transitions, in order. */
  story?: Story_Bool_Exp | null | undefined;
  /** Its tags. */
  tags?: String_Array_Comparison_Exp | null | undefined;
  /** The task; null for a flow run. */
  task?: String_Comparison_Exp | null | undefined;
  /** At least one of these: The runs whose results it was given. */
  upstream?: Runs_Bool_Exp | null | undefined;
};

/** A condition on sources; all that is said must hold. */
export type Sources_Bool_Exp = {
  /** All of these hold. */
  _and?: Array<Sources_Bool_Exp> | null | undefined;
  /** This does not hold. */
  _not?: Sources_Bool_Exp | null | undefined;
  /** At least one of these holds. */
  _or?: Array<Sources_Bool_Exp> | null | undefined;
  /** The file that it stood in. */
  file?: String_Comparison_Exp | null | undefined;
  /** The qualified name of the function. */
  name?: String_Comparison_Exp | null | undefined;
  /** Its text. */
  text?: String_Comparison_Exp | null | undefined;
};

/** A condition on story; all that is said must hold. */
export type Story_Bool_Exp = {
  /** All of these hold. */
  _and?: Array<Story_Bool_Exp> | null | undefined;
  /** This does not hold. */
  _not?: Story_Bool_Exp | null | undefined;
  /** At least one of these holds. */
  _or?: Array<Story_Bool_Exp> | null | undefined;
  /** When it happened. */
  at?: Timestamptz_Comparison_Exp | null | undefined;
  /** What happened: submitted, granted, began, completed, failed, retried … */
  event?: String_Comparison_Exp | null | undefined;
  /** The state before; null for the first. */
  from_state?: String_Comparison_Exp | null | undefined;
  /** A word that explains the state after. */
  label?: String_Comparison_Exp | null | undefined;
  /** Its place in the run's story, from 1. */
  n?: Bigint_Comparison_Exp | null | undefined;
  /** The run. */
  run?: Runs_Bool_Exp | null | undefined;
  /** The run it happened to. */
  run_id?: Uuid_Comparison_Exp | null | undefined;
  /** The state after. */
  to_state?: String_Comparison_Exp | null | undefined;
};

/** A comparison; all that is said must hold. An absent value fits none but _is_null. */
export type Timestamptz_Comparison_Exp = {
  /** Is equal to. */
  _eq?: string | null | undefined;
  /** Is greater than; texts are compared by code point. */
  _gt?: string | null | undefined;
  /** Is greater than or equal to. */
  _gte?: string | null | undefined;
  /** Is one of. */
  _in?: Array<string> | null | undefined;
  /** Is absent (true) or there (false). */
  _is_null?: boolean | null | undefined;
  /** Is less than. */
  _lt?: string | null | undefined;
  /** Is less than or equal to. */
  _lte?: string | null | undefined;
  /** Is there and not equal to. */
  _neq?: string | null | undefined;
  /** Is there and none of. */
  _nin?: Array<string> | null | undefined;
};

/** A comparison; all that is said must hold. An absent value fits none but _is_null. */
export type Uuid_Comparison_Exp = {
  /** Is equal to. */
  _eq?: string | null | undefined;
  /** Is greater than; texts are compared by code point. */
  _gt?: string | null | undefined;
  /** Is greater than or equal to. */
  _gte?: string | null | undefined;
  /** Is one of. */
  _in?: Array<string> | null | undefined;
  /** Is absent (true) or there (false). */
  _is_null?: boolean | null | undefined;
  /** Is less than. */
  _lt?: string | null | undefined;
  /** Is less than or equal to. */
  _lte?: string | null | undefined;
  /** Is there and not equal to. */
  _neq?: string | null | undefined;
  /** Is there and none of. */
  _nin?: Array<string> | null | undefined;
};

export type UnderWayQueryVariables = Exact<{
  states: Array<string> | string;
}>;


export type UnderWayQuery = { runs_aggregate: { aggregate: { count: number } } };

export type FlowsQueryVariables = Exact<{
  where: Flows_Bool_Exp;
  order: Array<Flows_Order_By> | Flows_Order_By;
  limit: number;
}>;


export type FlowsQuery = { flows: Array<{ name: string, last_run_at: string | null, run_count: number | string, runs: Array<{ id: string, name: string, state: string, label: string | null, started_at: string | null, created_at: string, duration_seconds: number | null }> }>, flows_aggregate: { aggregate: { count: number } } };

export type RunFactsFragment = { id: string, seq: number | string, name: string, kind: string, flow_name: string | null, task: string | null, index: number | string | null, state: string, label: string | null, cause: string | null, evidence: string | null, error: unknown, parameters: unknown, tags: Array<string>, parent_id: string | null, root_id: string, created_at: string, due_at: string | null, started_at: string | null, ended_at: string | null, attempt_count: number | string, result_preview: string | null, result_size_bytes: number | string | null, code_hash: string | null, source: { name: string, file: string | null } | null, attempts: Array<{ number: number | string, state: string, label: string | null, cause: string | null, evidence: string | null, error: unknown, started_at: string | null, ended_at: string | null }> };

export type RunQueryVariables = Exact<{
  id: string;
}>;


export type RunQuery = { run: { id: string, seq: number | string, name: string, kind: string, flow_name: string | null, task: string | null, index: number | string | null, state: string, label: string | null, cause: string | null, evidence: string | null, error: unknown, parameters: unknown, tags: Array<string>, parent_id: string | null, root_id: string, created_at: string, due_at: string | null, started_at: string | null, ended_at: string | null, attempt_count: number | string, result_preview: string | null, result_size_bytes: number | string | null, code_hash: string | null, parent: { id: string, name: string, kind: string } | null, root: { id: string, name: string, kind: string } | null, upstream: Array<{ id: string, name: string, state: string, label: string | null }>, downstream: Array<{ id: string, name: string, state: string, label: string | null }>, source: { name: string, file: string | null } | null, attempts: Array<{ number: number | string, state: string, label: string | null, cause: string | null, evidence: string | null, error: unknown, started_at: string | null, ended_at: string | null }> } | null };

export type RunNeighboursQueryVariables = Exact<{
  before: Runs_Bool_Exp;
  after: Runs_Bool_Exp;
}>;


export type RunNeighboursQuery = { previous: Array<{ id: string, name: string, state: string }>, next: Array<{ id: string, name: string, state: string }> };

export type RunTroublesQueryVariables = Exact<{
  id: string;
}>;


export type RunTroublesQuery = { run: { children: Array<{ id: string, name: string, kind: string, state: string, label: string | null, error: unknown }> } | null };

export type RunStoryQueryVariables = Exact<{
  id: string;
}>;


export type RunStoryQuery = { run: { id: string, created_at: string, story: Array<{ n: number | string, at: string, event: string, from_state: string | null, to_state: string, label: string | null }> } | null };

export type RunBySeqQueryVariables = Exact<{
  seq: number | string;
}>;


export type RunBySeqQuery = { runs: Array<{ id: string, seq: number | string, name: string, kind: string, flow_name: string | null, task: string | null, index: number | string | null, state: string, label: string | null, cause: string | null, evidence: string | null, error: unknown, parameters: unknown, tags: Array<string>, parent_id: string | null, root_id: string, created_at: string, due_at: string | null, started_at: string | null, ended_at: string | null, attempt_count: number | string, result_preview: string | null, result_size_bytes: number | string | null, code_hash: string | null, parent: { id: string, name: string, kind: string } | null, source: { name: string, file: string | null } | null, attempts: Array<{ number: number | string, state: string, label: string | null, cause: string | null, evidence: string | null, error: unknown, started_at: string | null, ended_at: string | null }> }> };

export type TaskRowsQueryVariables = Exact<{
  seqs: Array<number | string> | number | string;
}>;


export type TaskRowsQuery = { runs: Array<{ id: string, seq: number | string, name: string, label: string | null, cause: string | null, evidence: string | null, error: unknown, result_preview: string | null }> };

export type RunRowFragment = { id: string, seq: number | string, name: string, kind: string, flow_name: string | null, state: string, label: string | null, tags: Array<string>, created_at: string, started_at: string | null, duration_seconds: number | null, tally: Array<{ state: string, count: number | string }> };

export type RunsListQueryVariables = Exact<{
  where: Runs_Bool_Exp;
  limit: number;
}>;


export type RunsListQuery = { runs: Array<{ id: string, seq: number | string, name: string, kind: string, flow_name: string | null, state: string, label: string | null, tags: Array<string>, created_at: string, started_at: string | null, duration_seconds: number | null, tally: Array<{ state: string, count: number | string }> }> };

export type RunsNewsQueryVariables = Exact<{
  newer: Runs_Bool_Exp;
  window: Runs_Bool_Exp;
  known: Runs_Bool_Exp;
  limit: number;
}>;


export type RunsNewsQuery = { newer: Array<{ id: string, seq: number | string, name: string, kind: string, flow_name: string | null, state: string, label: string | null, tags: Array<string>, created_at: string, started_at: string | null, duration_seconds: number | null, tally: Array<{ state: string, count: number | string }> }>, newer_count: { aggregate: { count: number } }, window: Array<{ id: string, seq: number | string, name: string, kind: string, flow_name: string | null, state: string, label: string | null, tags: Array<string>, created_at: string, started_at: string | null, duration_seconds: number | null, tally: Array<{ state: string, count: number | string }> }>, known: Array<{ id: string, seq: number | string, name: string, kind: string, flow_name: string | null, state: string, label: string | null, tags: Array<string>, created_at: string, started_at: string | null, duration_seconds: number | null, tally: Array<{ state: string, count: number | string }> }> };

export type RunsCountsQueryVariables = Exact<{
  scheduled: Runs_Bool_Exp;
  pending: Runs_Bool_Exp;
  running: Runs_Bool_Exp;
  paused: Runs_Bool_Exp;
  cancelling: Runs_Bool_Exp;
  completed: Runs_Bool_Exp;
  failed: Runs_Bool_Exp;
  crashed: Runs_Bool_Exp;
  cancelled: Runs_Bool_Exp;
  skipped: Runs_Bool_Exp;
}>;


export type RunsCountsQuery = { scheduled: { aggregate: { count: number } }, pending: { aggregate: { count: number } }, running: { aggregate: { count: number } }, paused: { aggregate: { count: number } }, cancelling: { aggregate: { count: number } }, completed: { aggregate: { count: number } }, failed: { aggregate: { count: number } }, crashed: { aggregate: { count: number } }, cancelled: { aggregate: { count: number } }, skipped: { aggregate: { count: number } } };

export type CountFragment = { aggregate: { count: number } };

export type FlowNamesQueryVariables = Exact<{ [key: string]: never; }>;


export type FlowNamesQuery = { flows: Array<{ name: string }> };

export type LogLinesQueryVariables = Exact<{
  id: string;
  where?: Logs_Bool_Exp | null | undefined;
  order: Order_By;
  limit: number;
}>;


export type LogLinesQuery = { run: { logs: Array<{ n: number | string, at: string, level: string, logger: string, message: string, run_id: string, attempt: number | string, run: { name: string } | null }> } | null };

export type LogMatchesQueryVariables = Exact<{
  id: string;
  where?: Logs_Bool_Exp | null | undefined;
  limit: number;
}>;


export type LogMatchesQuery = { run: { logs: Array<{ n: number | string }> } | null };

export class TypedDocumentString<TResult, TVariables>
  extends String
  implements DocumentTypeDecoration<TResult, TVariables>
{
  __apiType?: NonNullable<DocumentTypeDecoration<TResult, TVariables>['__apiType']>;
  private value: string;
  public __meta__?: Record<string, any> | undefined;

  constructor(value: string, __meta__?: Record<string, any> | undefined) {
    super(value);
    this.value = value;
    this.__meta__ = __meta__;
  }

  override toString(): string & DocumentTypeDecoration<TResult, TVariables> {
    return this.value;
  }
}
export const RunFactsFragmentDoc = new TypedDocumentString(`
    fragment RunFacts on runs {
  id
  seq
  name
  kind
  flow_name
  task
  index
  state
  label
  cause
  evidence
  error
  parameters
  tags
  parent_id
  root_id
  created_at
  due_at
  started_at
  ended_at
  attempt_count
  result_preview
  result_size_bytes
  code_hash
  source {
    name
    file
  }
  attempts(order_by: [{number: asc}], limit: 100) {
    number
    state
    label
    cause
    evidence
    error
    started_at
    ended_at
  }
}
    `, {"fragmentName":"RunFacts"}) as unknown as TypedDocumentString<RunFactsFragment, unknown>;
export const RunRowFragmentDoc = new TypedDocumentString(`
    fragment RunRow on runs {
  id
  seq
  name
  kind
  flow_name
  state
  label
  tags
  created_at
  started_at
  duration_seconds
  tally {
    state
    count
  }
}
    `, {"fragmentName":"RunRow"}) as unknown as TypedDocumentString<RunRowFragment, unknown>;
export const CountFragmentDoc = new TypedDocumentString(`
    fragment Count on runs_aggregate {
  aggregate {
    count
  }
}
    `, {"fragmentName":"Count"}) as unknown as TypedDocumentString<CountFragment, unknown>;
export const UnderWayDocument = new TypedDocumentString(`
    query UnderWay($states: [String!]!) {
  runs_aggregate(
    where: {kind: {_eq: "flow"}, parent_id: {_is_null: true}, state: {_in: $states}}
  ) {
    aggregate {
      count
    }
  }
}
    `) as unknown as TypedDocumentString<UnderWayQuery, UnderWayQueryVariables>;
export const FlowsDocument = new TypedDocumentString(`
    query Flows($where: flows_bool_exp!, $order: [flows_order_by!]!, $limit: Int!) {
  flows(where: $where, order_by: $order, limit: $limit) {
    name
    last_run_at
    run_count
    runs(limit: 20, order_by: [{seq: desc}]) {
      id
      name
      state
      label
      started_at
      created_at
      duration_seconds
    }
  }
  flows_aggregate(where: $where) {
    aggregate {
      count
    }
  }
}
    `) as unknown as TypedDocumentString<FlowsQuery, FlowsQueryVariables>;
export const RunDocument = new TypedDocumentString(`
    query Run($id: uuid!) {
  run(id: $id) {
    ...RunFacts
    parent {
      id
      name
      kind
    }
    root {
      id
      name
      kind
    }
    upstream(limit: 20) {
      id
      name
      state
      label
    }
    downstream(limit: 20) {
      id
      name
      state
      label
    }
  }
}
    fragment RunFacts on runs {
  id
  seq
  name
  kind
  flow_name
  task
  index
  state
  label
  cause
  evidence
  error
  parameters
  tags
  parent_id
  root_id
  created_at
  due_at
  started_at
  ended_at
  attempt_count
  result_preview
  result_size_bytes
  code_hash
  source {
    name
    file
  }
  attempts(order_by: [{number: asc}], limit: 100) {
    number
    state
    label
    cause
    evidence
    error
    started_at
    ended_at
  }
}`) as unknown as TypedDocumentString<RunQuery, RunQueryVariables>;
export const RunNeighboursDocument = new TypedDocumentString(`
    query RunNeighbours($before: runs_bool_exp!, $after: runs_bool_exp!) {
  previous: runs(where: $before, order_by: [{seq: desc}], limit: 1) {
    id
    name
    state
  }
  next: runs(where: $after, order_by: [{seq: asc}], limit: 1) {
    id
    name
    state
  }
}
    `) as unknown as TypedDocumentString<RunNeighboursQuery, RunNeighboursQueryVariables>;
export const RunTroublesDocument = new TypedDocumentString(`
    query RunTroubles($id: uuid!) {
  run(id: $id) {
    children(
      where: {state: {_in: ["failed", "crashed"]}}
      order_by: [{ended_at: asc}]
      limit: 20
    ) {
      id
      name
      kind
      state
      label
      error
    }
  }
}
    `) as unknown as TypedDocumentString<RunTroublesQuery, RunTroublesQueryVariables>;
export const RunStoryDocument = new TypedDocumentString(`
    query RunStory($id: uuid!) {
  run(id: $id) {
    id
    created_at
    story(order_by: [{n: asc}], limit: 1000) {
      n
      at
      event
      from_state
      to_state
      label
    }
  }
}
    `) as unknown as TypedDocumentString<RunStoryQuery, RunStoryQueryVariables>;
export const RunBySeqDocument = new TypedDocumentString(`
    query RunBySeq($seq: bigint!) {
  runs(where: {seq: {_eq: $seq}}, limit: 1) {
    ...RunFacts
    parent {
      id
      name
      kind
    }
  }
}
    fragment RunFacts on runs {
  id
  seq
  name
  kind
  flow_name
  task
  index
  state
  label
  cause
  evidence
  error
  parameters
  tags
  parent_id
  root_id
  created_at
  due_at
  started_at
  ended_at
  attempt_count
  result_preview
  result_size_bytes
  code_hash
  source {
    name
    file
  }
  attempts(order_by: [{number: asc}], limit: 100) {
    number
    state
    label
    cause
    evidence
    error
    started_at
    ended_at
  }
}`) as unknown as TypedDocumentString<RunBySeqQuery, RunBySeqQueryVariables>;
export const TaskRowsDocument = new TypedDocumentString(`
    query TaskRows($seqs: [bigint!]!) {
  runs(where: {seq: {_in: $seqs}}, limit: 200) {
    id
    seq
    name
    label
    cause
    evidence
    error
    result_preview
  }
}
    `) as unknown as TypedDocumentString<TaskRowsQuery, TaskRowsQueryVariables>;
export const RunsListDocument = new TypedDocumentString(`
    query RunsList($where: runs_bool_exp!, $limit: Int!) {
  runs(where: $where, order_by: [{seq: desc}], limit: $limit) {
    ...RunRow
  }
}
    fragment RunRow on runs {
  id
  seq
  name
  kind
  flow_name
  state
  label
  tags
  created_at
  started_at
  duration_seconds
  tally {
    state
    count
  }
}`) as unknown as TypedDocumentString<RunsListQuery, RunsListQueryVariables>;
export const RunsNewsDocument = new TypedDocumentString(`
    query RunsNews($newer: runs_bool_exp!, $window: runs_bool_exp!, $known: runs_bool_exp!, $limit: Int!) {
  newer: runs(where: $newer, order_by: [{seq: desc}], limit: $limit) {
    ...RunRow
  }
  newer_count: runs_aggregate(where: $newer) {
    aggregate {
      count
    }
  }
  window: runs(where: $window, order_by: [{seq: desc}], limit: 1000) {
    ...RunRow
  }
  known: runs(where: $known, order_by: [{seq: desc}], limit: 1000) {
    ...RunRow
  }
}
    fragment RunRow on runs {
  id
  seq
  name
  kind
  flow_name
  state
  label
  tags
  created_at
  started_at
  duration_seconds
  tally {
    state
    count
  }
}`) as unknown as TypedDocumentString<RunsNewsQuery, RunsNewsQueryVariables>;
export const RunsCountsDocument = new TypedDocumentString(`
    query RunsCounts($scheduled: runs_bool_exp!, $pending: runs_bool_exp!, $running: runs_bool_exp!, $paused: runs_bool_exp!, $cancelling: runs_bool_exp!, $completed: runs_bool_exp!, $failed: runs_bool_exp!, $crashed: runs_bool_exp!, $cancelled: runs_bool_exp!, $skipped: runs_bool_exp!) {
  scheduled: runs_aggregate(where: $scheduled) {
    ...Count
  }
  pending: runs_aggregate(where: $pending) {
    ...Count
  }
  running: runs_aggregate(where: $running) {
    ...Count
  }
  paused: runs_aggregate(where: $paused) {
    ...Count
  }
  cancelling: runs_aggregate(where: $cancelling) {
    ...Count
  }
  completed: runs_aggregate(where: $completed) {
    ...Count
  }
  failed: runs_aggregate(where: $failed) {
    ...Count
  }
  crashed: runs_aggregate(where: $crashed) {
    ...Count
  }
  cancelled: runs_aggregate(where: $cancelled) {
    ...Count
  }
  skipped: runs_aggregate(where: $skipped) {
    ...Count
  }
}
    fragment Count on runs_aggregate {
  aggregate {
    count
  }
}`) as unknown as TypedDocumentString<RunsCountsQuery, RunsCountsQueryVariables>;
export const FlowNamesDocument = new TypedDocumentString(`
    query FlowNames {
  flows(order_by: [{last_run_at: desc}], limit: 1000) {
    name
  }
}
    `) as unknown as TypedDocumentString<FlowNamesQuery, FlowNamesQueryVariables>;
export const LogLinesDocument = new TypedDocumentString(`
    query LogLines($id: uuid!, $where: logs_bool_exp, $order: order_by!, $limit: Int!) {
  run(id: $id) {
    logs(where: $where, order_by: [{n: $order}], limit: $limit) {
      n
      at
      level
      logger
      message
      run_id
      attempt
      run {
        name
      }
    }
  }
}
    `) as unknown as TypedDocumentString<LogLinesQuery, LogLinesQueryVariables>;
export const LogMatchesDocument = new TypedDocumentString(`
    query LogMatches($id: uuid!, $where: logs_bool_exp, $limit: Int!) {
  run(id: $id) {
    logs(where: $where, order_by: [{n: asc}], limit: $limit) {
      n
    }
  }
}
    `) as unknown as TypedDocumentString<LogMatchesQuery, LogMatchesQueryVariables>;