"""A change-over: the same changes as one that stops the world, whoever is changed over when."""

from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.change_over import ChangeOver
from models.changes import Change, change_id
from models.events import Event
from models.parameters import CDNOW
from models.policy import Policy
from models.rescore import rescore
from models.state import decode
from models.step import Step, step
from tests.models.naive import Crossed, Naive
from tests.models.shop import (
    DAY_MS,
    START_MS,
    Partition,
    policies,
    purchase,
    purchase_histories,
    score_of,
    silence,
    visit,
)
from tests.models.test_silence import same

proof = settings(max_examples=40, derandomize=True, deadline=None, database=None)

# Of another shop: customers come back less often, leave sooner, and spend ten times as much.
OTHER = replace(CDNOW, r=0.4, alpha=90.0, a=1.4, b=1.2, v=20_000.0, version="other")


@dataclass
class Changing(Partition):
    """A partition whose customers change over in portions."""

    changing: ChangeOver | None = None
    left: set[bytes] = field(default_factory=set)

    def change_over(self, policy: Policy) -> None:
        """As a worker does: what is due first, by the earlier parameters."""
        self.tick(self.now_ms)
        self.left = set(self.table)
        self.changing = ChangeOver(self.now_ms, self.policy, self.left)
        self.policy = policy

    def portion(self, customers: list[bytes]) -> Step:
        return self.take(
            silence(self.policy, self.table.get, customers, self.now_ms, self.changing)
        )

    def play(self, events: Any) -> Step:
        return self.take(
            step(self.policy, self.table.get, list(events), self.now_ms, self.changing)
        )

    def tick(self, now_ms: int, limit: int = 1_000) -> None:
        self.now_ms = max(now_ms, self.now_ms)
        while due := self.schedule.due(self.now_ms, limit):
            self.portion(due)

    def take(self, result: Step) -> Step:
        self.left.difference_update(result.states)
        return super().take(result)


