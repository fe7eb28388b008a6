"""How predictions came true: chances of a purchase within 30 days, judged when these are over.

A customer has one prediction open, made where the window under judgement begins, of what was
known then. When the window ends, the verdict is whether there was a purchase in it, and the next
prediction is made in the same instant. Windows that end while nobody looks are judged at the next
look or event, before it is applied: what was known of a silence does not change in it.
"""

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Ints
from models.batch import Batch, Customer, Rows
from models.fact_rows import NONE
from models.judged_windows import SILENT_WINDOWS_MAX, WINDOW_DAYS, WINDOW_MS, window_ends_ms
from models.state import NOT_BEGUN, NOTHING
from models.valuation import Valuation

BASIS_POINTS: Final = 10_000
"""Chances are kept, and judged, as whole hundredths of a percent."""

# Most customers of most shops are in the lowest tenth: there the bins are finer.
_BOUNDS_BP: Final = (0, 100, 200, 500, *range(1_000, BASIS_POINTS + 1, 1_000))

BINS: Final = tuple(
    f"{low / BASIS_POINTS:.2f}-{high / BASIS_POINTS:.2f}" for low, high in pairwise(_BOUNDS_BP)
)
"""Names of the bins of chances, ascending; each holds its lower bound, the last one also 1."""

_INNER_BP: Final = np.array(_BOUNDS_BP[1:-1], dtype=np.int64)


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


def verdicts_on(chance_bp: Ints, active: Ints) -> Verdicts:
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


def _by_bin(bins: Ints, amounts: Ints) -> Counter[int]:
    # Sums of whole numbers stay exact in float64 below 2^53: a batch is far from it.
    sums = np.bincount(bins, weights=amounts, minlength=len(BINS)).astype(np.int64)
    return Counter({number: total for number, total in enumerate(sums.tolist()) if total})


class _Ended(NamedTuple):
    """Silences in which windows ended; all (n,), in the order in which they were lived through.

    Attributes:
        row: number of the row after each.
        silent: row of the facts of the time.
        first_ms: where the first of the windows ended.
        passed: how many did.
        earlier: number of the same customer's silence before it in the batch; NONE for none.
        stored_bp: what was open before the batch.
        unknown: nothing is said of what was before the window under way.
    """

    row: Ints
    silent: Ints
    first_ms: Ints
    passed: Ints
    earlier: Ints
    stored_bp: Ints
    unknown: NDArray[np.bool_]


def judge(batch: Batch, valuation: Valuation, rows: Rows) -> list[Verdicts]:
    """Judges what a batch's silences have ended, and opens what is predicted next.

    Args:
        batch: whose customers' states learn which chance is open after their last rows.
        valuation: of the batch's facts.
        rows: its rows. A window ends only in a silence that is among them: a deadline comes no
            later.

    Returns:
        The verdicts of each part.
    """
    who, ended = _ended(batch, valuation, rows)
    if not who:
        return [Verdicts() for _ in batch.begins]
    after = np.cumsum(ended.passed)
    of = np.repeat(np.arange(after.size), ended.passed)
    number = np.arange(of.size) - (after - ended.passed)[of]
    at_ms = ended.first_ms[of] + number * WINDOW_MS
    chance = valuation.p_active(ended.silent[of], at_ms, WINDOW_DAYS)
    chance_bp = np.rint(chance * BASIS_POINTS).astype(np.int64)
    newest_bp = np.where(ended.unknown, NOTHING, chance_bp[after - 1])
    for customer, opened_bp in zip(who, newest_bp.tolist(), strict=True):
        customer.state.chance_bp = opened_bp
    # What was open is what the same batch had opened before, or what was stored.
    open_bp = np.where(ended.earlier == NONE, ended.stored_bp, newest_bp[ended.earlier])
    known = (open_bp >= 0) & ~ended.unknown
    last_ms = valuation.facts.last_ms[ended.silent]
    active = (last_ms >= ended.first_ms - WINDOW_MS).astype(np.int64)
    # Predicted and over within the silence.
    over_bp, over_of = np.delete(chance_bp, after - 1), np.delete(of, after - 1)
    verdicts = []
    for own in batch.by_part(ended.row.tolist()):
        some = known[own]
        over = over_bp[slice(*np.searchsorted(over_of, (own.start, own.stop)))]
        verdicts.append(
            verdicts_on(
                np.concatenate([open_bp[own][some], over]),
                np.concatenate([active[own][some], np.zeros_like(over)]),
            )
        )
    return verdicts


def _ended(batch: Batch, valuation: Valuation, rows: Rows) -> tuple[list[Customer], _Ended]:
    """Who lived through a silence in which a window ended, and what it was."""
    chosen = np.flatnonzero(rows.silent != NONE)
    keys = [batch.who[row].key for row in chosen.tolist()]
    ends_ms = window_ends_ms(keys, rows.at_ms[chosen])
    since_ms = rows.silent_from_ms[chosen]
    passed = (ends_ms - since_ms - 1) // WINDOW_MS
    # Without a purchase there is no prediction.
    some = np.flatnonzero((passed > 0) & valuation.facts.bought[rows.silent[chosen]])
    chosen, ends_ms, passed = chosen[some], ends_ms[some], passed[some]
    who = [batch.who[row] for row in chosen.tolist()]
    unknown = passed > SILENT_WINDOWS_MAX
    earlier, stored_bp = [], []
    for index, customer in enumerate(who):
        earlier.append(customer.judged)
        stored_bp.append(customer.state.chance_bp)
        customer.judged = index
    earlier_silence, stored = np.array(earlier, np.int64), np.array(stored_bp, np.int64)
    unknown |= (stored == NOT_BEGUN) & (earlier_silence == NONE)
    passed = np.where(unknown, 1, passed)
    first_ms = ends_ms - passed * WINDOW_MS
    return who, _Ended(
        chosen, rows.silent[chosen], first_ms, passed, earlier_silence, stored, unknown
    )
