"""The messages of a batch's transitions: exact instants, causes, and the values on both sides."""

from collections.abc import Sequence
from itertools import repeat
from math import ceil
from typing import Final, NamedTuple

import msgspec
import numpy as np

from models.arrays import Indices
from models.batch import Batch
from models.chain import Looks
from models.changes import (
    CHURN,
    SCHEMA,
    TIER,
    Cause,
    Change,
    ChurnRiskChange,
    Direction,
    Kind,
    TierChange,
    change_id,
)
from models.events import Kind as EventKind
from models.fact_rows import NONE, FactRows
from models.ladder import Ladder
from models.moves import Transition
from models.policy import Policy
from models.publish import PROBABILITY_DIGITS
from models.rules import rules_of
from models.state import decode
from models.times import MS_PER_S, rfc3339
from models.valuation import Figures, Valuation
from models.whole_money import floored

CAUSES: Final[dict[int, Cause]] = {
    int(EventKind.PURCHASE): "purchase",
    int(EventKind.REFUND): "refund",
    int(EventKind.ENGAGEMENT): "engagement",
}

_encode = msgspec.json.Encoder().encode


def announce(
    batch: Batch, valuation: Valuation, looks: Looks, transitions: Sequence[Transition]
) -> list[tuple[list[Change], list[Change]]]:
    """The messages of all transitions.

    Args:
        batch: where they were found; its customers learn when silence last moved them.
        valuation: of the batch's facts.
        looks: figures of its rows and silences.
        transitions: in the order in which they happened to each customer.

    Returns:
        Of each part, tier changes and churn-risk changes, each in that order.
    """
    if not transitions:
        return [([], []) for _ in batch.begins]
    announcement = _Announcement(batch, valuation, looks, transitions)
    return list(zip(announcement.changes(TIER), announcement.changes(CHURN), strict=True))


class _Crossing(NamedTuple):
    """What two steps of a ladder say in a message."""

    from_: str | None
    to: str
    direction: Direction
    threshold: float


