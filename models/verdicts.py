"""How predictions came true: chances of a purchase within 30 days, judged when these are over.

A customer has one prediction open, made where the window under judgement begins, of what was
known then. When the window ends, the verdict is whether there was a purchase in it, and the next
prediction is made in the same instant. Windows that end while nobody looks are judged at the next
look or event, before it is applied: what was known of a silence does not change in it.
"""

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from models.fact_rows import Int64s
from models.judged_windows import SILENT_WINDOWS_MAX, WINDOW_DAYS, WINDOW_MS, window_start_ms
from models.state import NOT_BEGUN, NOTHING
from models.valuation import Valuation

if TYPE_CHECKING:
    from models.batch import Customer

BASIS_POINTS: Final = 10_000
"""Chances are kept, and judged, as whole hundredths of a percent."""

# Most customers of most shops are in the lowest tenth: there the bins are finer.
_BOUNDS_BP: Final = (0, 100, 200, 500, *range(1_000, BASIS_POINTS + 1, 1_000))

BINS: Final = tuple(
    f"{low / BASIS_POINTS:.2f}-{high / BASIS_POINTS:.2f}" for low, high in pairwise(_BOUNDS_BP)
)
"""Names of the bins of chances, ascending; each holds its lower bound, the last one also 1."""

_INNER_BP: Final = np.array(_BOUNDS_BP[1:-1], dtype=np.int64)
_NUMBERS: Final = 6  # that are noted of each silence in which a window ended
_NONE: Final = -1
_SILENT_MS_MAX: Final = SILENT_WINDOWS_MAX * WINDOW_MS


@dataclass
class Verdicts:
    """Sums over judged predictions, by number of the bin; exact.

    Attributes:
        judged: how many.
        active: those whose customer bought.
        chance_bp: their chances, basis points.
        squared_error_bp2: over all bins, (chance less 1 where active, else 0) squared, in squared
            basis points.
    """

    judged: Counter[int] = field(default_factory=Counter)
    active: Counter[int] = field(default_factory=Counter)
    chance_bp: Counter[int] = field(default_factory=Counter)
    squared_error_bp2: int = 0


def verdicts_on(chance_bp: Int64s, active: Int64s) -> Verdicts:
    """The sums over predictions.

    Args:
        chance_bp: (n,) chances, basis points.
        active: (n,) 1 where there was a purchase, else 0.
    """
    bins = np.searchsorted(_INNER_BP, chance_bp, side="right")
    error = chance_bp - BASIS_POINTS * active
    return Verdicts(
        _by_bin(bins, np.ones_like(bins)),
        _by_bin(bins, active),
        _by_bin(bins, chance_bp),
        int(error @ error),
    )


def _by_bin(bins: Int64s, amounts: Int64s) -> Counter[int]:
    # Sums of whole numbers stay exact in float64 below 2^53: a batch is far from it.
    sums = np.bincount(bins, weights=amounts, minlength=len(BINS)).astype(np.int64)
    return Counter({number: total for number, total in enumerate(sums.tolist()) if total})


class EndedWindows:
    """Collects, over a batch, the silences in which windows ended."""

    __slots__ = ("_numbers", "_who")

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._who: list[Customer] = []

    def add(self, customer: "Customer", silent: int, until_ms: int, last_at_ms: int) -> None:
        """A customer lived from the last row until now, and a window may have ended.

        Args:
            customer: still at its last row; learns where its next window ends.
            silent: row of the facts of that time.
            until_ms: its end, itself included.
            last_at_ms: last purchase by these facts, epoch ms; 0 for none.
        """
        state, since_ms = customer.state, customer.as_of_ms
        begun_ms = window_start_ms(customer.key, until_ms)
        customer.window_ms = begun_ms + WINDOW_MS
        if not since_ms or state.chance_bp == NOT_BEGUN:
            state.chance_bp = NOTHING
        elif since_ms >= begun_ms:
            return
        elif begun_ms - since_ms > _SILENT_MS_MAX or not last_at_ms or silent == _NONE:
            # No purchase, no prediction; and no deadline, so no silence, where clocks went mad.
            state.chance_bp = NOTHING
            customer.judged = _NONE
        else:
            judged, chance_bp = customer.judged, state.chance_bp
            self._numbers += (silent, since_ms, begun_ms, last_at_ms, judged, chance_bp)
            customer.judged = len(self._who)
            self._who.append(customer)

    def judge(self, valuation: Valuation) -> Verdicts:
        """Judges what was open, and opens each customer's prediction of the window under way."""
        if not self._who:
            return Verdicts()
        numbers = np.array(self._numbers, dtype=np.int64).reshape(-1, _NUMBERS).T
        silent, since_ms, begun_ms, last_at_ms, earlier, stored_bp = numbers
        passed = (begun_ms - since_ms - 1) // WINDOW_MS + 1
        first_ms = begun_ms - (passed - 1) * WINDOW_MS
        active = (last_at_ms >= first_ms - WINDOW_MS).astype(np.int64)
        after = np.cumsum(passed)
        of = np.repeat(np.arange(passed.size), passed)
        number = np.arange(of.size) - (after - passed)[of]
        at_ms = first_ms[of] + number * WINDOW_MS
        chance = valuation.p_active(silent[of], at_ms, WINDOW_DAYS)
        chance_bp = np.rint(chance * BASIS_POINTS).astype(np.int64)
        newest_bp = chance_bp[after - 1]
        # What was open is what the same batch had opened before, or what was stored.
        open_bp = np.where(earlier == _NONE, stored_bp, newest_bp[earlier])
        for index, (customer, opened_bp) in enumerate(
            zip(self._who, newest_bp.tolist(), strict=True)
        ):
            if customer.judged == index:
                customer.state.chance_bp = opened_bp
        known = open_bp != NOTHING
        over_bp = np.delete(chance_bp, after - 1)  # predicted and over within the silence
        return verdicts_on(
            np.concatenate([open_bp[known], over_bp]),
            np.concatenate([active[known], np.zeros_like(over_bp)]),
        )
