"""The step: one event at a time and any batching agree, and each message holds what it must."""

import gc
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from models.changes import Change
from models.events import Event
from models.facts import TOTAL_MINOR_MAX
from models.policy import Policy
from models.population import Population, population_of
from models.reasons import Reason
from models.rescore import rescore
from models.state import decode, decode_summary
from models.step import Step, step
from tests.models.naive import Naive
from tests.models.shop import (
    DAY_MS,
    PURCHASE,
    START_MS,
    Partition,
    arrivals,
    policies,
    purchase,
    score_of,
    silence,
    visit,
)

proof = settings(max_examples=50, derandomize=True, deadline=None, database=None)


# --- batching ---------------------------------------------------------------------------------


@proof
@given(policies(), arrivals(), st.data())
def test_one_at_a_time_and_any_batching_agree(
    policy: Policy, events: list[tuple[Event, int]], data: st.DataObject
) -> None:
    single, batched = Partition(policy), Partition(policy)
    for event in events:
        single.play([event])
    at = 0
    while at < len(events):
        size = data.draw(st.integers(1, len(events)))
        batched.play(events[at : at + size])
        at += size
    assert batched.table == single.table
    assert batched.scores == single.scores
    assert batched.now_ms == single.now_ms
    for customer in single.table:
        assert told(batched, customer) == told(single, customer)


def told(partition: Partition, customer: bytes) -> list[list[Change]]:
    return [
        [c for of, c in partition.changes if of == kind and c.customer == customer]
        for kind in ("tier", "churn")
    ]


@proof
@given(policies(), arrivals())
def test_late_events_and_silence_agree_with_a_scan(
    policy: Policy, events: list[tuple[Event, int]]
) -> None:
    partition = Partition(policy)
    naive: dict[bytes, Naive] = {}
    seen: set[str] = set()
    now_ms = 0
    for event, timestamp_ms in events:
        partition.play([(event, timestamp_ms)])
        if event.id not in seen:
            seen.add(event.id)
            now_ms = max(now_ms, min(event.at_ms, timestamp_ms))
            naive.setdefault(event.customer, Naive(policy)).apply(event, now_ms)
    for kind in ("tier", "churn"):
        for customer, truth in naive.items():
            found = Partition(
                policy, changes=[c for c in partition.changes if c[1].customer == customer]
            )
            assert found.crossed(kind) == [c for c in truth.changes if c.kind == kind]


@proof
@given(policies(), arrivals())
def test_changes_are_chains_with_ids_of_their_own(
    policy: Policy, events: list[tuple[Event, int]]
) -> None:
    partition = Partition(policy)
    partition.play(events)
    last: dict[tuple[str, bytes], str] = {}
    for kind, change in partition.changes:
        assert change.from_ == last.get((kind, change.customer))
        assert change.from_ != change.to
        last[kind, change.customer] = change.to
    ids = Counter(change.id for _, change in partition.changes)
    assert set(ids.values()) <= {1}
    for customer, data in partition.table.items():
        state = decode(data)
        assert state.tier == last["tier", customer]
        assert state.churn_level == last["churn", customer]


@proof
@given(policies(), arrivals())
def test_scores_are_made_again_byte_by_byte(
    policy: Policy, events: list[tuple[Event, int]]
) -> None:
    partition = Partition(policy)
    result = partition.play(events)
    again = rescore(policy, partition.table.items())
    assert {r.customer: r.score for r in again} == partition.scores
    assert {(r.customer, r.total_minor, r.at_risk_minor) for r in again} == set(result.ranks)
    for one in partition.table.items():
        assert rescore(policy, [one])[0].score == partition.scores[one[0]]


@proof
@given(policies(), arrivals())
def test_differences_add_up_to_the_population(
    policy: Policy, events: list[tuple[Event, int]]
) -> None:
    partition = Partition(policy)
    total = Population()
    for at in range(0, len(events), 5):
        add(total, partition.play(events[at : at + 5]))
    partition.now_ms += 300 * DAY_MS
    add(
        total,
        partition.take(silence(policy, partition.table.get, [*partition.table], partition.now_ms)),
    )
    there = population_of(map(decode_summary, partition.table.values()))
    assert nonzero(total) == nonzero(there)
    assert sum(there.customers.values()) == len(partition.table)


