"""From rows to changes: each customer's tier and level, followed row after row.

The bounds of `models.ladder` come for all rows at once; what is left to do in order is to clamp
the current step between them. A silence is clamped before its row. Whatever a change will say is
looked up afterwards, for all changes together.
"""

from typing import NamedTuple

import numpy as np

from models.batch import NONE, Batch
from models.changes import CHURN, TIER
from models.deadlines import next_rises
from models.fact_rows import Int64s
from models.ladder import LOWEST, Indices, settle
from models.valuation import Figures, Valuation


class Silence(NamedTuple):
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


class Move(NamedTuple):
    """A step left for another one.

    Attributes:
        kind: `TIER` or `CHURN`.
        row: number of the row at which it was found.
        before: step that is left; None where it has no number.
        after: step that is entered.
        silence: the time in which it happened; None where the row's event caused it.
    """

    kind: str
    row: int
    before: int | None
    after: int
    silence: Silence | None


class Looks:
    """The figures of all rows and silences of a batch, and where they stand.

    Attributes:
        figures: first those of the rows, in their order, then those of silences.
        silences: by row, what lies before it.
    """

    figures: Figures
    silences: dict[int, list[Silence]]

    def __init__(self, batch: Batch, valuation: Valuation) -> None:
        fact_rows = np.array(batch.fact_rows, dtype=np.intp)
        at_ms = np.array(batch.at_ms, dtype=np.int64)
        silent = np.array(batch.silent_rows, dtype=np.intp)
        from_ms = np.array(batch.silent_from_ms, dtype=np.int64)
        before = np.flatnonzero(silent != NONE)
        # A look or an engagement leaves the facts as they are: its figures are the silence's.
        apart = before[silent[before] != fact_rows[before]]
        look = np.arange(at_ms.size)
        look[apart] = at_ms.size + np.arange(apart.size)
        splits = _splits(valuation, silent[before], from_ms[before], at_ms[before])
        extra_rows: list[int] = []
        extra_ms: list[int] = []
        first_extra = at_ms.size + apart.size
        self.silences = {}
        # One silence a row, but for those in which the value rises.
        columns = zip(
            before.tolist(),
            silent[before].tolist(),
            from_ms[before].tolist(),
            at_ms[before].tolist(),
            look[before].tolist(),
            strict=True,
        )
        for index, (row, fact_row, start_ms, end_ms, at_end) in enumerate(columns):
            silences = []
            begun_ms = start_ms
            for split_ms in splits.get(index, ()):
                if begun_ms < split_ms < end_ms:
                    number = first_extra + len(extra_rows)
                    silences.append(Silence(fact_row, begun_ms, split_ms, number))
                    extra_rows.append(fact_row)
                    extra_ms.append(split_ms)
                    begun_ms = split_ms
            silences.append(Silence(fact_row, begun_ms, end_ms, at_end))
            self.silences[row] = silences
        self.figures = valuation.figures(
            np.concatenate([fact_rows, silent[apart], np.array(extra_rows, dtype=np.intp)]),
            np.concatenate([at_ms, at_ms[apart], np.array(extra_ms, dtype=np.int64)]),
        )


def _splits(
    valuation: Valuation, rows: Indices, start_ms: Int64s, end_ms: Int64s
) -> dict[int, list[int]]:
    """Where silences must be cut: before and at each rise of the tier value inside them."""
    cuts: dict[int, list[int]] = {}
    if valuation.rules.policy.tier_metric != "rolling":
        return cuts
    index = np.arange(rows.size)
    after_ms = start_ms
    while index.size:
        rise_ms = next_rises(valuation, rows[index], after_ms)
        inside = rise_ms <= end_ms[index]
        index, after_ms = index[inside], rise_ms[inside].astype(np.int64)
        for row, ms in zip(index.tolist(), after_ms.tolist(), strict=True):
            cuts.setdefault(row, []).extend((ms - 1, ms))
    return cuts


def follow(batch: Batch, valuation: Valuation, looks: Looks) -> list[Move]:
    """Moves each customer's tier and level along its rows.

    Args:
        batch: whose customers get the tiers and levels that they have after their last rows.
        valuation: of the batch's facts.
        looks: figures of its rows and silences.

    Returns:
        The moves, in the order in which they happened to each customer.
    """
    rules = valuation.rules
    tiers = _Bounds(rules.tiers.bounds(looks.figures.tier_value))
    levels = _Bounds(rules.levels.bounds(looks.figures.decline))
    held: list[bool] = valuation.level_held.tolist()
    silences = looks.silences
    fact_rows = batch.fact_rows
    moves: list[Move] = []
    for row, customer in enumerate(batch.who):
        for silence in silences.get(row, ()):
            look = silence.look
            if customer.tier is not None:
                tier = settle(customer.tier, tiers.up[look], tiers.hold[look])
                if tier != customer.tier:
                    moves.append(Move(TIER, row, customer.tier, tier, silence))
                    customer.tier = tier
            if customer.level is not None and not held[silence.fact_row]:
                level = settle(customer.level, levels.up[look], levels.hold[look])
                if level != customer.level:
                    moves.append(Move(CHURN, row, customer.level, level, silence))
                    customer.level = level
        tier = settle(customer.tier, tiers.up[row], tiers.hold[row])
        if tier != customer.tier:
            moves.append(Move(TIER, row, customer.tier, tier, None))
            customer.tier = tier
        if held[fact_rows[row]]:
            level = LOWEST if customer.level is None else customer.level
        else:
            level = settle(customer.level, levels.up[row], levels.hold[row])
        if level != customer.level:
            moves.append(Move(CHURN, row, customer.level, level, None))
            customer.level = level
    return moves


class _Bounds:
    """The bounds of a ladder as lists: reading single elements of arrays is slow."""

    __slots__ = ("hold", "up")

    def __init__(self, bounds: tuple[Indices, Indices]) -> None:
        self.up: list[int] = bounds[0].tolist()
        self.hold: list[int] = bounds[1].tolist()
