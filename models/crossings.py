"""The exact instants of silent crossings: the first millisecond at which the new side holds.

A crossing is found after the fact, between two instants at which a customer was looked at. Its
millisecond does not depend on which those were: a search comes close (`models.deadlines`), and
whole milliseconds around it decide.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, Indices, Ints
from models.bisection import first
from models.churn import activity_decline
from models.silences import Silences
from models.tiers import tier_value
from models.valuation import Valuation

_GAP_MS: Final = 1.0  # how far before the truth a search is to end

# Milliseconds that are looked at, from the one that a search ended in: where it kept to the gap,
# the truth is among the last three, and the first is before it.
_NEAR_MS: Final = np.arange(-1, 3)


class Crossings(NamedTuple):
    """Thresholds that silences have crossed somewhere between two instants; all (n,).

    No day with more refunds than purchases leaves the window in between.

    Attributes:
        of_tier: whether it is a tier that was left, else a churn level that was entered.
        rows: rows of facts of the silences; of levels, rows with a purchase.
        steps: the tier or the level, above the lowest.
        start_ms: epoch ms, not yet crossed.
        end_ms: epoch ms, crossed.
    """

    of_tier: NDArray[np.bool_]
    rows: Indices
    steps: Indices
    start_ms: Ints
    end_ms: Ints

    @property
    def size(self) -> int:
        """How many there are."""
        return self.rows.size

    def silences(self, valuation: Valuation) -> Silences:
        """Their silences, with nothing asked but the threshold."""
        lowest, highest = 0, len(valuation.rules.levels.names) - 1
        return Silences.of(
            valuation.figures(self.rows, self.start_ms),
            np.where(self.of_tier, self.steps, lowest),
            np.where(self.of_tier, highest, self.steps - 1),
            self.end_ms,
            _GAP_MS,
        )


NOTHING_CROSSED: Final = Crossings(
    np.empty(0, np.bool_), *(np.empty(0, np.int64) for _ in range(4))
)


def first_ms(valuation: Valuation, crossings: Crossings, about_ms: Floats) -> Ints:
    """When each threshold was crossed.

    Args:
        valuation: of the rows' facts.
        crossings: (n,) thresholds.
        about_ms: (n,) epoch ms where a search of their silences has ended; a wrong one costs
            time, no more.

    Returns:
        (n,) epoch ms in (start, end].
    """
    start_ms, end_ms = crossings.start_ms, crossings.end_ms
    if not crossings.size:
        return end_ms
    crossed = _predicate(valuation, crossings)
    near_ms = np.minimum(about_ms, end_ms).astype(np.int64) + _NEAR_MS[:, None]
    near_ms = np.clip(near_ms, start_ms, end_ms)
    every = np.arange(start_ms.size)
    holds = crossed(near_ms.ravel(), np.tile(every, _NEAR_MS.size)).reshape(near_ms.shape)
    holds = (holds & (near_ms > start_ms)) | (near_ms == end_ms)
    found: Ints = near_ms[np.argmax(holds, axis=0), every]
    astray = np.flatnonzero(holds[0] | ~holds[-1])
    if astray.size:
        found[astray] = first(
            start_ms[astray] + 1, end_ms[astray], lambda at_ms, part: crossed(at_ms, astray[part])
        )
    return found


def _predicate(
    valuation: Valuation, crossings: Crossings
) -> Callable[[Ints, Indices], NDArray[np.bool_]]:
    """Whether the new side holds: (k,) instants and numbers of crossings to (k,) truths."""
    rules = valuation.rules

    def fallen(at_ms: Ints, rows: Indices, steps: Indices) -> NDArray[np.bool_]:
        predicted = valuation.predicted_if_bought(rows, at_ms)
        below: NDArray[np.bool_] = (
            tier_value(valuation.steady(rows, at_ms), predicted) < rules.tiers.falls[steps]
        )
        return below

    def risen(at_ms: Ints, rows: Indices, steps: Indices) -> NDArray[np.bool_]:
        now, then = valuation.p_active(rows, at_ms), valuation.at_purchase.p_active[rows]
        reached: NDArray[np.bool_] = activity_decline(now, then) >= rules.levels.rises[steps]
        return reached

    def crossed(at_ms: Ints, part: Indices) -> NDArray[np.bool_]:
        rows, steps, of_tier = (
            crossings.rows[part],
            crossings.steps[part],
            crossings.of_tier[part],
        )
        holds = np.empty(part.shape, dtype=np.bool_)
        for chosen, side in ((np.flatnonzero(of_tier), fallen), (np.flatnonzero(~of_tier), risen)):
            if chosen.size:
                holds[chosen] = side(at_ms[chosen], rows[chosen], steps[chosen])
        return holds

    return crossed
