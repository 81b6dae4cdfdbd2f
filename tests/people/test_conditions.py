"""What depends on what: run_when, skipping, failed upstream, and which failures fail the flow."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from stellwerk import (
    Future,
    Skip,
    State,
    UpstreamFailed,
    allow_failure,
    at_least,
    flow,
    task,
    wait,
)
from stellwerk.testing import Recorded


@task
def works(value: Any = "value") -> Any:
    return value


@task
def fails(text: str = "broken") -> None:
    raise ValueError(text)


@task
def skips(why: str = "not today") -> None:
    raise Skip(why)


@task
def after(*values: Any) -> list[str]:
    return [type(value).__name__ for value in values]


MAKERS = {"w": works, "f": fails, "s": skips}


def _upstream(kinds: str) -> list[Future[Any]]:
    futures = [MAKERS[kind].submit() for kind in kinds]
    wait(futures)
    return futures


@pytest.mark.parametrize(
    ("run_when", "kinds", "state", "label"),
    [
        ("all_succeeded", "", "completed", None),
        ("all_succeeded", "ww", "completed", None),
        ("all_succeeded", "wf", "failed", "UpstreamFailed"),
        ("all_succeeded", "sf", "failed", "UpstreamFailed"),
        ("all_succeeded", "ws", "skipped", "UpstreamSkipped"),
        ("all_finished", "wfs", "completed", None),
        ("any_failed", "wf", "completed", None),
        ("any_failed", "ws", "skipped", "ConditionUnmet"),
        ("any_failed", "", "completed", None),
        ("any_succeeded", "wf", "completed", None),
        ("any_succeeded", "sf", "skipped", "ConditionUnmet"),
        ("all_failed", "ff", "completed", None),
        ("all_failed", "fw", "skipped", "ConditionUnmet"),
        ("all_failed", "fs", "skipped", "ConditionUnmet"),
        (at_least(2), "wwf", "completed", None),
        (at_least(2), "wfs", "skipped", "ConditionUnmet"),
    ],
)
@pytest.mark.parametrize("is_argument", [True, False])
@pytest.mark.parametrize("is_direct", [True, False])
def test_run_when(
    recorded: Recorded, run_when: str, kinds: str, state: str, label: str | None, is_argument: bool, is_direct: bool
) -> None:
    conditional = after.with_options(run_when=run_when)

    @flow
    def pipeline() -> None:
        futures = _upstream(kinds)
        for future in futures:
            future.result(raise_on_failure=False)
        if is_direct and is_argument:
            try:
                conditional(*futures)
            except (UpstreamFailed, Skip):
                pass
            return
        future = conditional.submit(*futures) if is_argument else conditional.submit(wait_for=futures)
        future.result(raise_on_failure=False)
        assert (future.state.name, future.state.label or None) == (state, label)

    pipeline()
    run = recorded.run(task="after")
    assert (run["state"], run["label"]) == (state, label)
    if state == "completed":
        assert len(run["attempts"]) == 1
    else:
        assert run["attempts"] == []
        assert run["cause"] is None


def test_permissive_condition_reads_failures_and_skips(recorded: Recorded) -> None:
    @task(run_when="all_finished")
    def report(one: Any, two: Any, three: Any) -> list[str]:
        return [repr(value) for value in (one, two, three)]

    @flow
    def pipeline() -> list[str]:
        return report.submit(works.submit(), fails.submit(), skips.submit()).result()

    assert pipeline() == ["'value'", "ValueError('broken')", "Skip('not today')"]
    assert recorded.run(kind="flow")["state"] == "completed", "report took the failure"


def test_condition_is_decided_as_soon_as_it_is_sure(recorded: Recorded) -> None:
    go = threading.Event()

    @task
    def slow() -> None:
        go.wait(30)

    @flow
    def pipeline() -> None:
        late = slow.submit()
        quick = after.with_options(run_when="any_succeeded").submit(wait_for=[late, works.submit()])
        assert quick.result() == []
        unmet = after.with_options(run_when="all_failed").submit(wait_for=[late, works.submit()])
        assert unmet.wait()
        assert unmet.state == "skipped"
        assert not late.done()
        go.set()

    pipeline()


def test_unfinished_argument_is_waited_for_whatever_the_condition(recorded: Recorded) -> None:
    go = threading.Event()

    @task
    def slow() -> str:
        go.wait(30)
        return "late"

    @task(run_when="any_succeeded")
    def both(one: str, two: str) -> list[str]:
        return [one, two]

    @flow
    def pipeline() -> list[str]:
        late = slow.submit()
        future = both.submit(works.submit("quick"), late, wait_for=[late])
        assert not future.wait(0.02)
        go.set()
        return future.result()

    assert pipeline() == ["quick", "late"]


def test_dependant_that_many_upstreams_end_at_once_runs_once(recorded: Recorded) -> None:
    calls = []

    @task
    def gather(values: list[int]) -> int:
        calls.append(1)
        return sum(values)

    @flow
    def pipeline() -> int:
        futures = [gather.submit([works.submit(i) for i in range(20)]) for _ in range(20)]
        return sum(future.result() for future in futures)

    assert pipeline() == 20 * 190
    assert len(calls) == 20


# ── skips ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_skip_is_raised_by_result_and_is_no_failure(recorded: Recorded) -> None:
    @flow
    def pipeline() -> State:
        future = skips.submit("holiday")
        with pytest.raises(Skip, match="holiday"):
            future.result()
        assert isinstance(future.result(raise_on_failure=False), Skip)
        skips.submit("unseen")
        return future.state

    assert pipeline() == "skipped"
    run = recorded.runs(task="skips")[0]
    assert (run["state"], run["cause"]) == ("skipped", None)
    assert recorded.run(kind="flow")["state"] == "completed"


def test_skip_reason_is_recorded(recorded: Recorded) -> None:
    @flow
    def pipeline() -> None:
        skips.submit("holiday")

    pipeline()
    run = recorded.run(task="skips")
    assert "holiday" in str(run["error"])


def test_skipping_goes_down_a_chain(recorded: Recorded) -> None:
    @flow
    def pipeline() -> list[str]:
        first = after.submit(skips.submit())
        second = after.submit(first)
        third = after.with_options(run_when="all_finished", name="last").submit(second)
        assert third.result() == ["Skip"]
        return [future.state.name for future in (first, second)]

    assert pipeline() == ["skipped", "skipped"]
    assert [run["label"] for run in recorded.runs(task="after")] == ["UpstreamSkipped"] * 2


def test_direct_call_of_a_skipping_task(recorded: Recorded) -> None:
    @flow
    def pipeline() -> str:
        try:
            skips()
        except Skip as skip:
            return str(skip)
        return ""

    @flow
    def skipped() -> None:
        skips()

    assert pipeline() == "not today"
    with pytest.raises(Skip):
        skipped()
    assert recorded.run(flow="skipped", kind="flow")["state"] == "skipped"


# ── failures ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_upstream_failure_names_the_first_exception(recorded: Recorded) -> None:
    @flow
    def pipeline() -> None:
        first = fails.submit("root of it")
        last = after.submit(after.submit(after.submit(first)))
        with pytest.raises(UpstreamFailed, match="root of it") as told:
            last.result()
        assert isinstance(told.value.__cause__, ValueError)
        assert last.state.label == "UpstreamFailed"

    pipeline()
    assert recorded.run(kind="flow")["state"] == "completed", "handling the last handles those above"
    runs = recorded.runs(task="after")
    assert [(run["state"], run["label"], run["cause"], run["attempts"]) for run in runs] == [
        ("failed", "UpstreamFailed", None, [])
    ] * 3
    assert runs[0]["error"]["type"].endswith("UpstreamFailed")


def test_upstream_failure_counts_as_failed_for_others(recorded: Recorded) -> None:
    @flow
    def pipeline() -> list[str]:
        middle = after.submit(fails.submit())
        return after.with_options(run_when="all_failed").submit(middle).result()

    assert pipeline() == ["UpstreamFailed"]
    assert recorded.run(kind="flow")["state"] == "completed"


def test_unhandled_failure_fails_the_flow_with_its_exception(recorded: Recorded) -> None:
    @flow
    def pipeline() -> str:
        fails.submit("nobody looked")
        return "value"

    with pytest.raises(ValueError, match="nobody looked"):
        pipeline()
    run = recorded.run(kind="flow")
    assert (run["state"], run["cause"]) == ("failed", "user_error")
    assert run["result"] is None


def test_unhandled_chain_raises_the_first_exception_not_its_consequence(recorded: Recorded) -> None:
    @flow
    def pipeline() -> None:
        after.submit(after.submit(fails.submit("cause")))

    with pytest.raises(ValueError, match="cause"):
        pipeline()


def _catch(future: Future[Any]) -> None:
    try:
        future.result()
    except ValueError:
        pass


def _read_state(future: Future[Any]) -> None:
    assert future.wait()
    assert future.state != "completed"


def _ask_for_it(future: Future[Any]) -> None:
    future.result(raise_on_failure=False)


def _allow(future: Future[Any]) -> None:
    assert after(allow_failure(future)) == ["ValueError"]


def _allow_submitted(future: Future[Any]) -> None:
    after.submit([allow_failure(future)])


def _allow_without_data(future: Future[Any]) -> None:
    after.submit(wait_for=[allow_failure(future)])


def _take_by_condition(future: Future[Any]) -> None:
    after.with_options(run_when="any_failed").submit(future)


def _take_without_data(future: Future[Any]) -> None:
    after.with_options(run_when="all_finished").submit(wait_for=[future])


def _handle_the_last_of_a_chain(future: Future[Any]) -> None:
    after.submit(after.submit(future)).result(raise_on_failure=False)


def _take_the_last_of_a_chain(future: Future[Any]) -> None:
    after.submit(allow_failure(after.submit(future)))


@pytest.mark.parametrize(
    "handle",
    [
        _catch,
        _read_state,
        _ask_for_it,
        _allow,
        _allow_submitted,
        _allow_without_data,
        _take_by_condition,
        _take_without_data,
        _handle_the_last_of_a_chain,
        _take_the_last_of_a_chain,
    ],
)
def test_handled_failure_does_not_fail_the_flow(recorded: Recorded, handle: Any) -> None:
    @flow
    def pipeline() -> str:
        handle(fails.submit())
        return "went on"

    assert pipeline() == "went on"
    assert recorded.run(kind="flow")["state"] == "completed"
    assert recorded.run(task="fails")["state"] == "failed"


def _only_wait(future: Future[Any]) -> None:
    future.wait()
    assert future.done()
    repr(future)
    wait([future])


def _state_too_early(future: Future[Any]) -> None:
    pass


def _need_it(future: Future[Any]) -> None:
    after.submit(future)


def _wait_for_it(future: Future[Any]) -> None:
    after.submit(wait_for=[future])


def _condition_that_does_not_hold(future: Future[Any]) -> None:
    after.with_options(run_when="any_succeeded").submit(future)


@pytest.mark.parametrize(
    "handle", [_only_wait, _state_too_early, _need_it, _wait_for_it, _condition_that_does_not_hold]
)
def test_failure_that_nobody_took_fails_the_flow(recorded: Recorded, handle: Any) -> None:
    @flow
    def pipeline() -> str:
        handle(fails.submit("unhandled"))
        return "went on"

    with pytest.raises(ValueError, match="unhandled"):
        pipeline()
    assert recorded.run(kind="flow")["state"] == "failed"


def test_allowed_skip_gives_the_skip(recorded: Recorded) -> None:
    @flow
    def pipeline() -> list[str]:
        return after.submit(allow_failure(skips.submit()), works.submit()).result()

    assert pipeline() == ["Skip", "str"]


def test_allowing_one_does_not_allow_the_other(recorded: Recorded) -> None:
    @flow
    def pipeline() -> None:
        bad, worse = fails.submit("bad"), fails.submit("worse")
        future = after.submit(allow_failure(bad), worse)
        with pytest.raises(UpstreamFailed, match="worse"):
            future.result()

    pipeline()
    assert recorded.run(task="after")["label"] == "UpstreamFailed"


def test_direct_call_that_fails_can_be_caught(recorded: Recorded) -> None:
    @flow
    def pipeline() -> str:
        try:
            fails()
        except ValueError as problem:
            return str(problem)
        return ""

    @flow
    def lets_it_through() -> None:
        fails()

    assert pipeline() == "broken"
    with pytest.raises(ValueError, match="broken"):
        lets_it_through()
    states = [run["state"] for run in recorded.runs(kind="flow")]
    assert states == ["completed", "failed"]


def test_failing_flow_waits_for_what_it_submitted(recorded: Recorded) -> None:
    done = []

    @task
    def slow() -> None:
        threading.Event().wait(0.05)
        done.append(1)

    @flow
    def pipeline() -> None:
        slow.submit()
        raise ValueError("early")

    with pytest.raises(ValueError, match="early"):
        pipeline()
    assert done == [1]
    assert recorded.run(task="slow")["state"] == "completed"