class _Announcement:
    """All transitions of a batch, with causes and the numbers of the figures on both sides."""

    def __init__(
        self, batch: Batch, valuation: Valuation, looks: Looks, transitions: Sequence[Transition]
    ) -> None:
        self._batch = batch
        self._rules = valuation.rules
        self._valuation = valuation
        self._looks = looks
        self._transitions = transitions
        self._causes = [self._cause(transition) for transition in self._transitions]
        self._sides = self._both_sides()
        self._at_ms: list[int] = looks.rows.at_ms.tolist()

    def changes(self, kind: Kind) -> list[list[Change]]:
        """The changes of one kind, of each part."""
        numbers = [n for n, transition in enumerate(self._transitions) if transition.kind == kind]
        if not numbers:
            return [[] for _ in self._batch.begins]
        ladder = self._rules.tiers if kind == TIER else self._rules.levels
        who = self._batch.who
        transitions = [self._transitions[n] for n in numbers]
        customers = [who[transition.row] for transition in transitions]
        crossings = self._crossings(kind, ladder, transitions)
        causes, cause_ids = zip(*(self._causes[n] for n in numbers), strict=True)
        keys = [customer.key for customer in customers]
        from_ = [crossing.from_ for crossing in crossings]
        to = [crossing.to for crossing in crossings]
        crossed_ms = [transition.at_ms for transition in transitions]
        detected_ms = [self._at_ms[transition.row] for transition in transitions]
        ids = list(map(change_id, repeat(kind), keys, causes, cause_ids, to, crossed_ms))
        messages = map(
            TierChange if kind == TIER else ChurnRiskChange,
            repeat(SCHEMA),
            ids,
            [key.decode() for key in keys],
            from_,
            to,
            [crossing.direction for crossing in crossings],
            *self._values(kind, np.array(numbers), crossings),
            causes,
            cause_ids,
            rfc3339(np.array(crossed_ms, dtype=np.int64)),
            rfc3339(np.array(detected_ms, dtype=np.int64)),
            repeat(self._rules.policy.params.version),
        )
        values = map(_encode, messages)
        made = list(
            map(Change, keys, ids, crossed_ms, values, from_, to, causes, crossed_ms, detected_ms)
        )
        return [
            made[own] for own in self._batch.by_part([transition.row for transition in transitions])
        ]

    def _cause(self, transition: Transition) -> tuple[Cause, str]:
        row = transition.row
        batch = self._batch
        customer = batch.who[row]
        if transition.silent != NONE:
            customer.silent_s = max(customer.silent_s, transition.at_ms // MS_PER_S)
            return "silence", batch.id_before(row, int(self._looks.rows.earlier[row]))
        event = batch.events[row]
        if event is None:
            # Nothing happened, so the rules did: other parameters, a renamed tier, a threshold.
            return "model", self._rules.policy.params.version
        if event.at_ms // MS_PER_S < customer.silent_s and transition.before is not None:
            return "late_event", event.id
        return CAUSES[event.kind], event.id

    def _crossings(
        self, kind: Kind, ladder: Ladder, transitions: list[Transition]
    ) -> list[_Crossing]:
        known: dict[tuple[int | None, int, str], _Crossing] = {}
        found = []
        for transition in transitions:
            stored = ""
            if transition.before is None:
                # A first score; or a step that the policy does not know: it keeps its name.
                customer = self._batch.who[transition.row]
                stored = customer.was_tier if kind == TIER else customer.was_level
            key = (transition.before, transition.after, stored)
            crossing = known.get(key)
            if crossing is None:
                up = transition.before is None or transition.after > transition.before
                crossing = known[key] = _Crossing(
                    (stored or None)
                    if transition.before is None
                    else ladder.names[transition.before],
                    ladder.names[transition.after],
                    "up" if up else "down",
                    ladder.crossed(transition.before, transition.after),
                )
            found.append(crossing)
        return found

    def _values(
        self, kind: Kind, numbers: Indices, crossings: list[_Crossing]
    ) -> tuple[Sequence[object], ...]:
        """The columns of a message that are particular to its kind."""
        sources, before, after = self._sides

        def of(name: str, side: Indices) -> np.ndarray:
            return np.concatenate([getattr(figures, name) for figures in sources])[side[numbers]]

        first = [number for number, crossing in enumerate(crossings) if crossing.from_ is None]
        if kind == TIER:
            was: list[int | float | None] = floored(of("tier_value", before)).tolist()
            for number in first:
                was[number] = None
            return (
                was,
                floored(of("tier_value", after)).tolist(),
                # Values are rounded down, so this one up: what fell below it says so.
                [ceil(crossing.threshold) for crossing in crossings],
            )
        was = np.round(of("decline", before), PROBABILITY_DIGITS).tolist()
        for number in first:
            was[number] = None
        risk: list[float | None] = np.round(
            1.0 - of("p_active", after), PROBABILITY_DIGITS
        ).tolist()
        bought = of("bought", after)
        for number in np.flatnonzero(~bought).tolist():
            risk[number] = None
        return (
            was,
            np.round(of("decline", after), PROBABILITY_DIGITS).tolist(),
            [crossing.threshold for crossing in crossings],
            risk,
            floored(of("predicted", after)).tolist(),
            floored(of("at_risk", after)).tolist(),
        )

    def _both_sides(self) -> tuple[list[Figures], Indices, Indices]:
        """Figures, and which of them stand before and after each transition.

        For silence they are those of the instant and of the millisecond before; for an event
        those without and with it, at the same instant; for the model those by the earlier
        parameters and by the new ones, at the same instant, too.
        """
        transitions, figures = self._transitions, self._looks.figures
        after = np.array([transition.row for transition in transitions], dtype=np.intp)
        before = np.array(
            [self._look_before(transition) for transition in transitions], dtype=np.intp
        )
        silent = np.array([transition.silent for transition in transitions], dtype=np.intp)
        sources = [figures]
        total = figures.rows.size
        chosen = np.flatnonzero(silent != NONE)
        if chosen.size:
            rows = silent[chosen]
            at_ms = np.array([transitions[n].at_ms for n in chosen.tolist()], dtype=np.int64)
            sources.append(
                self._valuation.figures(
                    np.concatenate([rows, rows]), np.concatenate([at_ms, at_ms - 1])
                )
            )
            after[chosen] = total + np.arange(chosen.size)
            before[chosen] = after[chosen] + chosen.size
            total += 2 * chosen.size
        change_over = self._batch.change_over
        if change_over is not None:
            events = self._batch.events
            by_model = np.flatnonzero(
                (silent == NONE)
                & np.array([events[transition.row] is None for transition in transitions])
            )
            sources.append(self._by_earlier(change_over.earlier, after[by_model]))
            before[by_model] = total + np.arange(by_model.size)
            total += by_model.size
        stored = np.flatnonzero(before == NONE)
        if stored.size:
            sources.append(self._as_stored(after[stored]))
            before[stored] = total + np.arange(stored.size)
        return sources, before, after

    def _look_before(self, transition: Transition) -> int:
        """The look at the transition's instant without its event; NONE if there was none."""
        row = transition.row
        customer = self._batch.who[row]
        if transition.silent != NONE:
            return row
        look = self._looks.at_end[row]
        if look != NONE:
            return look
        earlier = int(self._looks.rows.earlier[row])
        if earlier != NONE:
            return earlier  # at the same instant, or there were a silence
        return NONE if customer.was_tier and self._batch.events[row] is not None else row

    def _by_earlier(self, earlier: Policy, rows: Indices) -> Figures:
        """Figures of rows by the rules before a change-over."""
        looks = self._looks.rows
        facts = self._batch.facts.columns(earlier.params)
        return Valuation(rules_of(earlier), facts).figures(looks.facts[rows], looks.at_ms[rows])

    def _as_stored(self, rows: Indices) -> Figures:
        """Figures at the rows' instants of the facts as they are stored, before the batch."""
        params = self._rules.policy.params
        facts = FactRows(engagements=params.engagement is not None)
        for row in rows.tolist():
            stored = self._batch.who[row].stored
            assert stored is not None, "or there is nothing before"
            facts.add(decode(stored))
        before = Valuation(self._rules, facts.columns(params))
        return before.figures(np.arange(rows.size), self._looks.rows.at_ms[rows])
