"""The step: one event at a time and any batching agree, and each message holds what it must."""

from collections import Counter

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from models.changes import Change
from models.events import Event
from models.policy import Policy
from models.population import Population, population_of
from models.score import Score
from models.state import decode, decode_summary
from models.step import Step, rescore, silence
from tests.models.naive import Naive
from tests.models.shop import (
    DAY_MS,
    ENGAGEMENT,
    PURCHASE,
    REFUND,
    START_MS,
    Partition,
    policies,
    purchase_histories,
)

proof = settings(max_examples=50, derandomize=True, deadline=None, database=None)


def purchase(number: int, day: float, amount_minor: int = 5_000, customer: bytes = b"42") -> Event:
    at_ms = START_MS + int(day * DAY_MS)
    return Event(PURCHASE, customer, f"o-{number}", at_ms, amount_minor, -1)


def refund(number: int, day: float, amount_minor: int, customer: bytes = b"42") -> Event:
    at_ms = START_MS + int(day * DAY_MS)
    return Event(REFUND, customer, f"r-{number}", at_ms, amount_minor, -1)


def visit(number: int, day: float, kind: int = 0, customer: bytes = b"42") -> Event:
    at_ms = START_MS + int(day * DAY_MS)
    return Event(ENGAGEMENT, customer, f"v-{number}", at_ms, 0, kind)


def score_of(partition: Partition, customer: bytes = b"42") -> Score:
    return msgspec.json.decode(partition.scores[customer], type=Score)


# --- batching ---------------------------------------------------------------------------------


@st.composite
def arrivals(draw: st.DrawFn) -> list[tuple[Event, int]]:
    """Events of three customers, some late, early or twice, with their records' timestamps."""
    found = []
    for event in draw(purchase_histories(max_size=24, gap_days=60.0, customers=3)):
        delay = draw(st.sampled_from([0, 0, 1_000, DAY_MS, -3_600_000]))
        found.append((event, event.at_ms + delay))
        if draw(st.integers(0, 9)) == 0:
            found.append((event, event.at_ms + DAY_MS))
    for _ in range(draw(st.integers(0, 5))):
        moved = found.pop(draw(st.integers(0, len(found) - 1)))
        found.insert(draw(st.integers(0, len(found))), moved)
    return found


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
