"""Windows of many rows at once equal sums of one row at a time."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.events import Event
from models.facts import TOTAL_MINOR_MAX
from models.state import State
from models.windows import NEVER, WINDOWS_DAYS, WindowRows
from tests.models.history import DAY_MS, FIRST_DAY, PURCHASE, REFUND, histories, play

proof = settings(max_examples=150, derandomize=True, deadline=None, database=None)


def bought(*days: int, amount_minor: int = 100, kind: int = PURCHASE) -> State:
    state = State()
    for number, day in enumerate(days):
        event = Event(kind, b"c", f"{number}", (FIRST_DAY + day) * DAY_MS, amount_minor, -1)
        state.apply(event, FIRST_DAY + day, 730)
    return state


@proof
@given(st.lists(st.tuples(histories(800, max_size=12), st.integers(0, 400)), max_size=6))
def test_equals_one_row_at_a_time(customers: list[tuple[list[Event], int]]) -> None:
    rows = WindowRows()
    states = [(play(events, 730), silence) for events, silence in customers]
    for state, silence in states:
        rows.add(state, state.newest_day + silence)
    sums = rows.sums()
    assert len(rows) == len(customers)
    assert [column.shape for column in sums] == [(len(customers), 4)] * 5
    for row, (state, silence) in enumerate(states):
        today = state.newest_day + silence
        for column, length_days in enumerate(WINDOWS_DAYS):
            purchases = [b for b in state.purchase_buckets() if b[0] > today - length_days]
            visits = [b for b in state.engagement_buckets() if b[0] > today - length_days]
            assert sums.orders[row, column] == sum(bucket[1] for bucket in purchases)
            assert sums.revenue_minor[row, column] == sum(bucket[2] for bucket in purchases)
            assert sums.engagements[row, column] == sum(bucket[1] for bucket in visits)
            for drops, buckets in (
                (sums.purchase_drop_day, purchases),
                (sums.engagement_drop_day, visits),
            ):
                expected = min((day + length_days for day, *_ in buckets), default=NEVER)
                assert drops[row, column] == expected


def test_today_is_included_and_the_day_a_window_ago_is_not() -> None:
    rows = WindowRows()
    for silence in (0, 6, 7, 29, 30, 89, 90, 364, 365):
        rows.add(bought(0), FIRST_DAY + silence)
    assert rows.sums().orders.tolist() == [
        [1, 1, 1, 1],
        [1, 1, 1, 1],
        [0, 1, 1, 1],
        [0, 1, 1, 1],
        [0, 0, 1, 1],
        [0, 0, 1, 1],
        [0, 0, 0, 1],
        [0, 0, 0, 1],
        [0, 0, 0, 0],
    ]


def test_a_window_drops_at_the_start_of_the_day_it_names() -> None:
    rows = WindowRows()
    state = bought(0, 3)
    rows.add(state, FIRST_DAY + 3)
    drop = rows.sums().purchase_drop_day[0]
    assert (drop - FIRST_DAY).tolist() == [7, 30, 90, 365]
    later = WindowRows()
    for day in drop:
        later.add(state, day - 1)
        later.add(state, day)
    orders = later.sums().orders
    assert [orders[2 * c, c] for c in range(4)] == [2, 2, 2, 2]
    assert [orders[2 * c + 1, c] for c in range(4)] == [1, 1, 1, 1]


def test_customers_with_nothing_and_no_rows_at_all() -> None:
    rows = WindowRows()
    assert [column.shape for column in rows.sums()] == [(0, 4)] * 5
    rows.add(State(), FIRST_DAY)
    rows.add(bought(5), FIRST_DAY + 5)
    rows.add(State(), FIRST_DAY)
    assert rows.sums().orders.tolist() == [[0] * 4, [1] * 4, [0] * 4]
    assert rows.sums().purchase_drop_day[0].tolist() == [NEVER] * 4


def test_sums_are_exact_however_large_the_rows_before() -> None:
    """Running sums over all rows pass 2^63 and wrap around; each row's own sum does not."""
    rows = WindowRows()
    large = bought(0, amount_minor=TOTAL_MINOR_MAX)
    negative = bought(0, amount_minor=TOTAL_MINOR_MAX, kind=REFUND)
    for state in [large] * 5 + [negative] * 11 + [bought(0, amount_minor=7)]:
        rows.add(state, FIRST_DAY)
    revenue = rows.sums().revenue_minor[:, 0].tolist()
    assert revenue == [TOTAL_MINOR_MAX] * 5 + [-TOTAL_MINOR_MAX] * 11 + [7]


def test_a_row_is_the_customer_as_they_were() -> None:
    rows = WindowRows()
    state = bought(0)
    rows.add(state, FIRST_DAY)
    state.apply(Event(PURCHASE, b"c", "x", FIRST_DAY * DAY_MS, 50, -1), FIRST_DAY, 730)
    state.apply(Event(PURCHASE, b"c", "y", (FIRST_DAY + 9) * DAY_MS, 1, -1), FIRST_DAY + 9, 730)
    rows.add(state, FIRST_DAY + 9)
    assert rows.sums().revenue_minor.tolist() == [[100] * 4, [1, 151, 151, 151]]
    assert rows.sums().orders.dtype == np.int64
