"""From rows to moves: each customer's tier and level, followed row after row.

The bounds of `models.ladder` come for all rows at once; what is left to do in order is to clamp
the current step between them. A silence is clamped before its row. Whatever a change will say is
looked up afterwards, for all changes together.
"""

import msgspec
import numpy as np

from models.arrays import Floats, Indices
from models.batch import Batch, Customer, Rows
from models.changes import CHURN, TIER, Kind
from models.fact_rows import NONE
from models.ladder import LOWEST, Ladder, settle
from models.tier_falls import next_rises
from models.valuation import Figures, Valuation


class Silence(msgspec.Struct, frozen=True, gc=False):
    """A time without events, in which the tier value only falls.

    Attributes:
        fact_row: facts of the time.
        start_ms: where it begins.
        end_ms: where it ends, itself included.
        look: number of the figures at its end.
    """

    fact_row: int
    start_ms: int
    end_ms: int
    look: int


class Move(msgspec.Struct, frozen=True, gc=False):
    """A step left for another one.

    Attributes:
        kind: `TIER` or `CHURN`.
        row: number of the row at which it was found.
        before: step that is left; None where it has no number.
        after: step that is entered.
        silence: the time in which it happened; None where the row's event caused it.
    """

    kind: Kind
    row: int
    before: int | None
    after: int
    silence: Silence | None


class Looks:
    """The figures of all rows and silences of a batch, and where they stand.

    Attributes:
        rows: the batch's.
        figures: first those of the rows, in their order, then those of silences.
        at_end: by row, number of the figures at the end of the silence before; NONE for none.
        cuts: by row, the parts of a silence in which the tier value rises.
    """

    def __init__(self, batch: Batch, valuation: Valuation) -> None:
        self.rows = rows = batch.rows()
        count = rows.at_ms.size
        before = np.flatnonzero(rows.silent != NONE)
        # A look leaves the facts as they are, an engagement without an offset does too: the
        # figures are the silence's.
        apart = before[rows.silent[before] != rows.facts[before]]
        at_end = np.full(count, NONE)
        at_end[before] = before
        at_end[apart] = count + np.arange(apart.size)
        self.at_end: list[int] = at_end.tolist()
        self.cuts: dict[int, list[Silence]] = {}
        facts, at_ms = [rows.facts, rows.silent[apart]], [rows.at_ms, rows.at_ms[apart]]
        cuts = _cuts(valuation, rows, before)
        if cuts:
            extra = self._cut(cuts, count + apart.size)
            facts.append(np.array([silence.fact_row for silence in extra], dtype=np.int64))
            at_ms.append(np.array([silence.end_ms for silence in extra], dtype=np.int64))
        self.figures: Figures = valuation.figures(np.concatenate(facts), np.concatenate(at_ms))

    def silence(self, row: int) -> Silence:
        """The silence before a row, which has one."""
        rows = self.rows
        return Silence(
            int(rows.silent[row]),
            int(rows.silent_from_ms[row]),
            int(rows.at_ms[row]),
            self.at_end[row],
        )

    def _cut(self, cuts: dict[int, list[int]], number: int) -> list[Silence]:
        """Cuts silences to parts; the figures at the ends of all but the last are new."""
        extra: list[Silence] = []
        for row, instants in cuts.items():
            whole = self.silence(row)
            parts = []
            start_ms = whole.start_ms
            for at_ms in instants:
                if start_ms < at_ms < whole.end_ms:
                    parts.append(Silence(whole.fact_row, start_ms, at_ms, number + len(extra)))
                    extra.append(parts[-1])
                    start_ms = at_ms
            parts.append(Silence(whole.fact_row, start_ms, whole.end_ms, whole.look))
            self.cuts[row] = parts
        return extra


