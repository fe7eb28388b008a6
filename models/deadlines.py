"""When silence alone would change a tier or a level, or make a score stale.

Predicted value and p_active fall strictly while a customer is silent. Net revenue of the trailing
365 days changes at the beginnings of days only, when a day leaves the window: it drops, or, where
the day's refunds exceed its purchases, rises. Up to the first such rise the tier value therefore
only falls, and its way down to a threshold is a search over the days that leave and one root.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.churn import active_target
from models.fact_rows import Int64s
from models.ladder import Floats, Indices
from models.roots import Search, last_above
from models.tiers import ROLLING_DAYS
from models.times import MS_PER_DAY
from models.valuation import Figures, Valuation

LOOKAHEAD_DAYS: Final = 20 * 365
"""What is further away is taken for never; whoever is silent until then is looked at anyway."""

STALE_RISK: Final = 0.05
"""A score is stale when its churn risk has moved by this much since it was published ..."""
STALE_SHARE: Final = 0.1
"""... or its predicted value by this share, and by at least one minor unit."""

# Deadlines are early by at most this; seen from a tick of 250 ms it is nothing.
_EXACT_MS: Final = 20.0
# A refresh may come early by this share of its time: each digit more costs a look at the curve.
_REFRESH_SHARE: Final = 0.02
# So what has moved by this share of what makes it stale is refreshed when it is looked at.
STALE_ENOUGH: Final = 0.95


class Due(NamedTuple):
    """Instants in epoch ms, inf for never; both (n,).

    Attributes:
        valid_until_ms: the first change of tier or level by silence, or earlier.
        look_ms: when the customer must be looked at: that, or when the score becomes stale.
    """

    valid_until_ms: Floats
    look_ms: Floats


class Published(NamedTuple):
    """What was said last, and is compared to tell whether it is stale; both (n,).

    Attributes:
        p_active: at the instant of the published score.
        predicted_minor: predicted value as published.
    """

    p_active: Floats
    predicted_minor: Int64s


def due(
    valuation: Valuation,
    figures: Figures,
    tier: Indices,
    level: Indices,
    published: Published | None = None,
) -> Due:
    """When silence, from the instants of the figures on, makes each row due.

    Args:
        valuation: of the rows' facts.
        figures: (n,) rows at the instants from which on there is silence.
        tier: (n,) their tiers.
        level: (n,) their churn levels.
        published: (n,) what was said last; None where the figures are published now.
    """
    if published is None:
        published = Published(figures.p_active, np.floor(figures.predicted).astype(np.int64))
    end_ms = figures.at_ms + LOOKAHEAD_DAYS * MS_PER_DAY
    falls = tier_falls(valuation, figures, tier, end_ms)
    rises = level_rises(valuation, figures, level, np.minimum(falls, end_ms))
    valid_until_ms = np.minimum(falls, rises)
    stale_ms = _stale(valuation, figures, published, np.minimum(valid_until_ms, end_ms))
    return Due(valid_until_ms, np.minimum(valid_until_ms, stale_ms))


def tier_falls(
    valuation: Valuation, figures: Figures, tier: Indices, end_ms: Int64s | Floats
) -> Floats:
    """When the tier value falls below what holds the tier, or may begin to rise.

    Args:
        valuation: of the rows' facts.
        figures: (n,) rows at the instants from which on there is silence.
        tier: (n,) tiers; the tier value reaches what holds them.
        end_ms: (n,) where to stop looking, itself included.

    Returns:
        (n,) epoch ms, early by at most 20 ms or exact; inf where neither happens before the end.
    """
    rolling = valuation.rules.policy.tier_metric == "rolling"
    floor = valuation.rules.tiers.falls[tier]
    found = np.full(figures.at_ms.shape, np.inf)
    stop_ms = end_ms.astype(np.float64)
    if rolling:
        rise_ms = _next_rise(valuation, figures)
        stop_ms = np.minimum(stop_ms, rise_ms - 1.0)
        # Until a day with more refunds than purchases leaves, nothing is known of what follows.
        rising = np.flatnonzero(rise_ms <= end_ms)
        if rising.size:  # seldom: whoever refunded, on a day without as many purchases
            counts = tier[rising] > 0
            counts |= _can_rise(valuation, figures.take(rising), tier[rising])
            found[rising[counts]] = rise_ms[rising[counts]]
    chosen = np.flatnonzero((tier > 0) & (stop_ms > figures.at_ms))
    if chosen.size:
        part = figures.take(chosen)
        pieces = _pieces(valuation, part, floor[chosen], stop_ms[chosen], rolling=rolling)
        found[chosen] = np.minimum(found[chosen], _fall_in(valuation, part, pieces))
    return found


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
            leaving.left(j, i) + _predicted(valuation, rows[i], leaving.at_ms(j, i)) < floor[i]
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


def _fall_in(valuation: Valuation, figures: Figures, pieces: _Pieces) -> Floats:
    """The root inside the piece, or its end where the value drops there."""
    found = pieces.drops_ms
    chosen = np.flatnonzero(
        (pieces.target > 0.0)
        & valuation.facts.bought[figures.rows]
        & (pieces.end_ms > pieces.start_ms)
    )
    if chosen.size:
        start_ms = pieces.start_ms[chosen]
        rows = figures.rows[chosen]
        later = start_ms > figures.at_ms[chosen]
        value, p_alive = figures.predicted[chosen], figures.p_alive[chosen]
        if later.any():
            then = valuation.forecast(rows[later], start_ms[later])
            value[later] = valuation.facts.order_value[rows[later]] * then.expected_purchases
            p_alive[later] = then.p_alive
        roots = _last_above(
            valuation,
            valuation.predicted,
            rows,
            pieces.target[chosen],
            start_ms,
            value,
            pieces.end_ms[chosen],
            p_alive,
            gap_share=0.0,
        )
        found[chosen] = np.minimum(found[chosen], roots)
    return found


class _Leaving:
    """The days that leave the window, from the instants of the figures up to a stop."""

    def __init__(self, valuation: Valuation, figures: Figures, stop_ms: Floats) -> None:
        self._buckets = valuation.facts.buckets
        self._days = valuation.rules.days
        self._starts = self._buckets.first_after(
            figures.rows, self._days.day_array(figures.at_ms) - ROLLING_DAYS
        )
        last_day = self._days.day_array(stop_ms.astype(np.int64)) - ROLLING_DAYS
        # Most look so far ahead that all their days leave: these need no search.
        end = self._buckets.ends[figures.rows]
        some = np.flatnonzero(self._buckets.last_days[figures.rows] > last_day)
        end[some] = self._buckets.first_after(figures.rows[some], last_day[some])
        self.count = end - self._starts
        self._totals = self._buckets.running_minor[self._buckets.ends[figures.rows]]

    def left(self, j: Indices | Int64s, i: Indices) -> Int64s:
        """Net revenue of the i-th rows once j days have left, minor units."""
        left: Int64s = self._totals[i] - self._buckets.running_minor[self._starts[i] + j]
        return left

    def at_ms(self, j: Indices | Int64s, i: Indices) -> Int64s:
        """When the j-th day, from 1 on, leaves the i-th rows; anything where there is none."""
        bucket = np.clip(self._starts[i] + j - 1, 0, max(self._buckets.keys.size - 1, 0))
        if not self._buckets.keys.size:
            return np.zeros(np.shape(bucket), dtype=np.int64)
        return self._days.start_ms_array(self._buckets.day(bucket) + ROLLING_DAYS)


def _predicted(valuation: Valuation, rows: Indices, at_ms: Int64s) -> Floats:
    value: Floats = np.where(valuation.facts.bought[rows], valuation.predicted(rows, at_ms), 0.0)
    return value


def first(
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    holds: Callable[[NDArray[np.int64], Indices], NDArray[np.bool_]],
) -> NDArray[np.int64]:
    """Of each row the smallest number from which on something holds.

    Args:
        low: (n,) smallest number that may be.
        high: (n,) what is returned where it holds for none below.
        holds: (m,) numbers and the (m,) rows that they belong to, to (m,) truths.
    """
    low, high = low.copy(), high.copy()
    rows = np.flatnonzero(low < high)
    while rows.size:
        middle = (low[rows] + high[rows]) // 2
        true = holds(middle, rows)
        high[rows[true]] = middle[true]
        low[rows[~true]] = middle[~true] + 1
        rows = rows[low[rows] < high[rows]]
    return high


def next_rises(valuation: Valuation, rows: Indices, after_ms: Int64s) -> Floats:
    """When the first day with more refunds than purchases leaves the window.

    Returns:
        (n,) epoch ms, the beginning of a day, after `after_ms`; inf where there is none.
    """
    buckets = valuation.facts.buckets
    found = np.full(rows.shape, np.inf)
    negative = np.flatnonzero(buckets.net_minor < 0)
    if negative.size:
        days = valuation.rules.days
        starts = buckets.first_after(rows, days.day_array(after_ms) - ROLLING_DAYS)
        at = np.searchsorted(negative, starts)
        bucket = np.append(negative, buckets.keys.size)[at]
        inside = bucket < buckets.ends[rows]
        leaves = days.start_ms_array(buckets.day(bucket[inside]) + ROLLING_DAYS)
        found[inside] = leaves
    return found


def _next_rise(valuation: Valuation, figures: Figures) -> Floats:
    return next_rises(valuation, figures.rows, figures.at_ms)


def _can_rise(valuation: Valuation, figures: Figures, tier: Indices) -> NDArray[np.bool_]:
    """Whether days with more refunds than purchases could lift the value to the next tier."""
    ladder = valuation.rules.tiers
    next_up = np.append(ladder.rises[1:], np.inf)[tier]
    buckets = valuation.facts.buckets
    refunds = np.zeros(buckets.net_minor.size + 1, dtype=np.int64)
    np.cumsum(np.minimum(buckets.net_minor, 0), out=refunds[1:])
    starts = buckets.first_after(
        figures.rows, valuation.rules.days.day_array(figures.at_ms) - ROLLING_DAYS
    )
    back = refunds[starts] - refunds[buckets.ends[figures.rows]]
    reachable: NDArray[np.bool_] = figures.tier_value + back >= next_up
    return reachable


def level_rises(valuation: Valuation, figures: Figures, level: Indices, end_ms: Floats) -> Floats:
    """When the decline reaches the next churn level: as `tier_falls`."""
    ladder = valuation.rules.levels
    found = np.full(figures.at_ms.shape, np.inf)
    threshold = np.append(ladder.rises[1:], np.inf)[level]
    chosen = np.flatnonzero(
        valuation.facts.bought[figures.rows]
        & ~valuation.level_held[figures.rows]
        & np.isfinite(threshold)
        & (end_ms > figures.at_ms)
    )
    if chosen.size:
        rows = figures.rows[chosen]
        found[chosen] = _last_above(
            valuation,
            valuation.p_active,
            rows,
            active_target(valuation.at_purchase.p_active[rows], threshold[chosen]),
            figures.at_ms[chosen].astype(np.float64),
            figures.p_active[chosen],
            end_ms[chosen],
            figures.p_alive[chosen],
            gap_share=0.0,
        )
    return found


def is_stale(valuation: Valuation, figures: Figures, published: Published) -> NDArray[np.bool_]:
    """Whether silence has moved the figures too far away from what was said of them."""
    said = published.predicted_minor
    risk = published.p_active - figures.p_active >= STALE_ENOUGH * STALE_RISK
    value = said - figures.predicted >= STALE_ENOUGH * (said - _stale_value(said))
    stale: NDArray[np.bool_] = valuation.facts.bought[figures.rows] & (risk | (value & (said > 0)))
    return stale


def _stale_value(said: Int64s) -> Floats:
    value: Floats = np.minimum(said * (1.0 - STALE_SHARE), said - 1.0)
    return value


def _stale(valuation: Valuation, figures: Figures, published: Published, end_ms: Floats) -> Floats:
    """When the churn risk or the predicted value will have moved away from what is published."""
    found = np.full(figures.at_ms.shape, np.inf)
    bought = valuation.facts.bought[figures.rows] & (end_ms > figures.at_ms)
    for curve, value, target in (
        (valuation.p_active, figures.p_active, published.p_active - STALE_RISK),
        (valuation.predicted, figures.predicted, _stale_value(published.predicted_minor)),
    ):
        chosen = np.flatnonzero(bought & (target > 0.0))
        if chosen.size:
            found[chosen] = np.minimum(
                found[chosen],
                _last_above(
                    valuation,
                    curve,
                    figures.rows[chosen],
                    target[chosen],
                    figures.at_ms[chosen].astype(np.float64),
                    value[chosen],
                    np.minimum(end_ms, found)[chosen],
                    figures.p_alive[chosen],
                    gap_share=_REFRESH_SHARE,
                ),
            )
    return found


def _last_above(
    valuation: Valuation,
    curve: Callable[[Indices, Floats], Floats],
    rows: Indices,
    target: Floats,
    start_ms: Floats,
    start_value: Floats,
    end_ms: Floats,
    p_alive: Floats,
    *,
    gap_share: float,
) -> Floats:
    facts = valuation.facts
    return last_above(
        lambda part, at_ms: curve(rows[part], at_ms),
        Search(
            target=target,
            origin_ms=facts.origin_ms[rows],
            start_ms=start_ms,
            start_value=start_value,
            end_ms=end_ms,
            p_there=p_alive,
            shape=valuation.rules.policy.params.r + facts.frequency[rows],
            gap_ms=_EXACT_MS,
            gap_share=gap_share,
        ),
    )
