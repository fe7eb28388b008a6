"""What if: the same figures as if it had come to pass."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.events import AMOUNT_MINOR_MAX, Event
from models.policy import Policy
from models.score import Score
from models.state import decode
from models.what_if import TooEarly, next_tier, score_at, score_if_purchase
from tests.models.naive import Naive
from tests.models.shop import DAY_MS, START_MS, Partition, policies, purchase_histories

proof = settings(max_examples=40, derandomize=True, deadline=None, database=None)

WHO = b"c1"


def played(policy: Policy, events: list[Event]) -> Partition:
    partition = Partition(policy)
    for event in events:
        partition.one(event)
    return partition


def published(partition: Partition) -> Score:
    return msgspec.json.decode(partition.scores[WHO], type=Score)


@proof
@given(policies(), purchase_histories())
def test_at_its_own_instant_it_is_the_published_score(policy: Policy, events: list[Event]) -> None:
    partition = played(policy, events)
    found = score_at(policy, WHO, partition.table[WHO], decode(partition.table[WHO]).as_of_ms)
    assert found == published(partition)


@proof
@given(policies(), purchase_histories(), st.integers(1, 700 * DAY_MS))
def test_at_a_later_instant_it_is_what_silence_leads_to(
    policy: Policy, events: list[Event], later_ms: int
) -> None:
    partition, naive = Partition(policy), Naive(policy)
    for event in events:
        partition.one(event)
        naive.apply(event, naive.as_of_ms)
    at_ms = events[-1].at_ms + later_ms
    found = score_at(policy, WHO, partition.table[WHO], at_ms)
    naive.silence(at_ms)
    assert found.tier == policy.tier_names[naive.tier or 0]
    assert found.churn_level == policy.level_names[naive.level or 0]
    worth = naive.worth([at_ms])[0]
    assert found.tier_value_minor == pytest.approx(worth.tier_value, abs=1.0)
    assert found.activity_decline == pytest.approx(worth.decline, abs=2e-6)
    # The same again by way of ticks: nothing depends on how often one looks.
    partition.tick(events[-1].at_ms + later_ms // 2)
    assert (
        msgspec.structs.replace(
            score_at(policy, WHO, partition.table[WHO], at_ms), revision=found.revision
        )
        == found
    )


@proof
@given(policies(), purchase_histories(), st.integers(0, 400 * DAY_MS), st.integers(0, 50_000))
def test_one_more_purchase_is_scored_as_if_it_came(
    policy: Policy, events: list[Event], later_ms: int, amount_minor: int
) -> None:
    partition = played(policy, events)
    state, at_ms = partition.table[WHO], events[-1].at_ms + later_ms
    found = score_if_purchase(policy, WHO, state, at_ms, amount_minor)
    partition.one(Event(0, WHO, "really", at_ms, amount_minor, -1))
    assert found == published(partition)


@proof
@given(policies(), purchase_histories(), st.integers(0, 400 * DAY_MS))
def test_the_next_tier_is_just_reached(policy: Policy, events: list[Event], later_ms: int) -> None:
    partition = played(policy, events)
    state, at_ms = partition.table[WHO], events[-1].at_ms + later_ms
    score = score_at(policy, WHO, state, at_ms)
    missing = next_tier(policy, WHO, state, at_ms, score)
    names = policy.tier_names
    if missing is None:
        assert score.tier == names[-1]
        return
    assert names.index(missing.tier) == names.index(score.tier) + 1
    assert missing.missing_minor == missing.threshold_minor - score.tier_value_minor
    needed = missing.purchase_minor

    def tier_after(amount_minor: int) -> int:
        return names.index(score_if_purchase(policy, WHO, state, at_ms, amount_minor).tier)

    if needed is None:
        # On the first day of purchases no amount changes what is predicted.
        assert policy.tier_metric == "predicted"
        assert tier_after(AMOUNT_MINOR_MAX) < names.index(missing.tier)
        return
    assert tier_after(needed) >= names.index(missing.tier)
    assert needed == 0 or tier_after(needed - 1) < names.index(missing.tier)


def test_a_tier_out_of_reach_is_said() -> None:
    policy = Policy(tiers=(("all", 0), ("never", 10**15)))
    partition = played(policy, [Event(0, WHO, "o-1", START_MS, 5_000, -1)])
    score = published(partition)
    missing = next_tier(policy, WHO, partition.table[WHO], START_MS, score)
    assert missing is not None
    assert missing.purchase_minor is None
    assert missing.missing_minor > AMOUNT_MINOR_MAX


def test_the_past_is_refused() -> None:
    policy = Policy()
    partition = played(policy, [Event(0, WHO, "o-1", START_MS, 5_000, -1)])
    for ask in (score_at, lambda *args: score_if_purchase(*args, 100)):
        with pytest.raises(TooEarly) as refusal:
            ask(policy, WHO, partition.table[WHO], START_MS - 1)
        assert refusal.value.earliest_ms == START_MS
