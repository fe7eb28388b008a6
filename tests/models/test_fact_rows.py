"""Rows of facts that share their buckets say the same as rows that have their own."""

from dataclasses import fields

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.events import Event, Kind
from models.fact_rows import NONE, FactRows, NetBuckets
from models.facts import Outcome
from models.parameters import CDNOW
from models.state import State
from tests.models.history import newest_day

DAY_MS = 86_400_000
FIRST_DAY = 20_000
RETENTION_DAYS = 500

# Customer, days later than the event before (or earlier), kind, amount.
happenings = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from([0, 0, 1, 1, 5, 40, 200, 370, -1, -30, -400]),
        st.sampled_from([Kind.PURCHASE] * 3 + [Kind.REFUND, Kind.ENGAGEMENT]),
        st.integers(0, 5_000),
    ),
    max_size=40,
)


def net_since(buckets: NetBuckets, row: int, day: int) -> int:
    rows = np.array([row])
    starts = buckets.first_after(rows, np.array([day]))
    return int(buckets.sum_from(rows, starts)[0])


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(happenings)
def test_sharing_changes_nothing(happened: list[tuple[int, int, int, int]]) -> None:
    shared, apart = FactRows(), FactRows()
    states = [State() for _ in range(3)]
    newest_row = [NONE] * 3
    expected: list[tuple[int, dict[int, int]]] = []  # newest day, and net by day, of each row
    day = FIRST_DAY
    for number, (who, later, kind, amount) in enumerate(happened):
        day += later
        state = states[who]
        event = Event(int(kind), b"c", str(number), day * DAY_MS, amount, 0)
        assert state.apply(event, day, RETENTION_DAYS) is not Outcome.DUPLICATE
        if kind is Kind.ENGAGEMENT:
            continue  # without an offset it adds no row
        newest_row[who] = shared.add(state, newest_row[who])
        apart.add(state)
        net = {day: net for day, _, net in state.purchase_buckets()}
        expected.append((newest_day(state), net))
    one, other = shared.columns(CDNOW), apart.columns(CDNOW)
    for field in fields(one):
        if field.name not in ("buckets", "engagements"):
            assert np.array_equal(getattr(one, field.name), getattr(other, field.name))
    assert np.array_equal(one.buckets.last_days, other.buckets.last_days)
    for row, (newest, net) in enumerate(expected):
        # From the earliest day that a window can begin after, to where it holds nothing more.
        for since in (newest - 365, newest - 364, newest - 30, newest - 1, newest, newest + 9):
            true = sum(minor for day, minor in net.items() if day > since)
            assert net_since(one.buckets, row, since) == true
            assert net_since(other.buckets, row, since) == true


def test_a_row_with_one_day_more_takes_one_bucket_more() -> None:
    rows = FactRows()
    state = State()
    row = NONE
    for day in range(FIRST_DAY, FIRST_DAY + 50):
        state.apply(Event(0, b"c", str(day), day * DAY_MS, 100, -1), day, RETENTION_DAYS)
        row = rows.add(state, row)
    assert rows.columns(CDNOW).buckets.net_minor.tolist() == [100] * 50
