"""The plots of the report: each function draws one figure, and its first line says what it shows."""

import re
from calendar import month_abbr
from html import escape
from inspect import getdoc
from io import StringIO
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from delays import Delays
from forecast import Evaluation
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator, PercentFormatter

INK, MUTED, LINE, PAPER = "#1d2733", "#64748b", "#dfe5ec", "#ffffff"
BLUE, ORANGE, GREEN, GREY = "#2b6cb0", "#dd6b20", "#2f855a", "#a3afbf"
LATENESS = LinearSegmentedColormap.from_list("lateness", ["#eef4fa", "#f9d9b0", "#ee8f3c", "#b03a10"])
DASHED = (0, (4, 3))
PERCENT = PercentFormatter(1, decimals=0)
WIDE, HALF = 10.6, 5.2  # inches; the page scales them to its columns
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # texts stay texts, in the font of the page
    "svg.hashsalt": "flights",  # the same picture gives the same file
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "legend.frameon": False,
    "lines.linewidth": 2,
}


def draw_all(year: Delays, evaluation: Evaluation) -> dict[str, str]:
    """Draw every figure of the report, by name, as SVG."""
    with matplotlib.rc_context(STYLE):
        return {
            **{draw.__name__: svg(draw(year), getdoc(draw)) for draw in (months, carriers, hours, destinations)},
            **{draw.__name__: svg(draw(evaluation), getdoc(draw)) for draw in (roc, calibration, weights)},
        }


def svg(figure: Figure, says: str | None) -> str:
    """Write a figure as SVG that stands inside HTML: without prolog, metadata and name spaces."""
    text = StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata=dict.fromkeys(["Creator", "Date", "Format", "Type"]))
    _, head, body = re.split(r"(<svg[^>]*>)", text.getvalue(), maxsplit=1)
    box = re.search(r'viewBox="[^"]*"', head)
    body = re.sub(r'<g id="[^"]*"', "<g", body)  # or the second figure of a page would repeat the ids of the first
    return f'<svg {box and box[0]} role="img" aria-label="{escape(says or "")}">{body}'


