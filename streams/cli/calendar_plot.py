"""The picture of the calendar: falls by day, and the value that they put at stake."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from models.money import minor_digits
from models.outlook import Day
from models.policy import Policy
from streams.shop_history import day_of

_GREYEST, _DARKEST = 0.35, 0.9
_BAR_WIDTH = 0.85


def draw(file: Path, table: Sequence[Day], policy: Policy) -> None:
    """Draw three panels to a file: falls by tier, falls by churn level, value at stake.

    Args:
        file: its ending says the format.
        table: days in order.
        policy: names of tiers and levels, and the currency.
    """
    dates = [day_of(day.day) for day in table]
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(11, 7.5), dpi=120, layout="constrained")
        top, middle, bottom = figure.subplots(3, 1, sharex=True)
        tiers = policy.tier_names[-2::-1]
        _stack(top, dates, {f"to {n}": [d.tiers[n] for d in table] for n in tiers}, "Blues")
        top.set(title="Customers who fall to a lower tier", ylabel="customers")
        levels = policy.level_names[1:]
        _stack(middle, dates, {n: [d.levels[n] for d in table] for n in levels}, "Oranges")
        middle.set(title="Customers who rise to a higher churn level", ylabel="customers")
        major = 10 ** minor_digits(policy.currency)
        bottom.bar(
            dates,
            [day.at_risk_minor / major for day in table],
            width=_BAR_WIDTH,
            color="#555555",
        )
        bottom.set(title="Value at stake, of the day's customers", ylabel=policy.currency)
        bottom.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        # Else there is room, and a tick, for a day before the first that has no bar.
        bottom.set_xlim(date2num(dates[0]) - 0.5, date2num(dates[-1]) + 0.5)
        locator = AutoDateLocator(minticks=min(5, len(dates)))  # of days, not of hours
        bottom.xaxis.set_major_locator(locator)
        bottom.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        figure.suptitle(f"If nobody buys: {dates[0]} to {dates[-1]}")
        figure.savefig(file)


def _stack(axes: Axes, dates: Sequence[date], series: dict[str, list[int]], colours: str) -> None:
    shades = mpl.colormaps[colours](np.linspace(_GREYEST, _DARKEST, max(len(series), 2)))
    floor = np.zeros(len(dates))
    for (name, counts), shade in zip(series.items(), shades, strict=False):
        axes.bar(dates, counts, width=_BAR_WIDTH, bottom=floor, color=shade, label=name)  # type: ignore[arg-type]
        floor += counts
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
