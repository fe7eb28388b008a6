"""The picture of an evaluation: are the probabilities true, the weeks right, the frequent known."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.evaluation import Evaluation, weekly_repeats
from models.histories import PurchaseDays
from models.metrics import BINS, bin_of
from streams.shop_history import day_of

_FREQUENT = 7
_DAYS_PER_WEEK = 7
_ACTUAL = "#222222"
_COLOURS = {"mbg-nbd": "#0072b2", "bg-nbd": "#d55e00", "pareto-nbd": "#009e73"}
_SMALLEST_DOT, _LARGEST_DOT = 12.0, 260.0
_BIN_MIN = 10
_TWO_SIDED_95 = 1.96
# Where more than this share of the customers is that frequent, tenths of them are shown instead.
_FREQUENT_SHARE_MAX = 0.3


def draw(file: Path, result: Evaluation, purchases: PurchaseDays) -> None:
    """Draw three panels to a file: calibration, weekly tracking, purchases by frequency.

    Args:
        file: its ending says the format.
        result: of the evaluation.
        purchases: of all customers, calibration and holdout.
    """
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(15, 4.8), dpi=120, layout="constrained")
        left, middle, right = figure.subplots(1, 3)
        _calibration(left, result)
        _tracking(middle, result, purchases)
        _frequencies(right, result)
        figure.suptitle(
            f"Calibration to {day_of(result.end_day)}, holdout of {result.holdout_days} days, "
            f"{result.customers.customer.size:,} customers; chosen: {result.chosen}"
        )
        figure.savefig(file)


def _calibration(axes: Axes, result: Evaluation) -> None:
    active = (result.outcome.purchases > 0).astype(float)
    axes.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=1, zorder=0)
    largest = max(
        np.bincount(bin_of(one.prediction.active)).max() for one in result.models.values()
    )
    for name, scored in result.models.items():
        chance = scored.prediction.active
        bins = bin_of(chance)
        size = np.bincount(bins, minlength=BINS)
        # A line through bins of a handful of customers would draw chance, not calibration.
        full = size >= _BIN_MIN
        said = np.bincount(bins, chance, BINS)[full] / size[full]
        happened = np.bincount(bins, active, BINS)[full] / size[full]
        label = f"{name} (ECE {scored.figures['ece']:.3f})"
        axes.plot(said, happened, color=_COLOURS[name], linewidth=1.2, label=label)
        noise = _noise(happened, size[full])
        axes.errorbar(said, happened, noise, fmt="none", ecolor=_COLOURS[name], alpha=0.35)
        dots = np.maximum(size[full] / largest * _LARGEST_DOT, _SMALLEST_DOT)
        axes.scatter(said, happened, dots, color=_COLOURS[name], alpha=0.45, linewidths=0)
    axes.set(
        title="Are the probabilities true?",
        xlabel="said: probability of a purchase in the holdout",
        ylabel="happened: share who bought",
        xlim=(-0.03, 1.03),
        ylim=(-0.03, 1.03),
    )
    axes.legend(
        frameon=False,
        loc="best",
        title=f"dot: customers, bar: 95 % of chance\n(bins of {_BIN_MIN} customers or more)",
    )


def _noise(share: np.ndarray, size: np.ndarray) -> np.ndarray:
    """How far below and above a share its 95 % interval reaches, which never leaves 0 to 1.

    Args:
        share: (n,) of whom it happened to.
        size: (n,) of how many.

    Returns:
        (2, n) both >= 0.

    Source: Wilson (1927), J. Am. Stat. Assoc. 22, p. 212.
    """
    widened = 1 + _TWO_SIDED_95**2 / size
    middle = (share + _TWO_SIDED_95**2 / (2 * size)) / widened
    spread = share * (1 - share) / size + (_TWO_SIDED_95 / (2 * size)) ** 2
    half = _TWO_SIDED_95 * np.sqrt(spread) / widened
    return np.maximum([share - (middle - half), middle + half - share], 0.0)


def _tracking(axes: Axes, result: Evaluation, purchases: PurchaseDays) -> None:
    start = int(result.customers.first_day.min())
    until = result.end_day + result.holdout_days
    weeks = (until - start) // _DAYS_PER_WEEK
    known = np.isin(purchases.customer, result.customers.customer)
    day, customer = purchases.day[known], purchases.customer[known]
    first_day = np.zeros(int(customer.max()) + 1, dtype=np.int64)
    first_day[result.customers.customer] = result.customers.first_day
    repeat = day > first_day[customer]
    week = (day[repeat] - start - 1) // _DAYS_PER_WEEK
    actual = np.bincount(week[week < weeks], minlength=weeks)
    numbers = np.arange(1, weeks + 1)
    axes.plot(numbers, actual, color=_ACTUAL, linewidth=1.4, label="actual")
    for name, params in result.params.items():
        expected = weekly_repeats(params, result.customers, weeks, start)
        axes.plot(numbers, expected, color=_COLOURS[name], linewidth=1.2, label=name)
    axes.axvline((result.end_day - start) / _DAYS_PER_WEEK, color="#bbbbbb", linewidth=1)
    axes.annotate(
        "calibration | holdout",
        ((result.end_day - start) / _DAYS_PER_WEEK, 0.015),
        xycoords=("data", "axes fraction"),
        ha="center",
        color="#777777",
    )
    axes.set(title="Repeat purchases by week", xlabel="week", ylabel="purchases", ylim=(0, None))
    axes.legend(frameon=False)


def _frequencies(axes: Axes, result: Evaluation) -> None:
    group, names = _groups(result.customers.frequency.astype(int))
    size = np.bincount(group)
    shown = np.arange(size.size)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(group, values) / size

    axes.plot(shown, mean(result.outcome.purchases), "o-", color=_ACTUAL, label="actual")
    for name, scored in result.models.items():
        purchases = mean(scored.prediction.purchases)
        axes.plot(shown, purchases, "o-", color=_COLOURS[name], markersize=3, label=name)
    axes.set(
        title="Purchases in the holdout by those before",
        xlabel="repeat purchases in the calibration (customers)",
        ylabel="mean purchases in the holdout",
        ylim=(0, None),
    )
    labels = [f"{name}\n({count:,})" for name, count in zip(names, size.tolist(), strict=True)]
    axes.set_xticks(shown, labels)
    axes.legend(frameon=False)


def _groups(frequency: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Which group of frequency each customer is in, and the groups' names; none is empty."""
    if np.mean(frequency >= _FREQUENT) <= _FREQUENT_SHARE_MAX:
        capped = np.minimum(frequency, _FREQUENT)
        values, group = np.unique(capped, return_inverse=True)
        return group, [f"{x}+" if x == _FREQUENT else str(x) for x in values.tolist()]
    edges = np.unique(np.quantile(frequency, np.linspace(0, 1, 11)[:-1], method="higher"))
    ends = [*(edges[1:] - 1).tolist(), int(frequency.max())]
    names = [
        str(low) if low == high else f"{low}-{high}"
        for low, high in zip(edges.tolist(), ends, strict=True)
    ]
    return np.searchsorted(edges, frequency, side="right") - 1, names
