"""State diagrams, drawn from the tables themselves, as Mermaid text: the documentation cannot drift from the code."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from stellwerk.core.table import ATTEMPT, RUN
from stellwerk.model.states import SUSPENDED, TERMINAL

__all__ = ["draw", "draw_attempts", "draw_runs"]


def draw_runs() -> str:
    """Draw the states of a run."""
    return draw(RUN, TERMINAL)


def draw_attempts() -> str:
    """Draw the states of an attempt."""
    return draw(ATTEMPT, TERMINAL | {SUSPENDED})


def draw(table: Mapping[str, Mapping[str, str]], last: Collection[str]) -> str:
    """Draw a transition table as a Mermaid state diagram.

    Args:
        table: event → state before → state after.
        last: states in which a thing may stay for ever.

    Returns: lines in a fixed order (events as the table has them), one arrow for each pair of states.
    """
    arrows: dict[tuple[str, str], list[str]] = {}
    for event, moves in table.items():
        for before, after in moves.items():
            arrows.setdefault((before, after), []).append(event)
    lines = ["stateDiagram-v2"]
    lines += [f"    {before or '[*]'} --> {after}: {', '.join(events)}" for (before, after), events in arrows.items()]
    reached = dict.fromkeys(after for _, after in arrows)
    lines += [f"    {state} --> [*]" for state in reached if state in last]
    return "\n".join(lines) + "\n"