def _cuts(valuation: Valuation, rows: Rows, before: Indices) -> dict[int, list[int]]:
    """By row, the instants before and at each rise of the tier value in the silence before it."""
    cuts: dict[int, list[int]] = {}
    if valuation.rules.policy.tier_metric != "rolling":
        return cuts
    after_ms = rows.silent_from_ms[before]
    while before.size:
        rise_ms = next_rises(valuation, rows.silent[before], after_ms)
        inside = rise_ms <= rows.at_ms[before]
        before, after_ms = before[inside], rise_ms[inside].astype(np.int64)
        for row, at_ms in zip(before.tolist(), after_ms.tolist(), strict=True):
            cuts.setdefault(row, []).extend((at_ms - 1, at_ms))
    return cuts


def follow(  # noqa: C901 - one loop, without a call where nothing moves
    batch: Batch, valuation: Valuation, looks: Looks
) -> list[Move]:
    """Moves each customer's tier and level along its rows.

    Args:
        batch: whose customers get the tiers and levels that they have after their last rows.
        valuation: of the batch's facts.
        looks: figures of its rows and silences.

    Returns:
        The moves, in the order in which they happened to each customer.
    """
    tiers = _Bounds(valuation.rules.tiers, looks.figures.tier_value)
    levels = _Bounds(valuation.rules.levels, looks.figures.decline)
    tier_up, tier_hold, level_up, level_hold = tiers.up, tiers.hold, levels.up, levels.hold
    held: list[bool] = valuation.level_held.tolist()
    fact_rows: list[int] = looks.rows.facts.tolist()
    cuts = looks.cuts
    moves: list[Move] = []
    for row, (customer, look) in enumerate(zip(batch.who, looks.at_end, strict=True)):
        tier, level = customer.tier, customer.level
        if look != NONE:
            if row in cuts:
                for silence in cuts[row]:
                    _pass(customer, silence, row, tiers, levels, held, moves)
                tier, level = customer.tier, customer.level
            elif not (
                (tier is None or tier_up[look] <= tier <= tier_hold[look])
                and (level is None or level_up[look] <= level <= level_hold[look])
            ):
                _pass(customer, looks.silence(row), row, tiers, levels, held, moves)
                tier, level = customer.tier, customer.level
        if tier is None or not tier_up[row] <= tier <= tier_hold[row]:
            customer.tier = settle(tier, tier_up[row], tier_hold[row])
            moves.append(Move(TIER, row, tier, customer.tier, None))
        if level is None or not level_up[row] <= level <= level_hold[row]:
            if not held[fact_rows[row]]:
                customer.level = settle(level, level_up[row], level_hold[row])
            elif level is None:
                customer.level = LOWEST
            if customer.level != level:
                assert customer.level is not None, "a level is never lost"
                moves.append(Move(CHURN, row, level, customer.level, None))
    return moves


def _pass(
    customer: Customer,
    silence: Silence,
    row: int,
    tiers: "_Bounds",
    levels: "_Bounds",
    held: list[bool],
    moves: list[Move],
) -> None:
    """Lets a customer live through a silence."""
    look = silence.look
    tier, level = customer.tier, customer.level
    if not tiers.allow(tier, look):
        customer.tier = settle(tier, tiers.up[look], tiers.hold[look])
        moves.append(Move(TIER, row, tier, customer.tier, silence))
    if not levels.allow(level, look) and not held[silence.fact_row]:
        customer.level = settle(level, levels.up[look], levels.hold[look])
        moves.append(Move(CHURN, row, level, customer.level, silence))


class _Bounds:
    """The bounds of a ladder as lists: reading single elements of arrays is slow."""

    __slots__ = ("hold", "up")

    def __init__(self, ladder: Ladder, values: Floats) -> None:
        up, hold = ladder.bounds(values)
        self.up: list[int] = up.tolist()
        self.hold: list[int] = hold.tolist()

    def allow(self, step: int | None, look: int) -> bool:
        """Whether silence leaves the step; it moves none that is not known."""
        return step is None or self.up[look] <= step <= self.hold[look]
