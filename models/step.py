"""The pure batch: from stored states and events to all that is to be published.

Nothing is read but what is passed, nothing is changed but what is returned: a batch that could
not be committed is simply stepped again. One event at a time and any batching agree, and so do
partitions stepped together or one by one.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, NamedTuple

import numpy as np

from models.announce import CAUSES, announce
from models.batch import Batch, Customer, Part, Read
from models.chain import Looks, follow
from models.change_over import ChangeOver
from models.changes import Change
from models.deadlines import due_and_crossed
from models.events import BadEvent, Event, Kind
from models.moves import Transition, crossings_of, transitions_of
from models.policy import Policy
from models.population import Population
from models.reasons import Refusal
from models.rules import rules_of
from models.settlement import Settlement, settle, standing
from models.state import Outcome
from models.valuation import Valuation
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


class Work(NamedTuple):
    """What a partition has to apply.

    Attributes:
        read: encoded state by customer, None for none.
        events: checked events, each with its record's Kafka timestamp in ms, in order.
        now_ms: the partition's time before, epoch ms.
    """

    read: Read
    events: Sequence[tuple[Event, int]]
    now_ms: int

    @property
    def size(self) -> int:
        """How many events there are."""
        return len(self.events)


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
    return step_together(policy, [Work(read, events, now_ms)], change_over)[0]


def step_together(
    policy: Policy, works: Sequence[Work], change_over: ChangeOver | None = None
) -> list[Step]:
    """Applies events of several partitions: where they are few, faster than one after the other.

    Most of what a step of some dozen events costs is calls, which cost the same for more rows.

    Args:
        policy: the rules of them all.
        works: of each partition; the same customer may be in several.
        change_over: to the rules, where one is under way: then of a single partition.
    """
    batch = Batch(rules_of(policy), change_over)
    results, parts = [], []
    for work in works:
        part = Part(batch, work.read, work.now_ms)
        results.append(_apply(part, work.events))
        parts.append(part.scored)
    if batch.who:
        _score(batch, results, parts)
    return results


def _apply(part: Part, events: Sequence[tuple[Event, int]]) -> Step:
    """Adds the rows of a partition's events."""
    result = Step(part.now_ms)
    part.change_all(event.customer for event, _ in events)
    apply = part.apply
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
    result.now_ms = part.now_ms
    return result


def _score(batch: Batch, results: Sequence[Step], parts: Sequence[Sequence[Customer]]) -> None:
    """Follows the batch's rows, and publishes the last one of each customer."""
    valuation = Valuation(batch.rules, batch.facts.columns(batch.rules.policy.params))
    looks = Looks(batch, valuation)
    moves = follow(batch, valuation, looks)
    customers = list(chain.from_iterable(parts))
    last = np.array([customer.last_row for customer in customers], dtype=np.intp)
    figures = looks.figures.take(last)
    when, crossed_ms = due_and_crossed(
        valuation, crossings_of(moves), figures, *standing(customers)
    )
    tell(batch, valuation, looks, transitions_of(looks, moves, crossed_ms), results)
    for result, part in zip(results, parts, strict=True):
        result.causes.update(_causes(batch, part))
    publish(results, settle(valuation, parts, figures, when))


def tell(
    batch: Batch,
    valuation: Valuation,
    looks: Looks,
    transitions: Sequence[Transition],
    results: Sequence[Step],
) -> None:
    """What moved on the way, and what was judged, into each partition's step."""
    changes = announce(batch, valuation, looks, transitions)
    verdicts = judge(batch, valuation, looks.rows)
    for result, (tiers, levels), judged in zip(results, changes, verdicts, strict=True):
        result.tier_changes, result.churn_changes, result.verdicts = tiers, levels, judged


def publish(results: Sequence[Step], settled: Sequence[Settlement]) -> None:
    """What is published and stored, into each partition's step."""
    for result, one in zip(results, settled, strict=True):
        result.states, result.scores, result.ranks = one.states, one.scores, one.ranks
        result.deadlines += one.deadlines
        result.population = one.population


def _causes(batch: Batch, customers: Sequence[Customer]) -> dict[str, int]:
    events = [batch.events[customer.last_row] for customer in customers]
    kinds = Counter([None if event is None else event.kind for event in events])
    return {"model" if k is None else CAUSES[k]: count for k, count in kinds.items()}
