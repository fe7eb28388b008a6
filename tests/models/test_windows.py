"""Windows of many rows at once equal sums of one row at a time."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.events import Event
from models.fact_rows import FactRows
from models.facts import BUCKET_DAYS, TOTAL_MINOR_MAX
from models.parameters import CDNOW
from models.state import State
from models.windows import WINDOWS_DAYS, WindowSums, window_sums
from tests.models.history import (
    DAY_MS,
    ENGAGEMENT,
    FIRST_DAY,
    PURCHASE,
    REFUND,
    histories,
    newest_day,
    play,
)

proof = settings(max_examples=150, derandomize=True, deadline=None, database=None)


def bought(*days: int, amount_minor: int = 100, kind: int = PURCHASE) -> State:
    state = State()
    for number, day in enumerate(days):
        event = Event(kind, b"c", f"{number}", (FIRST_DAY + day) * DAY_MS, amount_minor, -1)
        state.apply(event, FIRST_DAY + day, 730)
    return state


class Shop:
    """Customers one after the other, with their rows of facts."""

    def __init__(self, *, engagements: bool = False) -> None:
        self._rows = FactRows(engagements=engagements)
        self._facts: list[State] = []
        self._today: list[int] = []

    def add(self, state: State, today: int) -> None:
        self._rows.add(state)
        self._facts.append(state)
        self._today.append(today)

    def sums(self) -> WindowSums:
        rows = np.arange(len(self._facts))
        today = np.array(self._today, dtype=np.int64)
        return window_sums(self._rows.columns(CDNOW), rows, self._facts, today)


@proof
@given(
    st.lists(st.tuples(histories(800, max_size=12), st.integers(0, 400)), max_size=6), st.booleans()
)
def test_equals_one_row_at_a_time(
    customers: list[tuple[list[Event], int]], collected: bool
) -> None:
    shop = Shop(engagements=collected)
    states = [(play(events, 730), silence) for events, silence in customers]
    for state, silence in states:
        shop.add(state, newest_day(state) + silence)
    sums = shop.sums()
    assert [column.shape for column in sums] == [(len(customers), 4)] * 3
    for row, (state, silence) in enumerate(states):
        today = newest_day(state) + silence
        for column, length_days in enumerate(WINDOWS_DAYS):
            purchases = [b for b in state.purchase_buckets() if b[0] > today - length_days]
            visits = [b for b in state.engagement_buckets() if b[0] > today - length_days]
            assert sums.orders[row, column] == sum(bucket[1] for bucket in purchases)
            assert sums.revenue_minor[row, column] == sum(bucket[2] for bucket in purchases)
            assert sums.engagements[row, column] == sum(bucket[1] for bucket in visits)


def test_today_is_included_and_the_day_a_window_ago_is_not() -> None:
    shop = Shop()
    for silence in (0, 6, 7, 29, 30, 89, 90, 364, 365):
        shop.add(bought(0), FIRST_DAY + silence)
    assert shop.sums().orders.tolist() == [
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


def test_customers_with_nothing_and_no_customers_at_all() -> None:
    shop = Shop()
    assert [column.shape for column in shop.sums()] == [(0, 4)] * 3
    shop.add(State(), FIRST_DAY)
    shop.add(bought(5), FIRST_DAY + 5)
    shop.add(State(), FIRST_DAY)
    assert shop.sums().orders.tolist() == [[0] * 4, [1] * 4, [0] * 4]


def test_sums_are_exact_however_large_the_rows_before() -> None:
    """Running sums over all rows pass 2^63 and wrap around; each row's own sum does not."""
    shop = Shop()
    large = bought(0, amount_minor=TOTAL_MINOR_MAX)
    negative = bought(0, amount_minor=TOTAL_MINOR_MAX, kind=REFUND)
    for state in [large] * 5 + [negative] * 11 + [bought(0, amount_minor=7)]:
        shop.add(state, FIRST_DAY)
    revenue = shop.sums().revenue_minor[:, 0].tolist()
    assert revenue == [TOTAL_MINOR_MAX] * 5 + [-TOTAL_MINOR_MAX] * 11 + [7]


def test_a_day_that_an_engagement_made_them_forget_is_in_no_window() -> None:
    """No row is added for an engagement: the one from before it still has the forgotten day."""
    rows = FactRows()
    state = bought(0, 300)
    rows.add(state)
    today = FIRST_DAY + BUCKET_DAYS
    state.apply(Event(ENGAGEMENT, b"c", "e", today * DAY_MS, 0, 3), today, 730)
    assert [day - FIRST_DAY for day, _, _ in state.purchase_buckets()] == [300]
    sums = window_sums(rows.columns(CDNOW), np.array([0]), [state], np.array([today]))
    assert sums.orders.tolist() == [[0, 0, 1, 1]]
    assert sums.revenue_minor.tolist() == [[0, 0, 100, 100]]
    assert sums.engagements.tolist() == [[1] * 4]