def blank(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def months(year: Delays) -> Figure:
    """Share of late flights for each month and scheduled hour."""
    shares = year.per("month", "hour", at_least=0.0001)["late_share"].unstack("hour")
    figure, axes = blank(WIDE, 4.0)
    grid = axes.pcolormesh(shares, cmap=LATENESS, vmin=0, vmax=0.5, edgecolors=PAPER, linewidth=1.5)
    for (row, column), share in np.ndenumerate(shares.to_numpy()):
        if not np.isnan(share):
            colour = PAPER if share >= 0.355 else INK
            axes.text(column + 0.5, row + 0.5, f"{share * 100:.0f}", ha="center", va="center", color=colour, size=9)
    axes.set_xticks(np.arange(shares.shape[1]) + 0.5, [f"{hour}:00" for hour in shares.columns], size=9)
    axes.set_yticks(np.arange(shares.shape[0]) + 0.5, [month_abbr[month] for month in shares.index])
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    legend(figure, axes, grid, aspect=28)
    return figure


def carriers(year: Delays) -> Figure:
    """Share of late flights for each carrier, the worst first."""
    shares = year.per("carrier")["late_share"].sort_values()
    average = year.total["late_share"]
    figure, axes = blank(HALF, 6.9)
    axes.axvline(average, color=INK, linewidth=1, linestyle=DASHED, zorder=0)
    names = [year.airline(carrier) for carrier in shares.index]
    axes.barh(names, shares, color=[ORANGE if share > average else BLUE for share in shares], height=0.7)
    for position, share in enumerate(shares):
        axes.text(share - 0.004, position, f"{share:.0%}", ha="right", va="center", color=PAPER, weight="bold")
    axes.text(average - 0.004, -0.95, f"all flights: {average:.1%}", ha="right", va="center")
    axes.set_ylim(-1.4, len(names) - 0.4)
    axes.grid(visible=False)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set_xticks([])
    axes.spines[:].set_visible(False)
    return figure


def hours(year: Delays) -> Figure:
    """Share of late flights in the course of the day, for each airport."""
    shares = year.per("origin", "hour", at_least=0.0003)["late_share"].unstack("origin")
    figure, axes = blank(HALF, 3.2)
    for colour, (origin, of_hour) in zip([BLUE, ORANGE, GREEN], shares.items(), strict=False):
        axes.plot(of_hour.index, of_hour, color=colour, marker="o", markersize=3.5, label=year.airport(str(origin)))
    axes.set_xlabel("scheduled hour")
    axes.xaxis.set_major_locator(MultipleLocator(3))
    axes.set_ylim(0)
    axes.yaxis.set_major_formatter(PERCENT)
    axes.legend(loc="upper left")
    return figure


def destinations(year: Delays) -> Figure:
    """Share of late flights for each destination, where it lies and as large as its traffic."""
    places = year.per("dest", at_least=0.0003).join(year.airports, how="inner").sort_values("scheduled")
    places = places[places["lon"] > -130]  # Alaska and Hawaii are too far off
    figure, axes = blank(HALF, 3.2)
    sizes = places["scheduled"] / places["scheduled"].max() * 280 + 8
    spots = axes.scatter(
        places["lon"], places["lat"], s=sizes, c=places["late_share"], cmap=LATENESS, vmin=0.1, vmax=0.4,
        edgecolors=INK, linewidths=0.5,
    )  # fmt: skip
    named: list[pd.Series] = []
    for code, place in places.tail(20)[::-1].iterrows():
        if all(abs(place["lon"] - other["lon"]) + abs(place["lat"] - other["lat"]) > 4 for other in named):
            axes.text(place["lon"], place["lat"], str(code), ha="center", va="center", size=7)
            named.append(place)
    axes.plot(-74.0, 40.7, marker="*", markersize=13, color=INK)
    axes.set_aspect(1.3)
    axes.set_axis_off()
    legend(figure, axes, spots, aspect=22)
    return figure


def legend(figure: Figure, axes: Axes, colours: ScalarMappable, aspect: float) -> None:
    bar = figure.colorbar(colours, ax=axes, format=PERCENT, pad=0.01, aspect=aspect)
    bar.outline.set_visible(False)


def roc(evaluation: Evaluation) -> Figure:
    """How many late flights are found at the price of how many false alarms."""
    figure, axes = blank(HALF, 4.6)
    for name, score, colour, style in [
        ("model", evaluation.model, BLUE, "-"),
        ("carrier mean", evaluation.carrier_mean, ORANGE, "-"),
        ("base rate", evaluation.base_rate, GREY, DASHED),
    ]:
        axes.plot(*score.curve, color=colour, linestyle=style, label=f"{name}: AUC {score.auc:.2f}")
    axes.set_xlabel("punctual flights wrongly suspected")
    axes.set_ylabel("late flights found")
    make_square(axes)
    axes.legend(loc="lower right")
    return figure


def calibration(evaluation: Evaluation) -> Figure:
    """Share of late flights as it was predicted, and as it was."""
    compared = evaluation.calibration
    end = float(np.ceil(compared.to_numpy().max() * 10) / 10)
    figure, axes = blank(HALF, 4.6)
    axes.plot([0, end], [0, end], color=GREY, linestyle=DASHED, label="if it were perfect")
    axes.axhline(evaluation.late_share, color=ORANGE, linewidth=1, label=f"base rate: {evaluation.late_share:.0%}")
    axes.plot(compared["predicted"], compared["observed"], color=BLUE, marker="o", label="model")
    axes.set_xlabel("predicted to be late")
    axes.set_ylabel("were late")
    make_square(axes)
    axes.legend(loc="upper left")
    return figure


def make_square(axes: Axes) -> None:
    axes.set_aspect("equal")
    axes.set_xlim(0)
    axes.set_ylim(0)
    axes.xaxis.set_major_formatter(PERCENT)
    axes.yaxis.set_major_formatter(PERCENT)


def weights(evaluation: Evaluation) -> Figure:
    """How much worse the forecast gets without knowing something."""
    lost = pd.Series(evaluation.auc_lost).round(3).clip(lower=0).sort_values()
    figure, axes = blank(HALF, 4.6)
    bars = axes.barh(lost.index, lost, color=BLUE, height=0.62)
    axes.bar_label(bars, fmt="%.3f", padding=4)
    axes.set_xlim(0, max(0.01, lost.max()) * 1.25)
    axes.grid(visible=False)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set_xticks([])
    axes.spines[:].set_visible(False)
    return figure
