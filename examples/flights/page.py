"""The report: one HTML file that needs nothing else, no script, no font, no other host."""

from calendar import month_name
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from string import Template

import plots
from checks import Check
from delays import LATE_MINUTES, Delays
from forecast import FEATURES, Evaluation


def write(report: Path, checks: Sequence[Check], year: Delays, evaluation: Evaluation) -> Path:
    """Write the report, and say where."""
    page = render(checks, year, evaluation)
    report = Path(report).expanduser().resolve()
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(page, encoding="utf-8")
    return report


def render(checks: Sequence[Check], year: Delays, evaluation: Evaluation) -> str:
    """Fill the page `report.html` with numbers, tables and plots."""
    template = Template(Path(__file__).with_name("report.html").read_text(encoding="utf-8"))
    return template.substitute(
        {
            **numbers(checks, year, evaluation),
            "tables_table": tables_table(checks),
            "findings_table": findings_table(checks),
            "missing_table": missing_table(checks),
            "carriers_table": carriers_table(year),
            "scores_table": scores_table(evaluation),
            **{f"{name}_plot": drawing for name, drawing in plots.draw_all(year, evaluation).items()},
        }
    )


def numbers(checks: Sequence[Check], year: Delays, evaluation: Evaluation) -> dict[str, str]:
    """Give the numbers that the text of the report names."""
    total = year.total
    carriers = year.per("carrier").sort_values("late_share")
    hours = year.per("hour", at_least=0.0003)["late_share"]
    months = year.per("month")["late_share"]
    riskiest = evaluation.calibration.iloc[-1]
    return {
        "flights": f"{total['scheduled']:,.0f}",
        "carriers": f"{len(carriers)}",
        "origins": f"{len(year.per('origin'))}",
        "destinations": f"{len(year.per('dest'))}",
        "not_departed": f"{total['not_departed']:,.0f}",
        "not_departed_share": f"{total['not_departed_share']:.1%}",
        "late_minutes": f"{LATE_MINUTES}",
        "late": f"{total['late']:,.0f}",
        "late_share": f"{total['late_share']:.1%}",
        "mean_delay": f"{total['mean_delay']:.1f}",
        "without_weather": f"{total['without_weather']:,.0f}",
        "without_plane": f"{total['without_plane']:,.0f}",
        "without_airport": f"{total['without_airport']:,.0f}",
        "best_carrier": escape(year.airline(carriers.index[0])),
        "best_carrier_share": f"{carriers['late_share'].iloc[0]:.0%}",
        "worst_carrier": escape(year.airline(carriers.index[-1])),
        "worst_carrier_share": f"{carriers['late_share'].iloc[-1]:.0%}",
        "best_hour": f"{hours.idxmin()}:00",
        "best_hour_share": f"{hours.min():.0%}",
        "worst_hour": f"{hours.idxmax()}:00",
        "worst_hour_share": f"{hours.max():.0%}",
        "worst_month": month_name[months.idxmax()],
        "worst_month_share": f"{months.max():.0%}",
        "auc": f"{evaluation.model.auc:.3f}",
        "auc_carrier_mean": f"{evaluation.carrier_mean.auc:.3f}",
        "auc_base_rate": f"{evaluation.base_rate.auc:.3f}",
        "held_out": name_months(evaluation.months),
        "learnt": name_months(evaluation.learnt_months),
        "held_out_flights": f"{evaluation.flights:,}",
        "learnt_flights": f"{evaluation.learnt_flights:,}",
        "base_rate": f"{evaluation.late_share:.1%}",
        "riskiest_share": f"{riskiest['observed']:.0%}",
        "features": ", ".join(f"<code>{feature}</code>" for feature in FEATURES),
        "rows_read": f"{sum(checked.rows for checked in checks):,}",
        "rows_set_aside": f"{sum(len(checked.set_aside) for checked in checks):,}",
    }


def name_months(months: Sequence[int]) -> str:
    """Name months, neighbours as a range: January to September, December."""
    ranges: list[list[int]] = []
    for month in months:
        if ranges and month == ranges[-1][-1] + 1:
            ranges[-1].append(month)
        else:
            ranges.append([month])
    return ", ".join(" to ".join(month_name[month] for month in dict.fromkeys((run[0], run[-1]))) for run in ranges)


def tables_table(checks: Sequence[Check]) -> str:
    return table(
        ["Table", "Rows read", "Rows set aside", "Rows kept"],
        [
            [checked.table, *(f"{n:,}" for n in (checked.rows, len(checked.set_aside), checked.kept))]
            for checked in checks
        ],
    )


def findings_table(checks: Sequence[Check]) -> str:
    rows = [
        [finding.place, finding.problem, finding.example, f"{finding.rows:,}", finding.decision]
        for checked in checks
        for finding in checked.wrong
    ]
    return table(["Where", "Problem", "For example", "Rows", "Decision"], rows) if rows else "<p>Nothing was wrong.</p>"


def missing_table(checks: Sequence[Check]) -> str:
    return table(
        ["Column", "Missing", "What that means"],
        [
            [finding.place, f"{finding.rows:,}", finding.problem.removeprefix("missing: ")]
            for checked in checks
            for finding in checked.findings
            if finding not in checked.wrong
        ],
    )


def carriers_table(year: Delays) -> str:
    carriers = year.per("carrier").sort_values("scheduled", ascending=False)
    return table(
        ["Carrier", "Flights", "Not departed", f"Over {LATE_MINUTES} min late", "Mean delay leaving", "arriving"],
        [
            [
                f"{year.airline(carrier)} ({carrier})",
                f"{row['scheduled']:,.0f}",
                f"{row['not_departed_share']:.1%}",
                f"{row['late_share']:.1%}",
                f"{row['mean_delay']:.1f} min",
                f"{row['mean_arrival_delay']:.1f} min",
            ]
            for carrier, row in carriers.iterrows()
        ],
    )


def scores_table(evaluation: Evaluation) -> str:
    scores = {
        "Model": evaluation.model,
        "Baseline: mean of the carrier": evaluation.carrier_mean,
        "Baseline: base rate for all": evaluation.base_rate,
    }
    return table(
        ["Forecast", "AUC", "Brier score"],
        [[name, f"{score.auc:.3f}", f"{score.brier:.4f}"] for name, score in scores.items()],
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Set a table; columns of numbers stand to the right."""

    def line(tag: str, cells: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{tag}{align(cell)}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    def align(cell: str) -> str:
        return ' class="number"' if cell[:1].isdigit() or cell[:2].strip("-").isdigit() else ""

    rows = list(rows)
    sides = [align(cell) for cell in rows[0]]
    names = "".join(f"<th{side}>{escape(name)}</th>" for name, side in zip(head, sides, strict=True))
    return f"<table><thead><tr>{names}</tr></thead><tbody>{''.join(line('td', row) for row in rows)}</tbody></table>"
