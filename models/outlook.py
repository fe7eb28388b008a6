"""Who will fall, and when, if nobody buys any more: silence looked at before it happens."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

import numpy as np

from models.batch import Batch, Part
from models.chain import Looks, follow
from models.changes import CHURN, TIER
from models.crossings import first_ms
from models.moves import crossings_of, transitions_of
from models.next_moves import next_moves
from models.policy import Policy
from models.rules import Rules, rules_of
from models.state import decode_summary
from models.times import MS_PER_S
from models.valuation import Valuation
from models.whole_money import floored

_PORTION: Final = 5_000  # customers that are looked at together


class Fall(NamedTuple):
    """One step down the tiers or up the churn levels that silence will lead to.

    Attributes:
        customer: Kafka key.
        kind: "tier" or "churn", as in `models.changes`.
        from_: name of the step that is left.
        to: name of the step that is entered.
        at_ms: the exact instant, epoch ms.
        at_risk_minor: value at risk then, minor units: what silence will have put at stake.
        predicted_minor: predicted value then, minor units: what is left to win back.
    """

    customer: bytes
    kind: str
    from_: str
    to: str
    at_ms: int
    at_risk_minor: int
    predicted_minor: int


def falls(
    policy: Policy, states: Iterable[tuple[bytes, bytes]], start_ms: int, end_ms: int
) -> Iterator[Fall]:
    """What silence alone will change between two instants.

    Only those are looked at whose stored deadline, which is never later than the truth, comes
    before the end. Days with more refunds than purchases that leave the window may lift a tier:
    that is no fall, and left out.

    Args:
        policy: the rules.
        states: customers and their encoded states.
        start_ms: epoch ms; falls until then are left out.
        end_ms: epoch ms, itself included.
    """
    near = (
        (customer, state)
        for customer, state in states
        if 0 < decode_summary(state).deadline_s * MS_PER_S <= end_ms
    )
    rules = rules_of(policy)
    while portion := dict(islice(near, _PORTION)):
        for fall in _falls(rules, portion, end_ms):
            if fall.at_ms > start_ms:
                yield fall


def _falls(rules: Rules, states: dict[bytes, bytes], end_ms: int) -> Iterator[Fall]:
    batch = Batch(rules)
    part = Part(batch, states.get, end_ms)
    for customer in states:
        part.look(part.customer(customer))
    valuation = Valuation(rules, batch.facts.columns(rules.policy.params))
    looks = Looks(batch, valuation)
    moves = follow(batch, valuation, looks)
    crossed = crossings_of(moves)
    silences = crossed.silences(valuation)
    crossed_ms = first_ms(valuation, crossed, next_moves(valuation, silences)[0])
    transitions = [
        transition
        for transition in transitions_of(looks, moves, crossed_ms)
        if transition.before is not None
        and (transition.after < transition.before) == (transition.kind == TIER)
    ]
    if not transitions:
        return
    figures = valuation.figures(
        looks.rows.facts[np.array([transition.row for transition in transitions])],
        np.array([transition.at_ms for transition in transitions], dtype=np.int64),
    )
    names = {TIER: rules.tiers.names, CHURN: rules.levels.names}
    at_risk, predicted = floored(figures.at_risk).tolist(), floored(figures.predicted).tolist()
    for transition, risk, value in zip(transitions, at_risk, predicted, strict=True):
        assert transition.before is not None, "chosen above"
        name = names[transition.kind]
        customer = batch.who[transition.row].key
        yield Fall(
            customer,
            transition.kind,
            name[transition.before],
            name[transition.after],
            transition.at_ms,
            risk,
            value,
        )


class Day(NamedTuple):
    """What silence leads to on one day.

    Attributes:
        day: its number, days from 1970-01-01 in the policy's time zone.
        customers: how many fall at least once.
        tiers: falls by the tier that is entered.
        levels: falls by the churn level that is entered.
        at_risk_minor: value at risk of these customers after their last fall that day.
        predicted_minor: their predicted value then.
    """

    day: int
    customers: int
    tiers: Counter[str]
    levels: Counter[str]
    at_risk_minor: int
    predicted_minor: int


def by_day(policy: Policy, told: Iterable[Fall], first_day: int, days: int) -> list[Day]:
    """The falls of each of so many days; those of other days are left out.

    Args:
        policy: the rules.
        told: falls, in any order.
        first_day: number of the first day, days from 1970-01-01 in the policy's time zone.
        days: how many.
    """
    day_of = rules_of(policy).days.day
    tiers: list[Counter[str]] = [Counter() for _ in range(days)]
    levels: list[Counter[str]] = [Counter() for _ in range(days)]
    last: list[dict[bytes, Fall]] = [{} for _ in range(days)]
    for fall in told:
        index = day_of(fall.at_ms) - first_day
        if not 0 <= index < days:
            continue
        (tiers if fall.kind == TIER else levels)[index][fall.to] += 1
        known = last[index].get(fall.customer)
        if known is None or known.at_ms <= fall.at_ms:
            last[index][fall.customer] = fall
    return [
        Day(
            first_day + index,
            len(who),
            tiers[index],
            levels[index],
            sum(fall.at_risk_minor for fall in who.values()),
            sum(fall.predicted_minor for fall in who.values()),
        )
        for index, who in enumerate(last)
    ]