def add(total: Population, result: Step) -> None:
    for name in ("customers", "historic_minor", "predicted_minor", "levels"):
        getattr(total, name).update(getattr(result.population, name))
    total.at_risk_minor += result.population.at_risk_minor


def nonzero(population: Population) -> tuple[object, ...]:
    counters = (
        population.customers,
        population.historic_minor,
        population.predicted_minor,
        population.levels,
    )
    return (*({k: v for k, v in c.items() if v} for c in counters), population.at_risk_minor)


# --- events -----------------------------------------------------------------------------------


def test_duplicates_change_nothing() -> None:
    partition = Partition(Policy())
    partition.one(purchase(1, 0))
    before = dict(partition.table)
    result = partition.play([(purchase(1, 0), START_MS + 5), (purchase(1, 3), START_MS + 9)])
    assert result == Step(START_MS, outcomes=Counter({("purchases", "duplicate"): 2}))
    assert partition.table == before


def test_outcomes_and_causes_are_counted() -> None:
    partition = Partition(Policy())
    first, second = purchase(1, 800), visit(2, 800)
    late = purchase(3, 0)
    result = partition.play([(e, e.at_ms) for e in (first, second, second, late)])
    assert result.outcomes == {
        ("purchases", "processed"): 1,
        ("purchases", "late"): 1,
        ("engagements", "processed"): 1,
        ("engagements", "duplicate"): 1,
    }
    assert result.causes == {"purchase": 1}
    assert (score_of(partition).orders, score_of(partition).frequency) == (2, 0)
    assert score_of(partition).revision == 3


def test_what_the_facts_refuse_leaves_everything_as_it_was() -> None:
    partition = Partition(Policy())
    huge = Event(PURCHASE, b"42", "o-1", START_MS, TOTAL_MINOR_MAX, -1)
    more = Event(PURCHASE, b"42", "o-2", START_MS + DAY_MS, TOTAL_MINOR_MAX, -1)
    other = Event(PURCHASE, b"new", "o-3", START_MS, TOTAL_MINOR_MAX + 1, -1)
    partition.one(huge)
    before = dict(partition.table)
    result = partition.play([(more, more.at_ms), (other, other.at_ms)])
    assert [index for index, _ in result.refused] == [0, 1]
    assert {why.reason for _, why in result.refused} == {Reason.BAD_AMOUNT}
    assert partition.table == before
    assert (result.now_ms, result.scores) == (START_MS, [])


def test_a_batch_with_refusals_goes_when_its_last_user_does() -> None:
    """A refusal that held on to its frames would keep all of the batch, until cycles are sought."""
    partition = Partition(Policy())
    huge = Event(PURCHASE, b"42", "o-1", START_MS, TOTAL_MINOR_MAX + 1, -1)
    gc.collect()
    gc.disable()
    try:
        assert partition.play([(huge, huge.at_ms)]).refused
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_time_moves_no_further_than_the_record_s_timestamp() -> None:
    partition = Partition(Policy())
    early = purchase(1, 1)
    partition.play([(early, START_MS)])
    assert partition.now_ms == START_MS
    assert score_of(partition).as_of == "2020-01-02T00:00:00.000Z"  # never before the last event
    partition.play([(purchase(2, 0.5, customer=b"43"), START_MS + DAY_MS)])
    assert partition.now_ms == START_MS + DAY_MS // 2


def test_a_tick_touches_only_who_is_due() -> None:
    partition = Partition(Policy())
    partition.one(purchase(1, 0))
    deadline_s = partition.deadlines[b"42"]
    result = silence(partition.policy, partition.table.get, [b"42", b"gone"], deadline_s * 1000 - 1)
    assert result.deadlines == [(b"42", deadline_s), (b"gone", 0)]
    assert (result.states, result.scores) == ({}, [])
    result = silence(partition.policy, partition.table.get, [b"42"], deadline_s * 1000)
    assert len(result.scores) == 1
    assert result.causes == {"silence": 1}
    assert decode(result.states[b"42"]).revision == 2


def test_nothing_at_all() -> None:
    assert step(Policy(), {}.get, [], 5) == Step(5)
    assert silence(Policy(), {}.get, [], 5) == Step(5)
    assert rescore(Policy(), []) == []
