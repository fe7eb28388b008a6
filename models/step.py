"""The pure batch: from stored states and events, or a tick, to all that is to be published.

Nothing is read but what is passed, nothing is changed but what is returned: a batch that could
not be committed is simply stepped again. One event at a time and any batching agree.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.announce import CAUSES, announce
from models.batch import Batch, Customer, Read
from models.chain import Looks, follow
from models.change_over import ChangeOver
from models.changes import Change
from models.deadlines import Due, Published, due, is_stale
from models.events import BadEvent, Event, Kind
from models.fact_rows import NONE
from models.judged_windows import window_ends_ms
from models.policy import Policy
from models.population import Population
from models.publish import publication
from models.reasons import Refusal
from models.rules import rules_of
from models.settlement import deadlines_of, settle, standing
from models.state import Outcome
from models.times import MS_PER_S
from models.valuation import Figures, Valuation
from models.verdicts import Verdicts, judge

_INPUTS: Final[dict[int, str]] = {
    int(Kind.PURCHASE): "purchases",
    int(Kind.REFUND): "purchases",
    int(Kind.ENGAGEMENT): "engagements",
}


@dataclass
class Step:
    """What a batch leads to: everything that is to be published and remembered.

    Attributes:
        now_ms: the partition's time afterwards.
        states: encoded states by customer.
        scores: customer and score JSON, one for each customer that got a new score.
        ranks: customer, total value and value at risk in minor units; in the same order.
        tier_changes: in the order in which they happened to each customer.
        churn_changes: the same.
        deadlines: customer and epoch second at which it must be looked at; 0 for never.
        outcomes: events by input ("purchases", "engagements") and outcome.
        refused: index of an event, and why the facts could not take it.
        causes: published scores by what caused them.
        population: differences that the batch makes.
        verdicts: on predictions whose time was over.
    """

    now_ms: int
    states: dict[bytes, bytes] = field(default_factory=dict)
    scores: list[tuple[bytes, bytes]] = field(default_factory=list)
    ranks: list[tuple[bytes, int, int]] = field(default_factory=list)
    tier_changes: list[Change] = field(default_factory=list)
    churn_changes: list[Change] = field(default_factory=list)
    deadlines: list[tuple[bytes, int]] = field(default_factory=list)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: list[tuple[int, Refusal]] = field(default_factory=list)
    causes: Counter[str] = field(default_factory=Counter)
    population: Population = field(default_factory=Population)
    verdicts: Verdicts = field(default_factory=Verdicts)


class Rescored(NamedTuple):
    """A score as it was published.

    Attributes:
        customer: Kafka key.
        score: JSON.
        total_minor: total value, minor units.
        at_risk_minor: value at risk, minor units.
    """

    customer: bytes
    score: bytes
    total_minor: int
    at_risk_minor: int


def step(
    policy: Policy,
    read: Read,
    events: Sequence[tuple[Event, int]],
    now_ms: int,
    change_over: ChangeOver | None = None,
) -> Step:
    """Applies events.

    Args:
        policy: the rules.
        read: encoded state by customer, None for none.
        events: checked events, each with its record's Kafka timestamp in ms, in order.
        now_ms: the partition's time before, epoch ms.
        change_over: to the rules, where one is under way: the events' customers change first.
    """
    batch = Batch(rules_of(policy), read, now_ms, change_over)
    result = Step(now_ms)
    if change_over is not None:
        for key in dict.fromkeys(event.customer for event, _ in events):
            if batch.is_left(key):
                batch.change(batch.customer(key))
    apply = batch.apply
    outcomes: dict[int, list[Outcome]] = {kind: [] for kind in _INPUTS}
    for index, (event, timestamp_ms) in enumerate(events):
        try:
            outcomes[event.kind].append(apply(event, timestamp_ms))
        except BadEvent as bad:
            result.refused.append((index, bad.refusal))
    for kind, found in outcomes.items():
        for outcome in Outcome:
            if count := found.count(outcome):
                result.outcomes[_INPUTS[kind], outcome.value] += count
    result.now_ms = batch.now_ms
    if batch.who:
        _score(batch, result, [c for c in batch.customers.values() if c.last_row != NONE])
    return result


def silence(
    policy: Policy,
    read: Read,
    due_now: Sequence[bytes],
    now_ms: int,
    change_over: ChangeOver | None = None,
) -> Step:
    """Applies a tick: looks at customers whose deadlines have come.

    Args:
        policy: the rules.
        read: encoded state by customer, None for none.
        due_now: customers, each once; those who are left of a change-over may be among them,
            due or not.
        now_ms: the partition's time, epoch ms.
        change_over: to the rules, where one is under way.

    Returns:
        New scores of those who changed over, whom silence moved, whose score was stale, or whose
        prediction was judged; for all others no more than a deadline.
    """
    batch = Batch(rules_of(policy), read, now_ms, change_over)
    result = Step(now_ms)
    for key in due_now:
        if read(key) is None:
            result.deadlines.append((key, 0))
            continue
        customer = batch.customer(key)
        if batch.is_left(key):
            batch.change(customer)  # and is due again, if silence has gone on for long
            continue
        deadline_s = customer.state.deadline_s
        if deadline_s == 0 or deadline_s * MS_PER_S > now_ms:
            result.deadlines.append((key, deadline_s))
            continue
        batch.look(customer)
    if batch.who:
        _refresh(batch, result)
    return result


def rescore(policy: Policy, states: Iterable[tuple[bytes, bytes]]) -> list[Rescored]:
    """The scores of stored customers, byte by byte as they were published.

    Args:
        policy: the rules, the same as then.
        states: customers and their encoded states.
    """
    stored = dict(states)
    batch = Batch(rules_of(policy), stored.get, 0)
    for key in stored:
        batch.look(batch.customer(key))
    if not batch.who:
        return []
    valuation = Valuation(batch.rules, batch.facts.columns(policy.params))
    looks = Looks(batch, valuation)
    for customer, up, level in zip(
        batch.who,
        batch.rules.tiers.bounds(looks.figures.tier_value)[0].tolist(),
        batch.rules.levels.bounds(looks.figures.decline)[0].tolist(),
        strict=True,
    ):
        customer.tier = up if customer.tier is None else customer.tier
        customer.level = level if customer.level is None else customer.level
    when = due(valuation, looks.figures, *standing(batch.who))
    tiers = [customer.state.tier for customer in batch.who]
    levels = [customer.state.churn_level for customer in batch.who]
    told = publication(valuation, batch.who, tiers, levels, looks.figures, when)
    return [
        Rescored(customer.key, score, total, at_risk)
        for customer, score, total, at_risk in zip(
            batch.who, told.scores, told.total_minor, told.at_risk_minor, strict=True
        )
    ]


def _score(batch: Batch, result: Step, customers: list[Customer]) -> None:
    """Follows the batch's rows, and publishes the last one of each customer."""
    valuation = Valuation(batch.rules, batch.facts.columns(batch.rules.policy.params))
    looks = Looks(batch, valuation)
    moves = follow(batch, valuation, looks)
    result.tier_changes, result.churn_changes = announce(batch, valuation, looks, moves)
    result.verdicts = judge(batch, valuation, looks.rows)
    last = np.array([customer.last_row for customer in customers], dtype=np.intp)
    figures = looks.figures.take(last)
    when = due(valuation, figures, *standing(customers))
    events = [batch.events[row] for row in last.tolist()]
    for kind, count in Counter([None if event is None else event.kind for event in events]).items():
        result.causes["model" if kind is None else CAUSES[kind]] += count
    _publish(result, valuation, customers, figures, when)


