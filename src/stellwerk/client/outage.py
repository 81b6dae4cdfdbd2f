"""An outage of a server: why it does not answer, since when, and what the user is told of it, once."""

from __future__ import annotations

import time
from collections.abc import Callable

from stellwerk.errors import StellwerkError

__all__ = ["Outage"]

TOLD_SECONDS = 1.0  # of an outage: shorter ones are not worth a word


class Outage:
    """Keep what is known of the present outage, if there is one.

    Args:
        say: tells the user a line.

    Attributes:
        trouble: why the server does not answer; None while it does.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.trouble: StellwerkError | None = None
        self._say = say
        self._since = 0.0
        self._is_told = False

    def note(self, trouble: StellwerkError, since: float = 0.0) -> None:
        """Note that the server does not answer, or does so for another reason than before.

        Args:
            since: when it was heard last, on the monotonic clock; now, if it is not known.
        """
        self.trouble = trouble
        if not self._since:
            self._since = since or time.monotonic()

    def tell(self) -> None:
        """Tell the user, once, that what runs waits. To be called when something does."""
        if self.trouble is not None:
            self.tell_of(self.trouble, self._since)

    def tell_of(self, trouble: StellwerkError, since: float) -> None:
        """Tell the user, once, that what runs waits for a reason, since when on the monotonic clock."""
        if not self._is_told and time.monotonic() - since >= TOLD_SECONDS:
            self._is_told = True
            self._say(f"{trouble.message} What runs waits, and goes on as soon as the server is back.")

    def end(self) -> None:
        """Note that the server answers, and tell the user so if they were told of the outage."""
        self.trouble, self._since = None, 0.0
        if self._is_told:
            self._is_told = False
            self._say("The server is back; nothing was lost.")
