"""The exact instants of silent crossings: the first millisecond at which the new side holds.

A crossing is found after the fact, between two instants at which a customer was looked at. Its
millisecond does not depend on which those were: a search comes close, and whole milliseconds
around it decide.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, Indices, Ints
from models.bisection import first
from models.churn import activity_decline
from models.deadlines import level_rises
from models.tier_falls import tier_falls
from models.tiers import tier_value
from models.valuation import Valuation

_NEAR_MS: Final = 32  # wider than the gap of a search, so that its answer is inside


def tier_crossings(
    valuation: Valuation, rows: Indices, steps: Indices, start_ms: Ints, end_ms: Ints
) -> Ints:
    """When each row's tier value fell below what holds its step.

    Args:
        valuation: of the rows' facts.
        rows: (n,) rows, silent from start to end; no day with more refunds than purchases
            leaves the window in between.
        steps: (n,) tiers, above the lowest, that were left.
        start_ms: (n,) instants at which the tier still held.
        end_ms: (n,) instants at which it does no more.

    Returns:
        (n,) epoch ms in (start, end].
    """
    floor = valuation.rules.tiers.falls[steps]
    about_ms = tier_falls(valuation, valuation.figures(rows, start_ms), steps, end_ms)

    def fallen(at_ms: Ints, part: Indices) -> NDArray[np.bool_]:
        chosen = rows[part]
        predicted = valuation.predicted_if_bought(chosen, at_ms)
        below: NDArray[np.bool_] = (
            tier_value(valuation.steady(chosen, at_ms), predicted) < floor[part]
        )
        return below

    return _first_instant(fallen, about_ms, start_ms, end_ms)


def level_crossings(
    valuation: Valuation, rows: Indices, steps: Indices, start_ms: Ints, end_ms: Ints
) -> Ints:
    """When each row's decline reached a churn level.

    Args:
        valuation: of the rows' facts.
        rows: (n,) rows with a purchase, silent from start to end.
        steps: (n,) levels, above the lowest, that were entered.
        start_ms: (n,) instants at which the level was not yet reached.
        end_ms: (n,) instants at which it is.

    Returns:
        (n,) epoch ms in (start, end].
    """
    threshold = valuation.rules.levels.rises[steps]
    figures = valuation.figures(rows, start_ms)
    about_ms = level_rises(valuation, figures, steps - 1, end_ms.astype(np.float64))

    def risen(at_ms: Ints, part: Indices) -> NDArray[np.bool_]:
        chosen = rows[part]
        now = valuation.p_active(chosen, at_ms)
        reached: NDArray[np.bool_] = (
            activity_decline(now, valuation.at_purchase.p_active[chosen]) >= threshold[part]
        )
        return reached

    return _first_instant(risen, about_ms, start_ms, end_ms)


def _first_instant(
    holds: Callable[[Ints, Indices], NDArray[np.bool_]],
    about_ms: Floats,
    start_ms: Ints,
    end_ms: Ints,
) -> Ints:
    """The first whole millisecond in (start, end] from which on it holds; at the end it does."""
    about = np.minimum(about_ms, end_ms).astype(np.int64)
    low = np.clip(about - 1, start_ms + 1, end_ms)
    high = np.minimum(low + _NEAR_MS, end_ms)
    every = np.arange(low.size)
    # Should the search have stopped early, the whole of what is left is searched.
    late = (high < end_ms) & ~holds(high, every)
    high[late] = end_ms[late]
    return first(low, high, holds)