def _refresh(batch: Batch, result: Step) -> None:
    """Publishes who changed over, whom silence moved or made stale; looks ahead for the others."""
    valuation = Valuation(batch.rules, batch.facts.columns(batch.rules.policy.params))
    looks = Looks(batch, valuation)
    moves = follow(batch, valuation, looks)
    result.tier_changes, result.churn_changes = announce(batch, valuation, looks, moves)
    result.verdicts = judge(batch, valuation, looks.rows)
    figures = looks.figures.take(np.arange(len(batch.who)))
    published = Published(
        valuation.p_active(
            figures.rows,
            np.maximum(looks.rows.silent_from_ms, valuation.facts.last_ms),
        ),
        np.array([customer.state.predicted_minor for customer in batch.who], dtype=np.int64),
    )
    new = is_stale(valuation, figures, published)
    changed = [batch.is_left(customer.key) for customer in batch.who]
    new[[move.row for move in moves]] = True
    new |= _window_ended(batch, looks)
    new[changed] = True
    fresh = np.flatnonzero(new)
    customers = [batch.who[row] for row in fresh.tolist()]
    if customers:
        for row in fresh.tolist():
            batch.who[row].state.revision += not changed[row]
        part = looks.figures.take(fresh)
        result.causes.update(["model" if changed[row] else "silence" for row in fresh.tolist()])
        _publish(result, valuation, customers, part, due(valuation, part, *standing(customers)))
    kept = np.flatnonzero(~new)
    if kept.size:
        customers = [batch.who[row] for row in kept.tolist()]
        when = due(
            valuation,
            looks.figures.take(kept),
            *standing(customers),
            Published(published.p_active[kept], published.predicted_minor[kept]),
        )
        seconds = deadlines_of(customers, looks.figures.take(kept), when)
        result.deadlines += [(c.key, s) for c, s in zip(customers, seconds, strict=True)]


def _publish(
    result: Step, valuation: Valuation, customers: list[Customer], figures: Figures, when: Due
) -> None:
    settled = settle(valuation, customers, figures, when)
    result.states, result.scores, result.ranks = settled.states, settled.scores, settled.ranks
    result.deadlines += settled.deadlines
    result.population = settled.population


def _window_ended(batch: Batch, looks: Looks) -> NDArray[np.bool_]:
    """(n,) whether a window of `models.judged_windows` ended between a look and the score before.

    Then the verdict, and what is predicted next, are to be stored.
    """
    keys = [customer.key for customer in batch.who]
    before_ms, at_ms = looks.rows.silent_from_ms, looks.rows.at_ms
    ended: NDArray[np.bool_] = window_ends_ms(keys, before_ms) < window_ends_ms(keys, at_ms)
    return ended
