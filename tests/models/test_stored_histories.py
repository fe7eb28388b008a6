"""What is stored is enough to fit a model: the same numbers as from the list of purchases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.days import Days
from models.events import Event
from models.histories import PurchaseDays, histories
from models.policy import Policy
from models.state import State, encode
from models.stored_histories import stored_histories
from tests.models.shop import DAY_MS, PURCHASE, REFUND, START_MS, purchase, purchase_histories

proof = settings(max_examples=60, derandomize=True, deadline=None, database=None)


def encoded(events: list[Event], days: Days) -> dict[bytes, bytes]:
    states: dict[bytes, State] = {}
    for event in events:
        state = states.setdefault(event.customer, State())
        state.apply(event, days.day(event.at_ms), Policy().retention_days)
    return {customer: encode(state) for customer, state in states.items()}


@proof
@given(
    purchase_histories(max_size=30, gap_days=60.0, customers=4),
    st.sampled_from(["UTC", "America/New_York"]),
    st.integers(0, 500),
)
def test_the_same_as_from_the_list(events: list[Event], zone: str, later: int) -> None:
    days = Days(zone)
    states = encoded(events, days)
    end_day = days.day(events[-1].at_ms) + later
    found = stored_histories(states.values(), days, end_day)
    bought = [event for event in events if event.kind == PURCHASE]
    names = [name for name in states if any(event.customer == name for event in bought)]
    money = [event for event in events if event.kind in {PURCHASE, REFUND}]
    assert found.without_purchase == len(states) - len(names)
    listed = PurchaseDays.of_orders(
        np.array([names.index(event.customer) for event in bought], dtype=np.int64),
        np.array([days.day(event.at_ms) for event in bought], dtype=np.int64),
        np.array([event.amount_minor for event in bought], dtype=np.int64),
    )
    truth = histories(listed, end_day)
    for name, column in truth._asdict().items():
        np.testing.assert_array_equal(getattr(found.histories, name), column, err_msg=name)
    trailing = [
        sum(
            event.amount_minor if event.kind == PURCHASE else -event.amount_minor
            for event in money
            if event.customer == name and days.day(event.at_ms) > end_day - 365
        )
        for name in names
    ]
    assert found.trailing_minor.tolist() == trailing


def test_an_event_ahead_of_the_partitions_time_moves_the_end() -> None:
    days = Days("UTC")
    states = encoded([purchase(1, 0), purchase(2, 5)], days)
    found = stored_histories(states.values(), days, START_MS // DAY_MS + 4)
    assert found.end_day == START_MS // DAY_MS + 5
    assert found.histories.age.tolist() == found.histories.recency.tolist() == [5.0]


def test_nobody() -> None:
    found = stored_histories([], Days("UTC"), 7)
    assert found.histories.customer.size == 0
    assert found.end_day == 7


@pytest.mark.parametrize("data", [b"\xc1", b"\xdc\x00"])
def test_what_is_no_state_is_told(data: bytes) -> None:
    with pytest.raises(Exception, match=r".+") as told:
        stored_histories([data], Days("UTC"), 7)
    assert type(told.value).__module__.startswith(("msgspec", "models"))
