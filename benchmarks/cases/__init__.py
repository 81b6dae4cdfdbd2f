"""The cases, in the order in which they are measured. A new one is a function with `@case` in a module named here."""

from __future__ import annotations

from cases import starting, tasks, lines, serving, page  # isort: skip - the order of the table
from cases.case import CASES, Case, Sample

__all__ = ["CASES", "Case", "Sample", "lines", "page", "serving", "starting", "tasks"]
