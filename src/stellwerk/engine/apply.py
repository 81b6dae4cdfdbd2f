"""The hallway: every change of state becomes rows here, and nowhere else.

Theory of operation: a group of batches shares one transaction. For each batch its lease is locked before any run is
read, then the batch is folded (pure: an illegal event refuses the batch whole before anything of it is written), then
its fence and number are compared inside the write, then its rows are written. An acknowledgement is given only after the commit.
"""

from __future__ import annotations

from collections.abc import Sequence

from stellwerk.engine.fold import Fold
from stellwerk.errors import Conflict, RefusedError
from stellwerk.model.messages import Ack, Batch, Ended, Holder, Message
from stellwerk.model.records import Known
from stellwerk.model.states import RUNNING, Cause
from stellwerk.store.port import Store, Transaction


def apply(store: Store, batches: Sequence[Batch]) -> list[Ack]:
    """Apply batches in one transaction; one refused batch never fails its neighbours.

    Returns: one acknowledgement a batch, in order.

    Raises:
        UnavailableError: the database could not be written; no batch was applied, and sending them again is safe.

    Idempotent: by (root run, fence, seq).
    Cost: one transaction; a batch of runs that begin and end within it costs a row and its index entries each.
    """
    try:
        with store.write() as transaction:
            return [apply_one(transaction, batch) for batch in batches]
    except Conflict as refused:
        if len(batches) == 1:
            return [Ack(batches[0].seq, refused.code, str(refused))]
    # The database refused some row of the group and took all of it back: each batch for itself, to find the culprit.
    return [apply(store, [batch])[0] for batch in batches]


def apply_one(transaction: Transaction, batch: Batch) -> Ack:
    """Apply one batch inside an open transaction.

    Raises:
        Conflict: the database refused a row (a run that is there already); the transaction cannot go on.
    """

    def load(ids: Sequence[bytes]) -> dict[bytes, Known]:
        transaction.lock(batch.root_id)
        return transaction.load(ids)

    try:
        fold = Fold(batch, load)
    except RefusedError as refused:
        seen = transaction.seen(batch)
        if seen == "applied":
            return Ack(batch.seq)
        if seen == "stale":
            return _stale(batch)
        return Ack(batch.seq, refused.code, str(refused))
    if batch.opening is not None:
        transaction.open_lease(batch.root_id, batch.fence, batch.opening)
    verdict = transaction.advance(batch)
    if verdict == "applied":
        return Ack(batch.seq)
    if verdict == "stale":
        return _stale(batch)
    changes = fold.changes
    if batch.opening is not None:
        plan = batch.opening.plan
        changes.plan = (
            batch.root_id,
            plan.interpreter,
            plan.folder,
            plan.file or None,
            plan.entry or None,
            plan.arguments,
            plan.arguments_hash or None,
            plan.code,
        )
    transaction.put(changes)
    if fold.ended_root:
        transaction.change("lease_close", (batch.root_id,))
    return Ack(batch.seq)


def crash(
    store: Store,
    root_id: bytes,
    fence: int,
    at: int,
    cause: Cause,
    label: str,
    last_heard: tuple[int, int] | None = None,
) -> bool:
    """Take over a root run whose owner is gone and end everything of it that has not ended.

    Args:
        root_id: the run.
        fence: the fence under which the owner was found dead; whoever took over first wins.
        at: when it was noticed, microseconds since the epoch, UTC.
        cause: why, with the evidence.
        last_heard: (seq, counter) of a lease that has lapsed: if its owner was heard since, it keeps the run.

    Returns: whether this call did it.

    Idempotent: by (root run, fence).
    """
    with store.write() as transaction:
        verb = "lease_take" if last_heard is None else "lease_take_silent"
        if transaction.change(verb, (root_id, fence, *(last_heard or ()))) != 1:
            return False
        ids = [row[0] for row in transaction.select("runs_unfinished_of", (root_id,))]
        known = transaction.load(ids)
        messages = [_lost(known[run_id], at, cause, label) for run_id in reversed(ids)]
        ack = apply_one(transaction, Batch(root_id, fence + 1, 1, messages))
        if ack.code:
            raise RefusedError(ack.reason)
        transaction.change("lease_close", (root_id,))
        return True


def renew(store: Store, holder: Holder) -> int:
    """Count up the leases of a living process; return how many it holds.

    Called from outside the interpreter that runs user code.
    """
    with store.write() as transaction:
        return transaction.change("lease_renew", (holder.host, holder.boot_id, holder.pid, holder.started))


def _lost(known: Known, at: int, cause: Cause, label: str) -> Message:
    record = known.record
    if known.attempt_state == RUNNING:
        return Ended(record.id, at, "crashed", record.attempts, "lost", label, cause)
    return Ended(record.id, at, "crashed", label=label, cause=cause)


def _stale(batch: Batch) -> Ack:
    return Ack(
        batch.seq,
        "stale_fence",
        f"Run {batch.root_id.hex()} is no longer owned under fence {batch.fence}, or batch {batch.seq} is not the next.",
    )
