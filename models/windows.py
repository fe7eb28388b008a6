"""Sums of day buckets over trailing windows of whole days, for many rows at once, exactly.

A row is one customer's buckets at one moment: the pipeline adds a row after each event. Rows lie
end to end in flat columns, row i in `offsets[i]:offsets[i + 1]`, days ascending within a row. So
the buckets inside a window are the last ones of a row, and their sum is the difference of two
running sums; 64-bit integers wrap around, which cancels out in the difference.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from models.facts import Facts

WINDOWS_DAYS: Final = (7, 30, 90, 365)
"""Lengths of the windows in whole days, today included: the columns of every result here."""

NEVER: Final = 2**62
"""The day on which an empty window drops."""

Int64s = npt.NDArray[np.int64]


class WindowSums(NamedTuple):
    """What lies in each window (columns as `WINDOWS_DAYS`) of each row; all (n, 4) int64.

    Attributes:
        orders: purchases.
        revenue_minor: purchases less refunds, minor units.
        engagements: engagements.
        purchase_drop_day: day at whose start the window next loses a bucket of purchases or
            refunds, if nothing happens; `NEVER` where it has none.
        engagement_drop_day: the same for engagements.
    """

    orders: Int64s
    revenue_minor: Int64s
    engagements: Int64s
    purchase_drop_day: Int64s
    engagement_drop_day: Int64s


class WindowRows:
    """Collects rows one by one, cheaply, and sums all of them at once.

    In the columns each row is two: its buckets of purchases, then those of engagements.
    """

    __slots__ = ("_counts", "_gaps", "_last", "_net_minor", "_sizes", "_today")

    def __init__(self) -> None:
        self._today: list[int] = []
        self._last: list[int] = []
        self._sizes: list[int] = []
        self._gaps: list[int] = []  # n buckets: their n - 1 gaps and a 0
        self._counts: list[int] = []  # orders or engagements
        self._net_minor: list[int] = []  # of purchases alone

    def __len__(self) -> int:
        return len(self._today)

    def add(self, facts: Facts, today: int) -> None:
        """Adds the buckets of one customer as they are now; later changes do not matter.

        Args:
            facts: the customer's facts.
            today: number of the day that the windows end with.
        """
        orders = facts.purchase_orders
        counts = facts.engagement_day_counts
        self._today.append(today)
        self._last += (facts.purchase_last_day, facts.engagement_last_day)
        self._sizes += (len(orders), len(counts))
        gaps = self._gaps
        if orders:
            gaps += facts.purchase_gaps
            gaps.append(0)
            self._counts += orders
            self._net_minor += facts.purchase_net_minor
        if counts:
            gaps += facts.engagement_gaps
            gaps.append(0)
            self._counts += counts

    def sums(self) -> WindowSums:
        """The windows of all rows, in the order in which they were added."""
        sizes = _int64s(self._sizes)
        offsets = _running(sizes)
        gone = _running(_int64s(self._gaps))
        days = gone[:-1] + np.repeat(_int64s(self._last) - gone[offsets[1:]], sizes)
        starts = window_starts(days, offsets, np.repeat(_int64s(self._today), 2))
        counts = sums_from(_int64s(self._counts), offsets, starts)
        drops = drop_days(days, offsets, starts)
        net_offsets = _running(sizes[::2])
        net_starts = starts[::2] - (offsets[:-1:2] - net_offsets[:-1])[:, None]
        revenue = sums_from(_int64s(self._net_minor), net_offsets, net_starts)
        return WindowSums(counts[::2], revenue, counts[1::2], drops[::2], drops[1::2])


def window_starts(days: Int64s, offsets: Int64s, today: Int64s) -> Int64s:
    """Where each window begins in each row.

    Args:
        days: (m,) day number of each bucket, ascending within a row.
        offsets: (n + 1,) where each row begins, and the end, m.
        today: (n,) the last day of the windows; no bucket is after it.

    Returns:
        (n, 4) index of the first bucket inside the window; the row's end where there is none.
    """
    begins, ends = offsets[:-1], offsets[1:]
    ages = np.repeat(today, ends - begins) - days
    starts = np.empty((len(today), len(WINDOWS_DAYS)), np.int64)
    inside = np.zeros(len(days) + 1, np.int32)  # counts; half the memory to run through
    for column, length_days in enumerate(WINDOWS_DAYS):
        np.cumsum(ages < length_days, out=inside[1:])
        starts[:, column] = ends - (inside[ends] - inside[begins])
    return starts


def sums_from(values: Int64s, offsets: Int64s, starts: Int64s) -> Int64s:
    """(n, 4) sums of the (m,) values from each window's start to the end of its row."""
    total = _running(values)
    return total[offsets[1:], None] - total[starts]


def drop_days(days: Int64s, offsets: Int64s, starts: Int64s) -> Int64s:
    """(n, 4) day at whose start each window loses its oldest bucket; `NEVER` where it is empty.

    A bucket of day d is in a window of w days as long as today is before d + w.
    """
    ends = offsets[1:, None]
    oldest = np.append(days, 0)[np.where(starts < ends, starts, -1)]
    return np.where(starts < ends, oldest + np.array(WINDOWS_DAYS), NEVER)


def _int64s(values: list[int]) -> Int64s:
    return np.array(values, dtype=np.int64)


def _running(values: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Int64s:
    """(m + 1,) running sums, beginning with 0."""
    total = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=total[1:])
    return total
