"""From moves to steps: what silence crossed in one go is told one threshold after the other."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from models.batch import Batch
from models.chain import Move, Silence
from models.changes import CHURN, TIER
from models.crossings import level_crossings, tier_crossings
from models.valuation import Valuation


class Step(NamedTuple):
    """A move, or a part of one, with its instant.

    Attributes:
        move: what it is a part of.
        before: step that is left; None where it has no number.
        after: step that is entered.
        at_ms: the exact instant.
    """

    move: Move
    before: int | None
    after: int
    at_ms: int


def steps_of(batch: Batch, valuation: Valuation, moves: Sequence[Move]) -> list[Step]:
    """Every move as its steps, in the same order."""
    tiers = [move for move in moves if move.kind == TIER and _drifts(move)]
    levels = [move for move in moves if move.kind == CHURN and _drifts(move)]
    crossed_ms = _crossed(valuation, tiers, TIER) | _crossed(valuation, levels, CHURN)
    steps: list[Step] = []
    for move in moves:
        instants = crossed_ms.get(id(move))
        if instants is not None:
            steps += _one_by_one(move, instants)
        elif move.silence is not None:
            # A day with more refunds than purchases left: silences end where that happens.
            steps.append(Step(move, move.before, move.after, move.silence.end_ms))
        else:
            steps.append(Step(move, move.before, move.after, batch.at_ms[move.row]))
    return steps


def _drifts(move: Move) -> bool:
    """Whether it goes the way that silence goes: tiers down, churn levels up."""
    if move.silence is None or move.before is None:
        return False
    return (move.after < move.before) == (move.kind == TIER)


def _thresholds(move: Move) -> range:
    """The steps whose thresholds a drift crosses, in the order in which it does."""
    assert move.before is not None, "a drift leads from one step to another"
    if move.kind == TIER:
        return range(move.before, move.after, -1)
    return range(move.before + 1, move.after + 1)


def _crossed(valuation: Valuation, moves: Sequence[Move], kind: str) -> dict[int, list[int]]:
    """By the identity of each drift, when it crossed each of its thresholds."""
    if not moves:
        return {}
    keys: list[int] = []
    thresholds: list[int] = []
    silences: list[Silence] = []
    for move in moves:
        assert move.silence is not None, "a drift is silent"
        for threshold in _thresholds(move):
            keys.append(id(move))
            thresholds.append(threshold)
            silences.append(move.silence)
    search = tier_crossings if kind == TIER else level_crossings
    at_ms = search(
        valuation,
        np.array([silence.fact_row for silence in silences], dtype=np.intp),
        np.array(thresholds, dtype=np.intp),
        np.array([silence.start_ms for silence in silences], dtype=np.int64),
        np.array([silence.end_ms for silence in silences], dtype=np.int64),
    )
    found: dict[int, list[int]] = {}
    for key, ms in zip(keys, at_ms.tolist(), strict=True):
        found.setdefault(key, []).append(ms)
    return found


def _one_by_one(move: Move, instants: list[int]) -> Iterator[Step]:
    assert move.before is not None, "a drift leads from one step to another"
    direction = -1 if move.kind == TIER else 1
    before = move.before
    for index, at_ms in enumerate(instants):
        # Thresholds that are passed in the same instant, when a day leaves, are one change.
        if index + 1 < len(instants) and instants[index + 1] <= at_ms:
            continue
        after = move.before + direction * (index + 1)
        yield Step(move, before, after, at_ms)
        before = after
