"""Looks: how each state is shown, wherever it is shown. What lives here is data; colours are the page's.

Colour means the *family* and nothing else; the *glyph* tells states of a family apart, and both from each other without
colour; the *word* is what a person reads. The page's build takes them from `ui/src/gql/states.json`, which a test
compares with this table.
"""

from __future__ import annotations

from typing import Final

import msgspec

from stellwerk.model.states import LABELS, RUN_STATES, TERMINAL

__all__ = ["FAMILIES", "LABEL_LOOKS", "LOOKS", "Look", "as_json"]

FAMILIES: Final = ("failed", "crashed", "attention", "running", "waiting", "cancelled", "success")
"""Families of states, the worst first: where several share a pixel, the worst is shown."""


class Look(msgspec.Struct, frozen=True):
    """Say how a state is shown."""

    family: str
    glyph: str
    word: str
    style: str = "filled"


LOOKS: Final = {
    "scheduled": Look("waiting", "ring", "Scheduled"),
    "pending": Look("waiting", "ring-quarter", "Pending"),
    "running": Look("running", "half-disc", "Running"),
    "paused": Look("attention", "triangle-pause", "Paused"),
    "cancelling": Look("attention", "triangle", "Cancelling", "striped"),
    "completed": Look("success", "check", "Completed"),
    "failed": Look("failed", "cross", "Failed"),
    "crashed": Look("crashed", "bolt", "Crashed"),
    "cancelled": Look("cancelled", "ring-slash", "Cancelled"),
    "skipped": Look("success", "dash", "Skipped", "dashed"),
}
"""How each state of a run is shown."""

LABEL_LOOKS: Final = {
    "AwaitingRetry": Look("attention", "retry", "Retrying"),
    "AwaitingUpstream": Look("waiting", "ring", "Waiting for upstream"),
    "Cached": Look("success", "check-dot", "Cached", "outlined"),
    "TimedOut": Look("failed", "cross-hourglass", "Timed out", "hatched"),
    "UpstreamFailed": Look("failed", "arrow", "Upstream failed", "outlined"),
    "UpstreamSkipped": Look("success", "dash", "Upstream skipped", "dashed"),
    "ConditionUnmet": Look("success", "dash", "Condition unmet", "dashed"),
    "Exited": Look("failed", "cross", "Exited"),
    "OwnerLost": Look("crashed", "bolt", "Owner lost"),
    "Interrupted": Look("crashed", "bolt", "Interrupted"),
}
"""How a state is shown that has one of these labels."""


def as_json() -> dict[str, list[dict[str, object]]]:
    """Return the families (the worst first), the states in their order, and the labels that change a state's look."""
    states = [
        {"state": state, "order": order, **_fields(LOOKS[state]), "is_terminal": state in TERMINAL}
        for order, state in enumerate(RUN_STATES)
    ]
    labels = [{"label": label, **_fields(look), "about": LABELS[label]} for label, look in LABEL_LOOKS.items()]
    return {
        "families": [{"family": name, "rank": rank} for rank, name in enumerate(FAMILIES)],
        "states": states,
        "labels": labels,
    }


def _fields(look: Look) -> dict[str, object]:
    return msgspec.structs.asdict(look)
