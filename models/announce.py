"""The messages of a batch's moves: exact instants, causes, and the values on both sides."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from models.batch import NONE, Batch, Customer
from models.chain import Looks, Move
from models.changes import (
    SCHEMA,
    TIER,
    Cause,
    Change,
    ChurnRiskChange,
    Direction,
    TierChange,
    change_id,
)
from models.events import Kind
from models.fact_rows import FactRows
from models.ladder import Ladder
from models.moves import Step, steps_of
from models.publish import PROBABILITY_DIGITS
from models.state import decode
from models.times import rfc3339
from models.valuation import Figures, Valuation

CAUSES: Final[dict[int, Cause]] = {
    int(Kind.PURCHASE): "purchase",
    int(Kind.REFUND): "refund",
    int(Kind.ENGAGEMENT): "engagement",
}
_MS_PER_S: Final = 1_000

_encode = msgspec.json.Encoder().encode


def announce(
    batch: Batch, valuation: Valuation, looks: Looks, moves: Sequence[Move]
) -> tuple[list[Change], list[Change]]:
    """The messages of all moves.

    Args:
        batch: where the moves were found; its customers learn when silence last moved them.
        valuation: of the batch's facts.
        looks: figures of its rows and silences.
        moves: in the order in which they happened to each customer.

    Returns:
        Tier changes and churn-risk changes, each in that order.
    """
    tier_changes: list[Change] = []
    churn_changes: list[Change] = []
    if not moves:
        return tier_changes, churn_changes
    steps = steps_of(batch, valuation, moves)
    sides = _sides(batch, valuation, looks, steps)
    crossed = rfc3339(np.array([step.at_ms for step in steps], dtype=np.int64))
    detected_ms = np.array([batch.at_ms[step.move.row] for step in steps], dtype=np.int64)
    detected = rfc3339(detected_ms)
    for index, step in enumerate(steps):
        cause, cause_id = _cause(batch, step)
        said = _Said(index, cause, cause_id, crossed[index], detected[index])
        if step.move.kind == TIER:
            tier_changes.append(_tier_change(batch, valuation, step, sides, said))
        else:
            churn_changes.append(_churn_change(batch, valuation, step, sides, said))
    return tier_changes, churn_changes


class _Said(NamedTuple):
    number: int
    cause: Cause
    cause_id: str
    crossed_at: str
    detected_at: str


def _cause(batch: Batch, step: Step) -> tuple[Cause, str]:
    row = step.move.row
    customer = batch.who[row]
    if step.move.silence is not None:
        customer.silent_s = max(customer.silent_s, step.at_ms // _MS_PER_S)
        return "silence", batch.last_ids[row]
    event = batch.events[row]
    if event is None:
        # Nothing happened, so the rules did: a tier was renamed, a threshold moved.
        return "model", batch.last_ids[row]
    if step.before is not None and event.at_ms // _MS_PER_S < customer.silent_s:
        return "late_event", event.id
    return CAUSES[event.kind], event.id


class _Sides(NamedTuple):
    """What changes say of the values before and after; lists, one entry a step.

    A change without a side before repeats the one after there.
    """

    tier_value_minor_before: list[int]
    tier_value_minor: list[int]
    decline_before: list[float]
    decline: list[float]
    churn_risk: list[float]
    predicted_minor: list[int]
    at_risk_minor: list[int]


def _sides(batch: Batch, valuation: Valuation, looks: Looks, steps: Sequence[Step]) -> _Sides:
    """Looks at both sides of each step: for silence, the instant and the millisecond before."""
    after = np.array([step.move.row for step in steps], dtype=np.intp)
    before = after.copy()
    silent: list[int] = []
    fact_rows: list[int] = []
    for n, step in enumerate(steps):
        if step.move.silence is not None:
            silent.append(n)
            fact_rows.append(step.move.silence.fact_row)
    base = looks.figures.rows.size
    sources = [looks.figures]
    if silent:
        rows = np.array(fact_rows, dtype=np.intp)
        at_ms = np.array([steps[n].at_ms for n in silent], dtype=np.int64)
        sources.append(
            valuation.figures(np.concatenate([rows, rows]), np.concatenate([at_ms, at_ms - 1]))
        )
        after[silent] = base + np.arange(len(silent))
        before[silent] = after[silent] + len(silent)
        base += 2 * len(silent)
    stored: list[int] = []
    for n, step in enumerate(steps):
        if step.move.silence is None:
            look = _look_before(batch, looks, step.move.row)
            if look == NONE:
                stored.append(n)
            else:
                before[n] = look
    if stored:
        sources.append(_as_stored(batch, valuation, [steps[n].move.row for n in stored]))
        before[stored] = base + np.arange(len(stored))
    return _columns(sources, before, after)


def _look_before(batch: Batch, looks: Looks, row: int) -> int:
    """The look at the row's instant without its event; NONE if there was none."""
    silences = looks.silences.get(row)
    if silences:
        return silences[-1].look
    earlier = batch.earlier[row]
    if earlier != NONE:
        return earlier  # at the same instant, or there were a silence
    return NONE if batch.who[row].was is not None and batch.events[row] is not None else row


