"""Sums of day buckets over trailing windows of whole days, for many customers at once, exactly.

Rows of facts hold the days and the net revenue of each bucket already (`models.fact_rows`), end
to end and ascending: what lies in a window is the last buckets of a row. So one search gives how
many these are, and a difference of running sums what they hold; 64-bit integers wrap around,
which cancels out in the difference.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Final, NamedTuple

import numpy as np

from models.arrays import Indices, Ints
from models.fact_rows import FactColumns, NetBuckets, Runs
from models.facts import Facts

WINDOWS_DAYS: Final = (7, 30, 90, 365)
"""Lengths of the windows in whole days, today included: the columns of every result here."""


_LENGTHS: Final = np.array(WINDOWS_DAYS, dtype=np.int64)


class WindowSums(NamedTuple):
    """What lies in each window (columns as `WINDOWS_DAYS`) of each customer; all (n, 4) int64.

    Attributes:
        orders: purchases.
        revenue_minor: purchases less refunds, minor units.
        engagements: engagements.
    """

    orders: Ints
    revenue_minor: Ints
    engagements: Ints


def window_sums(
    columns: FactColumns, rows: Indices, facts: Sequence[Facts], today: Ints
) -> WindowSums:
    """The windows of customers.

    Args:
        columns: rows of facts.
        rows: (n,) those that hold the customers' facts as they are now, but for engagements where
            these are not collected, and for days that only an engagement made them forget: these
            are in no window.
        facts: (n,) the customers' facts.
        today: (n,) number of the day that the windows end with.
    """
    before = today[:, None] - _LENGTHS  # the last day that is not in the window
    # Customer by customer: what one search has looked at, the next finds in the cache.
    starts = columns.buckets.first_after(rows[:, None], before)
    return WindowSums(
        _sums_of_last([one.purchase_orders for one in facts], columns.buckets.ends[rows], starts),
        columns.buckets.sum_from(rows[:, None], starts),
        _engagements_in(columns, rows, facts, before),
    )


def _sums_of_last(lists: Sequence[list[int]], ends: Ints, starts: Ints) -> Ints:
    """(n, 4) sums of as many numbers at the end of (n,) lists as there are from start to end."""
    sizes = np.fromiter(map(len, lists), np.int64, len(lists))
    offsets = np.cumsum(sizes)
    total = int(sizes.sum())
    running = np.zeros(total + 1, np.int64)
    np.cumsum(np.fromiter(chain.from_iterable(lists), np.int64, total), out=running[1:])
    sums: Ints = running[offsets][:, None] - running[starts + (offsets - ends)[:, None]]
    return sums


def _engagements_in(
    columns: FactColumns, rows: Indices, facts: Sequence[Facts], before: Ints
) -> Ints:
    if columns.engagements is not None:
        starts = columns.engagements.first_after(rows[:, None], before)
        return columns.engagements.sum_from(rows[:, None], starts)
    sums = np.zeros_like(before)
    engaged = [index for index, one in enumerate(facts) if one.engagement_day_counts]
    if engaged:
        buckets = _engagements([facts[index] for index in engaged])
        numbers = np.arange(len(engaged))[:, None]
        sums[engaged] = buckets.sum_from(numbers, buckets.first_after(numbers, before[engaged]))
    return sums


def _engagements(facts: Sequence[Facts]) -> NetBuckets:
    """Engagements by day, of customers who have some."""
    runs = Runs()
    for one in facts:
        runs.add(one.engagement_last_day, one.engagement_gaps, one.engagement_day_counts)
    return NetBuckets.of(runs)
