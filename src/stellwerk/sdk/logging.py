"""The logger of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logging import Logger


def get_run_logger() -> Logger:
    """Return a logger whose lines are recorded with the run that logs them; outside a run they are only shown.

    Standard loggers are recorded inside a run as well; this one saves choosing a name.
    """
    import logging  # 10 ms, and not every flow logs

    return logging.getLogger("stellwerk.run")
