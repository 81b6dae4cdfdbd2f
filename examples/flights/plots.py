"""The plots of the report: each function draws one figure and gives it as SVG that stands in a page by itself."""

import re
from calendar import month_abbr
from html import escape
from io import StringIO

import matplotlib
import numpy as np
import pandas as pd
from delays import Delays
from forecast import Evaluation
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

INK, MUTED, LINE = "#1d2733", "#64748b", "#dfe5ec"
BLUE, ORANGE, GREY = "#2b6cb0", "#dd6b20", "#a3afbf"
COLOURS = {"EWR": BLUE, "JFK": ORANGE, "LGA": "#2f855a"}
LATENESS = LinearSegmentedColormap.from_list("lateness", ["#eef4fa", "#f9d9b0", "#ee8f3c", "#b03a10"])
STYLE = {
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
PERCENT = PercentFormatter(1, decimals=0)


def draw_all(year: Delays, evaluation: Evaluation) -> dict[str, str]:
    """Draw every figure of the report, by name."""
    with matplotlib.rc_context(STYLE):
        return {
            "carriers": carriers(year),
            "hours": hours(year),
            "months": months(year),
            "destinations": destinations(year),
            "roc": roc(evaluation),
            "calibration": calibration(evaluation),
            "weights": weights(evaluation),
        }


def blank(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def svg(figure: Figure, says: str) -> str:
    """Write a figure as SVG without prolog, metadata, name spaces and group ids: HTML needs none of them."""
    text = StringIO()
    nothing = dict.fromkeys(["Creator", "Date", "Format", "Type"])
    figure.savefig(text, format="svg", transparent=True, metadata=nothing)
    (box,) = re.findall(r'<svg [^>]*viewBox="([^"]*)"', text.getvalue())
    body = re.sub(r'<g id="[^"]*"', "<g", text.getvalue().split(">", text.getvalue().count(">", 0, text.getvalue().index("viewBox")) + 1)[-1])
    return f'<svg viewBox="{box}" role="img" aria-label="{escape(says)}">{body}'


def carriers(year: Delays) -> str:
    """Show how many of each carrier's flights leave late, from best to worst."""
    shares = year.per("carrier").sort_values("late_share", ascending=False)
    figure, axes = blank(6.4, 5.2)
    names = [year.airline(carrier) for carrier in shares.index]
    average = year.total["late_share"]
    colours = [ORANGE if share > average else BLUE for share in shares["late_share"]]
    bars = axes.barh(names[::-1], shares["late_share"][::-1], color=colours[::-1], height=0.66)
    axes.bar_label(bars, fmt=lambda share: f"{share:.0%}", padding=4, color=INK)
    axes.axvline(average, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(f"all: {average:.1%}", (average, -0.9), xytext=(4, 0), textcoords="offset points", color=INK)
    axes.set_ylim(-1.1, len(names) - 0.4)
    axes.grid(axis="y", visible=False)
    axes.xaxis.set_major_formatter(PERCENT)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines["left"].set_visible(False)
    return svg(figure)


def hours(year: Delays) -> str:
    """Show how delays pile up in the course of the day, for each airport."""
    shares = year.per("origin", "hour").query("departed >= 100")["late_share"]
    figure, axes = blank(6.4, 3.6)
    for origin, of_origin in shares.groupby(level="origin"):
        of_hour = of_origin.droplevel("origin")
        axes.plot(of_hour.index, of_hour, color=COLOURS[origin], marker="o", markersize=3.5, label=year.airport(origin))
    axes.set_xlabel("scheduled hour")
    axes.set_ylim(0)
    axes.yaxis.set_major_formatter(PERCENT)
    axes.legend(loc="upper left")
    return svg(figure)


def months(year: Delays) -> str:
    """Show the share of late flights for each month and hour."""
    shares = year.per("month", "hour").query("departed >= 30")["late_share"].unstack("hour")
    figure, axes = blank(10.6, 4.0)
    grid = axes.pcolormesh(shares, cmap=LATENESS, vmin=0, vmax=0.5, edgecolors="white", linewidth=1.5)
    for (row, column), share in np.ndenumerate(shares.to_numpy()):
        if not np.isnan(share):
            colour = "white" if share > 0.36 else INK
            axes.text(column + 0.5, row + 0.5, f"{share:.0%}"[:-1], ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(np.arange(shares.shape[1]) + 0.5, [f"{hour}:00" for hour in shares.columns], fontsize=9)
    axes.set_yticks(np.arange(shares.shape[0]) + 0.5, [MONTH_NAMES[month - 1] for month in shares.index])
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(grid, ax=axes, format=PERCENT, pad=0.01, aspect=28)
    bar.outline.set_visible(False)
    return svg(figure)


def destinations(year: Delays) -> str:
    """Show each destination where it lies: as large as its traffic, as red as it is late."""
    shares = year.per("dest").query("departed >= 100").join(year.airports, how="inner")
    shares = shares[shares["lon"] > -130].sort_values("scheduled", ascending=False)  # Hawaii and Alaska are far off
    figure, axes = blank(6.4, 3.9)
    spots = axes.scatter(
        shares["lon"], shares["lat"], s=shares["scheduled"] / 45 + 8, c=shares["late_share"],
        cmap=LATENESS, vmin=0.1, vmax=0.4, edgecolors=INK, linewidths=0.5,
    )  # fmt: skip
    for code, place in shares.head(12).iterrows():
        axes.annotate(code, (place["lon"], place["lat"]), ha="center", va="center", fontsize=7, color=INK)
    axes.plot(-74.0, 40.7, marker="*", markersize=12, color=INK)
    axes.set_aspect(1.3)
    axes.set_axis_off()
    bar = figure.colorbar(spots, ax=axes, format=PERCENT, shrink=0.7, pad=0.01, aspect=22)
    bar.outline.set_visible(False)
    return svg(figure)


def roc(evaluation: Evaluation) -> str:
    """Show how many late flights are found at the price of how many false alarms."""
    figure, axes = blank(4.6, 4.2)
    for name, score, colour, dashes in [
        ("model", evaluation.model, BLUE, "-"),
        ("carrier mean", evaluation.carrier_mean, ORANGE, "-"),
        ("base rate", evaluation.base_rate, GREY, (0, (4, 3))),
    ]:
        axes.plot(*score.curve, color=colour, linestyle=dashes, label=f"{name}: AUC {score.auc:.2f}")
    axes.set_xlabel("punctual flights wrongly suspected")
    axes.set_ylabel("late flights found")
    axes.set_aspect("equal")
    square(axes)
    axes.legend(loc="lower right")
    return svg(figure)


def calibration(evaluation: Evaluation) -> str:
    """Show whether of the flights with a predicted risk of 30 % indeed 30 % are late."""
    compared = evaluation.calibration
    figure, axes = blank(4.6, 4.2)
    end = float(np.ceil(compared.to_numpy().max() * 10) / 10)
    axes.plot([0, end], [0, end], color=GREY, linestyle=(0, (4, 3)), label="as predicted")
    axes.plot(compared["predicted"], compared["observed"], color=BLUE, marker="o", label="a tenth of the flights")
    axes.axhline(evaluation.late_share, color=ORANGE, linewidth=1)
    axes.annotate("base rate", (end, evaluation.late_share), xytext=(-2, 4), textcoords="offset points", ha="right", color=ORANGE)
    axes.set_xlabel("predicted to be late")
    axes.set_ylabel("were late")
    axes.set_aspect("equal")
    square(axes)
    axes.legend(loc="upper left")
    return svg(figure)


def square(axes: Axes) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PERCENT)
    axes.set_xlim(0)
    axes.set_ylim(0)


def weights(evaluation: Evaluation) -> str:
    """Show what the forecast stands on: how much worse it gets without knowing something."""
    lost = pd.Series(evaluation.auc_lost).sort_values()
    figure, axes = blank(4.6, 2.7)
    bars = axes.barh(lost.index, lost.clip(lower=0), color=BLUE, height=0.6)
    axes.bar_label(bars, labels=[f"{value:.3f}" for value in lost], padding=4, color=INK)
    axes.set_xlim(0, max(0.01, lost.max()) * 1.2)
    axes.grid(visible=False)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set_xticks([])
    axes.spines[:].set_visible(False)
    return svg(figure)
