"""From moves to transitions: what silence crossed in one go is told threshold by threshold."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice

import msgspec
import numpy as np

from models.arrays import Ints
from models.chain import Looks, Move, Silence
from models.changes import TIER, Kind
from models.crossings import NOTHING_CROSSED, Crossings
from models.fact_rows import NONE


class Transition(msgspec.Struct, frozen=True, gc=False):
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


def crossings_of(moves: Sequence[Move]) -> Crossings:
    """The thresholds that silence has crossed, of each move in the order in which it did."""
    found = [
        (move.kind == TIER, silence.fact_row, threshold, silence.start_ms, silence.end_ms)
        for move in moves
        if (silence := move.silence) is not None
        for threshold in _thresholds(move)
    ]
    if not found:
        return NOTHING_CROSSED
    # np.array of as many tuples takes twice as long.
    columns = np.fromiter(chain.from_iterable(found), np.int64, 5 * len(found))
    of_tier, *numbers = columns.reshape(-1, 5).T.copy()
    return Crossings(of_tier.astype(np.bool_), *numbers)


def transitions_of(looks: Looks, moves: Sequence[Move], crossed_ms: Ints) -> list[Transition]:
    """Every move as its transitions, in the same order.

    Args:
        looks: figures of the batch's rows.
        moves: found in it.
        crossed_ms: epoch ms of each of their `crossings_of`.
    """
    at_ms: list[int] = looks.rows.at_ms.tolist()
    crossed = iter(crossed_ms.tolist())
    found: list[Transition] = []
    for move in moves:
        silence, row = move.silence, move.row
        if silence is None:
            found.append(Transition(move.kind, row, NONE, move.before, move.after, at_ms[row]))
        elif thresholds := _thresholds(move):
            found += _one_by_one(move, silence, list(islice(crossed, len(thresholds))))
        else:
            # A day with more refunds than purchases left: silences end where that happens.
            silent, at = silence.fact_row, silence.end_ms
            found.append(Transition(move.kind, row, silent, move.before, move.after, at))
    return found


def _thresholds(move: Move) -> range:
    """The steps whose thresholds a silence crosses, in the order in which it does.

    None where it goes the way that silence does not: tiers up, churn levels down.
    """
    if move.before is None:
        return range(0)
    if move.kind == TIER:
        return range(move.before, move.after, -1)
    return range(move.before + 1, move.after + 1)


def _one_by_one(move: Move, silence: Silence, instants: list[int]) -> Iterator[Transition]:
    assert move.before is not None, "a drift leads from one step to another"
    direction = -1 if move.kind == TIER else 1
    before = move.before
    for index, at_ms in enumerate(instants):
        # Thresholds that are passed in the same instant, when a day leaves, are one change.
        if index + 1 < len(instants) and instants[index + 1] <= at_ms:
            continue
        after = move.before + direction * (index + 1)
        yield Transition(move.kind, move.row, silence.fact_row, before, after, at_ms)
        before = after
