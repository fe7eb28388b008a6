"""From moves to steps: what silence crossed in one go is told one threshold after the other."""

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from models.chain import Looks, Move, Silence
from models.changes import CHURN, TIER, Kind
from models.crossings import level_crossings, tier_crossings
from models.fact_rows import NONE
from models.valuation import Valuation


class Step(msgspec.Struct, frozen=True, gc=False):
    """A move, or a part of one, with its instant.

    Attributes:
        kind: `TIER` or `CHURN`.
        row: number of the row at which it was found.
        silent: facts of the silence that caused it; NONE where the row's event did.
        before: step that is left; None where it has no number.
        after: step that is entered.
        at_ms: the exact instant.
    """

    kind: Kind
    row: int
    silent: int
    before: int | None
    after: int
    at_ms: int


def steps_of(valuation: Valuation, looks: Looks, moves: Sequence[Move]) -> list[Step]:
    """Every move as its steps, in the same order."""
    drifts = [move for move in moves if move.silence is not None and _drifts(move)]
    crossed_ms = _crossed(valuation, drifts, TIER) | _crossed(valuation, drifts, CHURN)
    at_ms: list[int] = looks.rows.at_ms.tolist()
    steps: list[Step] = []
    for move in moves:
        silence, row = move.silence, move.row
        if silence is None:
            steps.append(Step(move.kind, row, NONE, move.before, move.after, at_ms[row]))
        elif id(move) in crossed_ms:
            steps += _one_by_one(move, silence, crossed_ms[id(move)])
        else:
            # A day with more refunds than purchases left: silences end where that happens.
            steps.append(
                Step(move.kind, row, silence.fact_row, move.before, move.after, silence.end_ms)
            )
    return steps


def _drifts(move: Move) -> bool:
    """Whether it goes the way that silence goes: tiers down, churn levels up."""
    return move.before is not None and (move.after < move.before) == (move.kind == TIER)


def _thresholds(move: Move) -> range:
    """The steps whose thresholds a drift crosses, in the order in which it does."""
    assert move.before is not None, "a drift leads from one step to another"
    if move.kind == TIER:
        return range(move.before, move.after, -1)
    return range(move.before + 1, move.after + 1)


def _crossed(valuation: Valuation, drifts: Sequence[Move], kind: Kind) -> dict[int, list[int]]:
    """By the identity of each drift of that kind, when it crossed each of its thresholds."""
    keys: list[int] = []
    thresholds: list[int] = []
    silences: list[Silence] = []
    for move in drifts:
        if move.kind == kind:
            assert move.silence is not None, "a drift is silent"
            for threshold in _thresholds(move):
                keys.append(id(move))
                thresholds.append(threshold)
                silences.append(move.silence)
    found: dict[int, list[int]] = {}
    if not keys:
        return found
    search = tier_crossings if kind == TIER else level_crossings
    at_ms = search(
        valuation,
        np.array([silence.fact_row for silence in silences], dtype=np.intp),
        np.array(thresholds, dtype=np.intp),
        np.array([silence.start_ms for silence in silences], dtype=np.int64),
        np.array([silence.end_ms for silence in silences], dtype=np.int64),
    )
    for key, ms in zip(keys, at_ms.tolist(), strict=True):
        found.setdefault(key, []).append(ms)
    return found


def _one_by_one(move: Move, silence: Silence, instants: list[int]) -> Iterator[Step]:
    assert move.before is not None, "a drift leads from one step to another"
    direction = -1 if move.kind == TIER else 1
    before = move.before
    for index, at_ms in enumerate(instants):
        # Thresholds that are passed in the same instant, when a day leaves, are one change.
        if index + 1 < len(instants) and instants[index + 1] <= at_ms:
            continue
        after = move.before + direction * (index + 1)
        yield Step(move.kind, move.row, silence.fact_row, before, after, at_ms)
        before = after
