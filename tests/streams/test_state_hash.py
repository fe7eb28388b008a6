"""Equal facts have equal hashes, others have others."""

import random

import pytest

from models.events import Event, Kind
from models.state import State, UnknownVersion, decode, encode
from streams.state_hash import hash_states

DAY_MS = 86_400_000


def state(*events, **other):
    made = State()
    for number, at_day, amount in events:
        event = Event(Kind.PURCHASE, b"", f"o-{number}", at_day * DAY_MS, amount, -1)
        made.apply(event, at_day, 730)
    for name, value in other.items():
        setattr(made, name, value)
    return encode(made)


EVENTS = [(n, 20_000 + n % 90, 100 + n) for n in range(40)]


def test_the_order_of_customers_and_of_events_does_not_matter():
    shuffled = random.Random(1).sample(EVENTS, len(EVENTS))
    one = hash_states({b"1": state(*EVENTS), b"2": state(EVENTS[0])})
    other = hash_states({b"2": state(EVENTS[0]), b"1": state(*shuffled)})
    assert one == other
    assert one.customers == 2


def test_an_event_more_or_a_cent_less_shows():
    whole = hash_states({b"1": state(*EVENTS)})
    assert hash_states({b"1": state(*EVENTS[1:])}) != whole
    (number, day, amount), *rest = EVENTS
    assert hash_states({b"1": state((number, day, amount - 1), *rest)}) != whole


def test_states_that_change_their_owners_show():
    one = {b"1": state(*EVENTS), b"2": state(EVENTS[0])}
    other = {b"1": state(EVENTS[0]), b"2": state(*EVENTS)}
    assert hash_states(one) != hash_states(other)


def test_customers_that_are_equal_do_not_cancel_out():
    value = state(*EVENTS)
    twins = {b"1": value, b"2": value}
    assert (
        len({hash_states(twins).hash, hash_states({b"1": value}).hash, hash_states({}).hash}) == 3
    )


def test_only_the_whole_state_shows_tier_and_revision():
    gold, silver = state(*EVENTS, tier="gold"), state(*EVENTS, tier="silver", revision=7)
    assert hash_states({b"1": gold}) == hash_states({b"1": silver})
    assert hash_states({b"1": gold}, whole=True) != hash_states({b"1": silver}, whole=True)


def test_a_state_of_the_future_is_refused():
    value = bytearray(state(*EVENTS))
    assert value[3] == decode(bytes(value)).version
    value[3] = 60
    with pytest.raises(UnknownVersion):
        hash_states({b"1": bytes(value)})