@proof
@given(policies(), purchase_histories(max_size=14, customers=3), st.data())
def test_as_if_the_world_had_stood_still(
    policy: Policy, events: list[Event], data: st.DataObject
) -> None:
    """Against a recount of each customer, which changes all at once at that instant."""
    new = replace(policy, params=OTHER)
    cut = data.draw(st.integers(0, 1 + len(events) // 2))
    partition = Changing(policy)
    for event in events[:cut]:
        partition.one(event)
    since_ms = partition.now_ms + data.draw(st.integers(0, 90)) * DAY_MS
    partition.tick(since_ms)
    partition.change_over(new)
    for event in events[cut:]:
        first = data.draw(st.sampled_from(["", "", "a portion", "a tick"]))
        if first == "a portion" and partition.left:
            partition.portion([data.draw(st.sampled_from(sorted(partition.left)))])
        elif first == "a tick":
            partition.tick(event.at_ms)
        partition.one(event)
    partition.portion(sorted(partition.left))
    end_ms = max(partition.now_ms, START_MS) + 400 * DAY_MS
    partition.tick(end_ms)
    assert not partition.left
    for customer in partition.table:
        truth = stopped(policy, new, events, customer, cut, since_ms, end_ms)
        told = [change for change in partition.changes if change[1].customer == customer]
        one = Partition(new, changes=told)
        for kind in ("tier", "churn"):
            same(one.crossed(kind), [change for change in truth if change.kind == kind])


def stopped(
    old: Policy,
    new: Policy,
    events: list[Event],
    customer: bytes,
    cut: int,
    since_ms: int,
    end_ms: int,
) -> list[Crossed]:
    """One customer's changes by the slow way."""
    naive = Naive(old)
    now_ms = 0
    for number, event in enumerate(events):
        if number == cut and naive.events:
            change(naive, new, since_ms)
        now_ms = max(now_ms, event.at_ms, since_ms if number >= cut else 0)
        if event.customer == customer:
            naive.policy = old if number < cut else new
            naive.apply(event, now_ms)
    if cut >= len(events):
        change(naive, new, since_ms)
    naive.silence(end_ms)
    return naive.changes


def change(naive: Naive, new: Policy, since_ms: int) -> None:
    at_ms = max(since_ms, naive.as_of_ms)
    naive.silence(at_ms)
    naive.policy = new
    naive.move(*naive.settled(naive.worth([at_ms])[0]), "model", OTHER.version, at_ms)


def changed() -> Changing:
    """Ann, whose value by the other parameters lifts her to gold; and Bea, who has no purchase."""
    partition = Changing(Policy())
    partition.play([(purchase(1, 0, 30_000, b"ann"), START_MS)])
    partition.play([(visit(2, 1, customer=b"bea"), START_MS + DAY_MS)])
    partition.tick(START_MS + 30 * DAY_MS)
    generous = replace(CDNOW, v=60_000.0, version="generous")
    partition.change_over(Policy(params=generous))
    return partition


def test_everyone_has_a_score_of_the_new_version_and_who_moves_says_why() -> None:
    partition = changed()
    before = {customer: decode(state).revision for customer, state in partition.table.items()}
    was = score_of(partition, b"ann")
    result = partition.portion([b"ann", b"bea"])
    assert result.causes == {"model": 2}
    for customer in (b"ann", b"bea"):
        score = score_of(partition, customer)
        assert (score.model_version, score.revision) == ("generous", before[customer] + 1)
    (one,) = result.tier_changes
    value = msgspec.json.decode(one.value)
    assert (one.from_, one.to, one.cause) == ("silver", "gold", "model")
    assert value["cause_id"] == value["model_version"] == "generous"
    assert one.crossed_at_ms == START_MS + 30 * DAY_MS
    # What the earlier parameters said at that instant: Ann was looked at on that day or before.
    earlier = rescore_at(partition, START_MS + 30 * DAY_MS)
    assert value["tier_value_minor_before"] == earlier
    assert earlier <= was.tier_value_minor < value["tier_value_minor"]
    assert value["tier_value_minor"] == score_of(partition, b"ann").tier_value_minor


def rescore_at(partition: Changing, at_ms: int) -> int:
    """Ann's tier value by the earlier parameters, from the slow way."""
    naive = Naive(Policy(), events=[purchase(1, 0, 30_000, b"ann")])
    return int(naive.worth([at_ms])[0].tier_value)


def test_the_second_time_changes_nothing_but_the_revision() -> None:
    """A worker that was killed may not know who has changed over already."""
    partition = changed()
    partition.portion([b"ann", b"bea"])
    once = dict(partition.scores)
    partition.left |= {b"ann", b"bea"}
    again = partition.portion([b"ann", b"bea"])
    assert not again.tier_changes
    assert not again.churn_changes
    for customer, score in once.items():
        first, second = (msgspec.json.decode(s) for s in (score, partition.scores[customer]))
        assert second.pop("revision") == first.pop("revision") + 1
        assert second == first


def test_an_event_that_changes_nothing_still_finds_its_customer_changed_over() -> None:
    partition = changed()
    result = partition.play([(purchase(1, 0, 30_000, b"ann"), partition.now_ms)])
    assert result.outcomes == {("purchases", "duplicate"): 1}
    assert result.causes == {"model": 1}
    assert [one.cause for one in result.tier_changes] == ["model"]
    assert partition.left == {b"bea"}


def test_scores_of_those_who_are_left_are_by_the_earlier_parameters() -> None:
    partition = changed()
    assert partition.changing is not None
    earlier = rescore(partition.changing.earlier, partition.table.items())
    assert {one.customer: one.score for one in earlier} == partition.scores


@pytest.mark.parametrize("cause", ["silence", "model"])
def test_going_back_and_forth_gives_other_ids(cause: str) -> None:
    ids = {change_id("tier", b"ann", cause, "v1", "gold", second * 1_000) for second in range(3)}
    assert len(ids) == 3


def test_who_has_changed_over_is_told_the_same_beside_one_who_has_not() -> None:
    """Of the one the model is told first, and of the other what its purchase alone has done."""
    earlier = Policy(tiers=(("low", 0), ("middle", 50_000), ("high", 10_000_000)))
    later = replace(earlier, params=replace(CDNOW, v=100 * CDNOW.v, version="later"))
    left, done = (Partition(policy) for policy in (earlier, later))
    left.one(purchase(1, 0, customer=b"left"))
    done.one(purchase(2, 0, customer=b"done"))
    table = left.table | done.table
    change_over = ChangeOver(START_MS, earlier, {b"left"})
    events = [purchase(n, 0, 20_000_000, who) for n, who in ((3, b"left"), (4, b"done"))]

    def told(*some: Event) -> list[Change]:
        arrived = [(event, event.at_ms) for event in some]
        result = step(later, table.get, arrived, START_MS, change_over)
        return result.tier_changes

    together = told(*events)
    assert [change.cause for change in together] == ["model", "purchase", "purchase"]
    assert together == told(events[0]) + told(events[1])
