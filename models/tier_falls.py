"""When silence takes a customer below their tier: days leave the window, and the prediction falls.

Net revenue of the trailing 365 days changes at the beginnings of days only, when a day leaves the
window: it drops, or, where the day's refunds exceed its purchases, rises. Up to the first such rise
the tier value therefore only falls, and its way down to a threshold is a search over the days that
leave and one root.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, Indices, Ints
from models.bisection import first
from models.descents import Descent
from models.silences import Silences
from models.tiers import ROLLING_DAYS
from models.valuation import Figures, Valuation


class TierFalls:
    """When tier values fall below what holds the tiers, or may begin to rise.

    Attributes:
        sought: the predicted values that are to be found.
    """

    def __init__(self, valuation: Valuation, silences: Silences) -> None:
        """Prepares the search.

        Args:
            valuation: of the rows' facts.
            silences: (n,) whose tier values reach what holds their tiers.
        """
        figures, tier, end_ms = silences.figures, silences.tier, silences.end_ms
        rolling = valuation.rules.policy.tier_metric == "rolling"
        self._at_ms = found = np.full(figures.at_ms.shape, np.inf)
        stop_ms = end_ms
        if rolling:
            rise_ms = next_rises(valuation, figures.rows, figures.at_ms)
            stop_ms = np.minimum(stop_ms, rise_ms - 1.0)
            # Until a day with more refunds than purchases leaves, nothing is known of what follows.
            rising = np.flatnonzero(rise_ms <= end_ms)
            if rising.size:  # seldom: whoever refunded, on a day without as many purchases
                counts = tier[rising] > 0
                counts |= _can_rise(valuation, figures.take(rising), tier[rising])
                found[rising[counts]] = rise_ms[rising[counts]]
        chosen = np.flatnonzero((tier > 0) & (stop_ms > figures.at_ms))
        part = figures.take(chosen)
        floor = valuation.rules.tiers.falls[tier[chosen]]
        pieces = _pieces(valuation, part, floor, stop_ms[chosen], rolling=rolling)
        found[chosen] = np.minimum(found[chosen], pieces.drops_ms)
        inside, self.sought = _sought(valuation, part, pieces, silences.gap_ms[chosen])
        self._sought = chosen[inside]

    def at_ms(self, roots: Floats) -> Floats:
        """(n,) epoch ms, when those that are sought are found.

        They are early by at most the gap, or exact; inf where neither a fall nor a rise comes
        before the end.
        """
        self._at_ms[self._sought] = np.minimum(self._at_ms[self._sought], roots)
        return self._at_ms


class _Pieces(NamedTuple):
    """Of each row the piece of time, without a day leaving, in which its value falls too low."""

    start_ms: Floats
    end_ms: Floats
    target: Floats  # of the predicted value
    drops_ms: Floats  # when the next day leaves and takes the value below; inf if it does not


def _pieces(
    valuation: Valuation, figures: Figures, floor: Floats, stop_ms: Floats, *, rolling: bool
) -> _Pieces:
    rows = figures.rows
    start_ms = figures.at_ms.astype(np.float64)
    never = np.full(rows.shape, np.inf)
    if not rolling:
        target = floor - valuation.steady(rows, figures.at_ms)
        return _Pieces(start_ms, stop_ms, target, never)
    leaving = _Leaving(valuation, figures, stop_ms)
    # The first day to leave that takes the value below: at least one after which net revenue
    # alone is below, at most one after which not even the value predicted now would make up.
    low = first(np.ones_like(rows), leaving.count + 1, lambda j, i: leaving.left(j, i) < floor[i])
    high = first(
        low,
        leaving.count + 1,
        lambda j, i: leaving.left(j, i) + figures.predicted[i] < floor[i],
    )
    drop = first(
        low,
        np.minimum(high, leaving.count + 1),
        lambda j, i: (
            leaving.left(j, i) + valuation.predicted_if_bought(rows[i], leaving.at_ms(j, i))
            < floor[i]
        ),
    )
    every = np.arange(rows.size)
    drops = drop <= leaving.count
    drops_ms = np.where(drops, leaving.at_ms(np.minimum(drop, leaving.count), every), np.inf)
    begun_ms = np.where(drop > 1, leaving.at_ms(drop - 1, every), start_ms)
    return _Pieces(
        np.maximum(begun_ms, start_ms),
        np.minimum(drops_ms, stop_ms),
        floor - leaving.left(drop - 1, every),
        drops_ms,
    )


def _sought(
    valuation: Valuation, figures: Figures, pieces: _Pieces, gap_ms: Floats
) -> tuple[Indices, Descent]:
    """Which of the pieces may hold a root, and what is sought in them."""
    chosen = np.flatnonzero(
        (pieces.target > 0.0)
        & valuation.facts.bought[figures.rows]
        & (pieces.end_ms > pieces.start_ms)
    )
    sought = Descent.of(figures, chosen, pieces.target, figures.predicted, pieces.end_ms, gap_ms)
    start_ms = pieces.start_ms[chosen]
    later = np.flatnonzero(start_ms > sought.start_ms)
    if later.size:  # a day has left before
        then = valuation.forecast(sought.rows[later], start_ms[later])
        value = valuation.facts.order_value[sought.rows[later]] * then.expected_purchases
        sought.start_value[later], sought.p_alive[later] = value, then.p_alive
    return chosen, sought._replace(start_ms=start_ms)


class _Leaving:
    """The days that leave the window, from the instants of the figures up to a stop."""

    def __init__(self, valuation: Valuation, figures: Figures, stop_ms: Floats) -> None:
        self._buckets = valuation.facts.buckets
        self._days = valuation.rules.days
        self._starts = valuation.window_starts(figures.rows, figures.at_ms)
        last_day = self._days.day_array(stop_ms.astype(np.int64)) - ROLLING_DAYS
        # Most look so far ahead that all their days leave: these need no search.
        end = self._buckets.ends[figures.rows]
        some = np.flatnonzero(self._buckets.last_days[figures.rows] > last_day)
        end[some] = self._buckets.first_after(figures.rows[some], last_day[some])
        self.count = end - self._starts
        self._totals = self._buckets.running_minor[self._buckets.ends[figures.rows]]

    def left(self, j: Indices | Ints, i: Indices) -> Ints:
        """Net revenue of the i-th rows once j days have left, minor units; anything beyond."""
        gone = self._buckets.running_minor.take(self._starts[i] + j, mode="clip")
        left: Ints = self._totals[i] - gone
        return left

    def at_ms(self, j: Indices | Ints, i: Indices) -> Ints:
        """When the j-th day, from 1 on, leaves the i-th rows; anything where there is none."""
        bucket = np.clip(self._starts[i] + j - 1, 0, max(self._buckets.keys.size - 1, 0))
        if not self._buckets.keys.size:
            return np.zeros(np.shape(bucket), dtype=np.int64)
        return self._days.start_ms_array(self._buckets.day(bucket) + ROLLING_DAYS)


def next_rises(valuation: Valuation, rows: Indices, after_ms: Ints) -> Floats:
    """When the first day with more refunds than purchases leaves the window.

    Returns:
        (n,) epoch ms, the beginning of a day, after `after_ms`; inf where there is none.
    """
    buckets = valuation.facts.buckets
    found = np.full(rows.shape, np.inf)
    negative = np.flatnonzero(buckets.net_minor < 0)
    if negative.size:
        days = valuation.rules.days
        starts = valuation.window_starts(rows, after_ms)
        at = np.searchsorted(negative, starts)
        bucket = np.append(negative, buckets.keys.size)[at]
        inside = bucket < buckets.ends[rows]
        leaves = days.start_ms_array(buckets.day(bucket[inside]) + ROLLING_DAYS)
        found[inside] = leaves
    return found


def _can_rise(valuation: Valuation, figures: Figures, tier: Indices) -> NDArray[np.bool_]:
    """Whether days with more refunds than purchases could lift the value to the next tier."""
    ladder = valuation.rules.tiers
    next_up = np.append(ladder.rises[1:], np.inf)[tier]
    buckets = valuation.facts.buckets
    refunds = np.zeros(buckets.net_minor.size + 1, dtype=np.int64)
    np.cumsum(np.minimum(buckets.net_minor, 0), out=refunds[1:])
    starts = valuation.window_starts(figures.rows, figures.at_ms)
    back = refunds[starts] - refunds[buckets.ends[figures.rows]]
    reachable: NDArray[np.bool_] = figures.tier_value + back >= next_up
    return reachable
