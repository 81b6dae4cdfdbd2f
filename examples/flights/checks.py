"""Hold the tables against their schema, and clean them.

`check` finds what breaks the schema and decides what becomes of it; `clean` does exactly what `check` decided, and
nothing else. So no row goes away that was not counted and reported before.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tables import TABLES, Table, compact

# What becomes of it: the four decisions that `check` can take.
KEPT = "kept"  #                       nothing is wrong: the value may be missing
EMPTIED = "value emptied"  #           the row is good, this one value is not
SET_ASIDE = "row set aside"  #         the row cannot be trusted
LEFT_OUT = "column left out"  #        nobody knows what it means

Found = tuple[str, str, str, pd.Series]  # column, problem, decision, and for each row whether it has the problem


@dataclass(frozen=True)
class Finding:
    """One problem of one column (or of the whole row: ""), where it was found, and what becomes of it."""

    table: str
    column: str
    problem: str
    decision: str
    where: np.ndarray  # positions of the rows, counted from 0
    example: str = ""

    @property
    def rows(self) -> int:
        return len(self.where)

    @property
    def place(self) -> str:
        return f"{self.table}.{self.column}" if self.column else self.table

    def __str__(self) -> str:
        rows = "1 row" if self.rows == 1 else f"{self.rows:,} rows"
        example = f" ({self.example})" if self.example else ""
        return f"{self.place}: {self.problem}: {rows}, {self.decision}{example}"


@dataclass(frozen=True)
class Check:
    """All that was found in one table."""

    table: str
    rows: int
    findings: list[Finding]

    @property
    def set_aside(self) -> np.ndarray:
        """Positions of the rows to set aside: each once, however much is wrong with it."""
        bad = [finding.where for finding in self.findings if finding.decision == SET_ASIDE]
        return np.unique(np.concatenate(bad)) if bad else np.array([], dtype=np.int32)

    @property
    def kept(self) -> int:
        return self.rows - len(self.set_aside)

    @property
    def wrong(self) -> list[Finding]:
        """The findings that changed something, as opposed to values that may well be missing."""
        return [finding for finding in self.findings if finding.decision != KEPT]

    def __str__(self) -> str:
        emptied = sum(finding.rows for finding in self.findings if finding.decision == EMPTIED)
        missing = sum(finding.rows for finding in self.findings if finding.decision == KEPT)
        return (
            f"{self.table}: {self.rows:,} rows, {len(self.set_aside):,} set aside, "
            f"{emptied:,} values emptied, {missing:,} values missing that may be"
        )


def check(name: str, raw: pd.DataFrame) -> Check:
    """Hold a table against its schema. Nothing is changed here.

    Raises ValueError when a column is absent: that is not a bad row but another file.
    """
    table = TABLES[name]
    absent = [column for column in table.columns if column not in raw]
    if absent:
        raise ValueError(f"{table.file} lacks {', '.join(absent)}; its columns are {', '.join(map(str, raw.columns))}")
    typed = parse(name, raw)
    found = [*_check_columns(table, raw, typed), *_check_rows(table, typed)]
    findings = []
    for column, problem, decision, is_so in found:
        where = np.flatnonzero(is_so).astype(np.int32)
        if len(where):
            example = "" if decision == KEPT else _example(raw, column, where[0])
            findings.append(Finding(name, column, problem, decision, where, example))
    return Check(name, len(raw), findings)


def _check_columns(table: Table, raw: pd.DataFrame, typed: pd.DataFrame) -> Iterator[Found]:
    """Look at each column by itself: unknown, unreadable, out of range, missing."""
    for name in raw.columns.difference(list(table.columns)):
        yield name, "is not in the schema", LEFT_OUT, raw[name].notna()
    for name, column in table.columns.items():
        missing, value = raw[name].isna(), typed[name]
        wrong = EMPTIED if table.empty_wrong_values and column.missing else SET_ASIDE
        yield name, f"is no {column.kind}", wrong, value.isna() & ~missing
        if column.kind == "number":
            outside = value.notna() & ~value.between(column.low, column.high)
            yield name, f"is not between {column.low:,g} and {column.high:,g}", wrong, outside
        if column.among:
            yield name, f"is none of {', '.join(column.among)}", wrong, value.notna() & ~value.isin(column.among)
        yield name, f"missing: {column.missing or 'it must be there'}", KEPT if column.missing else SET_ASIDE, missing


def _check_rows(table: Table, typed: pd.DataFrame) -> Iterator[Found]:
    """Look at each row as a whole: what must hold between columns, and rows that come twice."""
    for problem, rule in table.rules.items():
        yield "", problem, SET_ASIDE, rule(typed)
    yield "", f"the same {', '.join(table.key)} came before", SET_ASIDE, typed.duplicated(table.key)


def _example(raw: pd.DataFrame, column: str, position: int) -> str:
    line = position + 2  # the file's first line holds the names
    if not column:
        return f"line {line}"
    value = raw[column].iloc[position]
    return f"line {line}: {value:g}" if isinstance(value, (float, np.floating)) else f"line {line}: {value}"


def parse(name: str, raw: pd.DataFrame) -> pd.DataFrame:
    """Give each column of the schema its type. What cannot be read becomes a missing value."""
    typed = {}
    for column, expected in TABLES[name].columns.items():
        values = raw[column]
        if expected.kind == "number" and not pd.api.types.is_numeric_dtype(values):
            values = pd.to_numeric(values.astype("str"), errors="coerce")
        elif expected.kind == "moment":
            values = pd.to_datetime(values.astype("str"), errors="coerce", utc=True)
        elif expected.kind == "text":
            values = values.astype("category")
        typed[column] = values
    return pd.DataFrame(typed)


def clean(name: str, raw: pd.DataFrame, checked: Check) -> pd.DataFrame:
    """Do what the check decided: empty the wrong values and set the bad rows aside."""
    typed = parse(name, raw)
    for finding in checked.findings:
        if finding.decision == EMPTIED:
            typed[finding.column] = typed[finding.column].mask(np.isin(np.arange(len(typed)), finding.where))
    kept = typed.drop(index=typed.index[checked.set_aside]).reset_index(drop=True)
    return kept.apply(compact)
