"""Facts: any order within the retention, any batching and any redelivery give the same ones."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.events import BadEvent, Event
from models.facts import BUCKET_DAYS, TOTAL_MINOR_MAX, Outcome
from models.state import State, decode, encode, facts_digest
from tests.models.history import (
    DAY_MS,
    ENGAGEMENT,
    FIRST_DAY,
    PURCHASE,
    REFUND,
    day_of,
    facts,
    histories,
    newest_day,
    play,
    recount,
)

RETENTION_DAYS = 730  # the default of CLV_RETENTION

proof = settings(max_examples=300, derandomize=True, deadline=None, database=None)


def event(kind: int, day: int, amount_minor: int = 0, ms: int = 0, name: str = "") -> Event:
    """An event on a day after FIRST_DAY; its id is new unless given."""
    event.count += 1  # type: ignore[attr-defined]
    at_ms = (FIRST_DAY + day) * DAY_MS + ms
    name = name or f"new-{event.count}"  # type: ignore[attr-defined]
    return Event(kind, b"c", name, at_ms, amount_minor, 3 if kind == ENGAGEMENT else -1)


event.count = 0  # type: ignore[attr-defined]


def apply(state: State, one: Event, retention_days: int = RETENTION_DAYS) -> Outcome:
    return state.apply(one, day_of(one), retention_days)


def shuffled(events: list[Event], seed: int, reach_days: float) -> list[Event]:
    """An order in which no event comes more than `reach_days` days after a later one."""
    chance = random.Random(seed)
    return sorted(events, key=lambda one: day_of(one) + chance.uniform(0, reach_days))


@proof
@given(histories(RETENTION_DAYS), st.randoms(use_true_random=False))
def test_any_order_of_a_history_as_long_as_the_retention(
    events: list[Event], chance: random.Random
) -> None:
    expected = recount(events, RETENTION_DAYS)
    assert facts(play(events, RETENTION_DAYS)) == expected
    chance.shuffle(events)
    assert facts(play(events, RETENTION_DAYS, stored=True)) == expected


@proof
@given(st.data(), st.sampled_from([0, 1, 30, 364, 365, 366, 367, 500, 730, 1096]), st.integers())
def test_any_order_within_the_retention_of_a_longer_history(
    data: st.DataObject, retention_days: int, seed: int
) -> None:
    events = data.draw(histories(3 * retention_days + 400))
    in_order = play(sorted(events, key=lambda one: one.at_ms), retention_days)
    expected = recount(events, retention_days)
    assert facts(in_order) == expected
    mixed = play(shuffled(events, seed, retention_days), retention_days)
    assert facts(mixed) == expected
    assert facts_digest(mixed) == facts_digest(in_order)


@proof
@given(histories(RETENTION_DAYS), st.integers(0, 2**32))
def test_any_redelivery_changes_nothing(events: list[Event], seed: int) -> None:
    chance = random.Random(seed)
    state = State()
    for at, one in enumerate(events):
        assert apply(state, one) is Outcome.PROCESSED
        before = encode(state)
        again = events[chance.randint(0, at)]
        assert apply(state, again) is Outcome.DUPLICATE
        assert encode(state) == before
    assert facts(state) == recount(events, RETENTION_DAYS)


@proof
@given(histories(4 * RETENTION_DAYS), st.randoms(use_true_random=False))
def test_lifetime_totals_do_not_depend_on_any_order_whatever(
    events: list[Event], chance: random.Random
) -> None:
    def totals(state: State) -> tuple[object, ...]:
        counts = sorted(state.engagement_counts.items())
        return state.orders, state.refunds, state.historic_minor, state.refunded_minor, counts

    expected = recount(events, RETENTION_DAYS)
    chance.shuffle(events)
    assert totals(play(events, RETENTION_DAYS)) == (
        expected["orders"],
        expected["refunds"],
        expected["historic_minor"],
        expected["refunded_minor"],
        sorted(expected["engagement_counts"].items()),  # type: ignore[attr-defined]
    )


@proof
@given(histories(2 * RETENTION_DAYS), st.integers())
def test_different_facts_have_different_digests(events: list[Event], seed: int) -> None:
    state = play(events, RETENTION_DAYS)
    digest = facts_digest(state)
    more = event(seed % 3, day_of(events[-1]) - FIRST_DAY, 1)
    apply(state, more)
    assert facts_digest(state) != digest


def test_the_digest_leaves_out_what_depends_on_order_or_reader() -> None:
    events = [event(PURCHASE, 0, 5), event(ENGAGEMENT, 1), event(REFUND, 2, 3)]
    one, other = play(events, 730), play(events[::-1], 730)
    other.revision, other.tier, other.churn_level, other.deadline_s = 9, "gold", "low", 77
    other.as_of_ms, other.predicted_minor, other.at_risk_minor = 99, 5, 6
    assert one.last_event_id != other.last_event_id
    assert one.purchase_ids != other.purchase_ids
    assert facts_digest(one) == facts_digest(other)
    assert len(facts_digest(one)) == 16


def test_the_digest_stays_what_it_was() -> None:
    """It is compared between runs and releases; this value was computed with version 1."""
    events = [
        event(PURCHASE, 0, 500, name="a"),
        event(PURCHASE, 400, 700, name="b"),
        event(ENGAGEMENT, 401, name="c"),
    ]
    assert facts_digest(play(events, 730)).hex() == "a2951d42b9017ee3ab0b0469a0c2b7cf"


# --- late ------------------------------------------------------------------------------------


def test_an_event_older_than_the_retention_adds_to_lifetime_totals_only() -> None:
    state = play([event(PURCHASE, 1000, 500)], RETENTION_DAYS)
    before = facts(state)
    assert apply(state, event(PURCHASE, 1000 - 731, 70)) is Outcome.LATE
    assert apply(state, event(REFUND, 1000 - 731, 20)) is Outcome.LATE
    assert apply(state, event(ENGAGEMENT, 0)) is Outcome.LATE
    assert facts(state) == before | {
        "orders": 2,
        "refunds": 1,
        "late_spend_minor": 70,
        "refunded_minor": 20,
        "historic_minor": 550,
        "engagement_counts": {3: 1},
    }


def test_an_event_exactly_as_old_as_the_retention_is_not_late() -> None:
    state = play([event(PURCHASE, 1000, 500)], RETENTION_DAYS)
    assert apply(state, event(PURCHASE, 1000 - 730, 70)) is Outcome.PROCESSED
    assert state.frequency == 1
    assert state.first_day_spend_minor == 70


def test_any_kind_of_event_moves_the_newest_day() -> None:
    for kind in (PURCHASE, REFUND, ENGAGEMENT):
        state = play([event(kind, 1000)], RETENTION_DAYS)
        assert newest_day(state) == FIRST_DAY + 1000
        assert apply(state, event(PURCHASE, 0)) is Outcome.LATE


def test_a_late_event_delivered_again_is_a_duplicate() -> None:
    state = play([event(PURCHASE, 1000, 500)], RETENTION_DAYS)
    late = event(PURCHASE, 0, 70)
    assert [apply(state, late), apply(state, late)] == [Outcome.LATE, Outcome.DUPLICATE]
    assert state.orders == 2


# --- buckets ---------------------------------------------------------------------------------


def test_buckets_are_kept_for_366_days_today_included() -> None:
    state = play([event(PURCHASE, 0, 5), event(ENGAGEMENT, 0), event(PURCHASE, 365, 7)], 730)
    assert [day for day, *_ in state.purchase_buckets()] == [FIRST_DAY, FIRST_DAY + 365]
    assert [day for day, *_ in state.engagement_buckets()] == [FIRST_DAY]
    apply(state, event(ENGAGEMENT, BUCKET_DAYS))
    assert list(state.purchase_buckets()) == [(FIRST_DAY + 365, 1, 7)]
    assert list(state.engagement_buckets()) == [(FIRST_DAY + 366, 1)]
    assert state.old_days == [FIRST_DAY]


def test_a_second_purchase_on_an_old_day_is_no_new_purchase_day() -> None:
    state = play([event(PURCHASE, 0, 5), event(PURCHASE, 400, 7)], 730)
    apply(state, event(PURCHASE, 0, 11))
    assert (state.frequency, state.first_day_spend_minor, state.spend_minor) == (1, 16, 23)


def test_a_refund_is_no_purchase_day_and_touches_no_purchase_time() -> None:
    state = play([event(PURCHASE, 10, 5), event(REFUND, 5, 3), event(REFUND, 20, 1)], 730)
    assert (state.frequency, state.orders, state.refunds) == (0, 1, 2)
    assert state.first_at_ms == state.last_at_ms == (FIRST_DAY + 10) * DAY_MS
    assert list(state.purchase_buckets()) == [
        (FIRST_DAY + 5, 0, -3),
        (FIRST_DAY + 10, 1, 5),
        (FIRST_DAY + 20, 0, -1),
    ]
    apply(state, event(PURCHASE, 5, 9))  # the refund's day becomes a purchase day, the first
    assert (state.frequency, state.first_day_spend_minor) == (1, 9)


def test_a_refund_bucket_that_expires_leaves_no_purchase_day() -> None:
    state = play([event(REFUND, 0, 5), event(PURCHASE, 400, 7)], 730)
    assert (state.old_days, state.frequency) == ([], 0)


def test_purchase_days_beyond_the_retention_stay_counted() -> None:
    state = play([event(PURCHASE, day, 1) for day in (0, 100, 400, 5000)], 730)
    assert (state.old_days, state.frequency) == ([], 3)
    assert state.repeat_spend_minor == 3


def test_zero_value_orders_are_orders() -> None:
    state = play([event(PURCHASE, 0, 0), event(PURCHASE, 1, 0)], 730)
    assert (state.orders, state.frequency, state.spend_minor) == (2, 1, 0)


# --- duplicates and limits -------------------------------------------------------------------


def test_memory_of_64_ids_each_for_purchases_and_engagements() -> None:
    state = State()
    old_purchase, old_engagement = event(REFUND, 0, 5), event(ENGAGEMENT, 0)
    apply(state, old_purchase)
    apply(state, old_engagement)
    for _ in range(63):
        apply(state, event(PURCHASE, 0, 5))
        apply(state, event(ENGAGEMENT, 0))
    assert apply(state, old_purchase) is Outcome.DUPLICATE
    assert apply(state, old_engagement) is Outcome.DUPLICATE
    apply(state, event(PURCHASE, 0, 5))
    assert apply(state, old_purchase) is Outcome.PROCESSED  # beyond the memory it counts as new
    assert apply(state, old_engagement) is Outcome.DUPLICATE


def test_purchases_and_engagements_may_share_an_id() -> None:
    state = State()
    assert apply(state, event(PURCHASE, 0, 5, name="x")) is Outcome.PROCESSED
    assert apply(state, event(ENGAGEMENT, 0, name="x")) is Outcome.PROCESSED
    assert apply(state, event(REFUND, 0, 5, name="x")) is Outcome.DUPLICATE


def test_the_last_event_is_the_one_applied_last() -> None:
    state = State()
    apply(state, event(PURCHASE, 1000, 5, name="a"))
    apply(state, event(ENGAGEMENT, 0, name="late"))
    apply(state, event(PURCHASE, 1000, 5, name="a"))
    assert state.last_event_id == "late"


@pytest.mark.parametrize("kind", [PURCHASE, REFUND])
def test_totals_end_at_2_to_the_62(kind: int) -> None:
    state = State()
    apply(state, event(kind, 1000, TOTAL_MINOR_MAX - 10))
    apply(state, event(kind, 0, 4))  # late
    before = encode(state)
    for day in (0, 1000, 2000):
        with pytest.raises(BadEvent) as caught:
            apply(state, event(kind, day, 7))
        assert caught.value.reason == "bad_amount"
        assert encode(state) == before
    apply(state, event(kind, 1000, 6))
    assert abs(state.historic_minor) == TOTAL_MINOR_MAX
    assert facts(decode(encode(state))) == facts(state)