def _as_stored(batch: Batch, valuation: Valuation, rows: list[int]) -> Figures:
    """Figures at the rows' instants of the facts as they are stored, before the batch."""
    facts = FactRows()
    for row in rows:
        data = batch.read(batch.who[row].key)
        assert data is not None, "the customer was stored"
        facts.add(decode(data))
    before = Valuation(valuation.rules, facts.columns(valuation.rules.policy.params))
    at_ms = np.array([batch.at_ms[row] for row in rows], dtype=np.int64)
    return before.figures(np.arange(len(rows)), at_ms)


def _columns(sources: list[Figures], before: np.ndarray, after: np.ndarray) -> _Sides:
    def of(name: str) -> np.ndarray:
        return np.concatenate([getattr(figures, name) for figures in sources])

    tier_value = np.floor(of("tier_value")).astype(np.int64)
    decline = np.round(of("decline"), PROBABILITY_DIGITS)
    return _Sides(
        tier_value[before].tolist(),
        tier_value[after].tolist(),
        decline[before].tolist(),
        decline[after].tolist(),
        np.round(1.0 - of("p_active")[after], PROBABILITY_DIGITS).tolist(),
        np.floor(of("predicted")[after]).astype(np.int64).tolist(),
        np.floor(of("at_risk")[after]).astype(np.int64).tolist(),
    )


def _tier_change(
    batch: Batch, valuation: Valuation, step: Step, sides: _Sides, said: _Said
) -> Change:
    customer = batch.who[step.move.row]
    ladder = valuation.rules.tiers
    n = said.number
    from_ = _from(ladder, step, customer.was[0] if customer.was else None)
    message = TierChange(
        schema=SCHEMA,
        id=_id(customer, step, ladder, said),
        customer_id=customer.key.decode(),
        from_=from_,
        to=ladder.names[step.after],
        direction=_direction(step),
        tier_value_minor_before=None if from_ is None else sides.tier_value_minor_before[n],
        tier_value_minor=sides.tier_value_minor[n],
        threshold_minor=round(ladder.crossed(step.before, step.after)),
        cause=said.cause,
        cause_id=said.cause_id,
        crossed_at=said.crossed_at,
        detected_at=said.detected_at,
        model_version=valuation.rules.policy.params.version,
    )
    return _change(batch, step, message)


def _churn_change(
    batch: Batch, valuation: Valuation, step: Step, sides: _Sides, said: _Said
) -> Change:
    row = step.move.row
    customer = batch.who[row]
    ladder = valuation.rules.levels
    n = said.number
    from_ = _from(ladder, step, customer.was[1] if customer.was else None)
    bought = bool(valuation.facts.bought[batch.fact_rows[row]])
    message = ChurnRiskChange(
        schema=SCHEMA,
        id=_id(customer, step, ladder, said),
        customer_id=customer.key.decode(),
        from_=from_,
        to=ladder.names[step.after],
        direction=_direction(step),
        activity_decline_before=None if from_ is None else sides.decline_before[n],
        activity_decline=sides.decline[n],
        threshold=ladder.crossed(step.before, step.after),
        churn_risk=sides.churn_risk[n] if bought else None,
        predicted_clv_minor=sides.predicted_minor[n],
        value_at_risk_minor=sides.at_risk_minor[n],
        cause=said.cause,
        cause_id=said.cause_id,
        crossed_at=said.crossed_at,
        detected_at=said.detected_at,
        model_version=valuation.rules.policy.params.version,
    )
    return _change(batch, step, message)


def _from(ladder: Ladder, step: Step, stored: str | None) -> str | None:
    """Name of the step that is left; a name that the policy does not know stays as it was."""
    return ladder.names[step.before] if step.before is not None else stored


def _direction(step: Step) -> Direction:
    return "up" if step.before is None or step.after > step.before else "down"


def _id(customer: Customer, step: Step, ladder: Ladder, said: _Said) -> str:
    return change_id(
        step.move.kind,
        customer.key,
        said.cause,
        said.cause_id,
        ladder.names[step.after],
        step.at_ms,
    )


def _change(batch: Batch, step: Step, message: TierChange | ChurnRiskChange) -> Change:
    return Change(
        customer=batch.who[step.move.row].key,
        id=message.id,
        at_ms=step.at_ms,
        value=_encode(message),
        from_=message.from_,
        to=message.to,
        cause=message.cause,
        crossed_at_ms=step.at_ms,
        detected_at_ms=batch.at_ms[step.move.row],
    )
