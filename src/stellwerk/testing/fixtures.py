"""Fixtures for pytest: `pytest_plugins = ["stellwerk.testing.fixtures"]` in a `conftest.py` brings them in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stellwerk import testing
from stellwerk.testing import Recorded

__all__ = ["recorded", "recording_off"]


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    """Record what the test runs into a home of its own: see `stellwerk.testing.stellwerk_test`."""
    with testing.stellwerk_test() as told:
        yield told


@pytest.fixture
def recording_off() -> Iterator[None]:
    """Record nothing of what runs in the test: see `stellwerk.testing.recording_off`."""
    with testing.recording_off():
        yield
