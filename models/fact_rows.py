"""Facts of many customers, or of one at many moments, as columns that numpy can work on."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.facts import Facts
from models.gamma_gamma import expected_order_value
from models.ladder import Floats, Indices
from models.parameters import ModelParams
from models.times import MS_PER_DAY

Int64s = NDArray[np.int64]

_NUMBERS: Final = 5  # that `FactRows.add` notes of each row

# A row and a day as one number, ascending over rows and days: the year 9999 is day 2,932,896.
_DAY_BITS: Final = 24


@dataclass(frozen=True)
class FactColumns:
    """What the scores need of each row; all (n,).

    Attributes:
        bought: whether there is a purchase; without one the other figures of the model mean
            nothing.
        frequency: repeat purchase days.
        recency_days: days from the first to the last purchase.
        first_ms: first purchase, epoch milliseconds.
        last_ms: last purchase, epoch milliseconds.
        origin_ms: `first_ms` less the model's alpha: where its logarithm of time begins.
        order_value: expected value of an order, minor units.
        historic_minor: lifetime revenue net of refunds, minor units.
        buckets: net revenue by day.
        engagements: numbers by day, in place of revenue; None where nobody asks for them.
    """

    bought: NDArray[np.bool_]
    frequency: Floats
    recency_days: Floats
    first_ms: Int64s
    last_ms: Int64s
    origin_ms: Floats
    order_value: Floats
    historic_minor: Int64s
    buckets: "NetBuckets"
    engagements: "NetBuckets | None" = None


class FactRows:
    """Collects rows one by one, cheaply: facts may change afterwards, a row does not.

    Args:
        engagements: whether to collect engagements as well, for parameters with an offset.
    """

    __slots__ = ("_engagements", "_gaps", "_last_days", "_net_minor", "_numbers", "_sizes")

    def __init__(self, *, engagements: bool = False) -> None:
        self._engagements = _EngagementRows() if engagements else None
        self._numbers: list[int] = []
        self._sizes: list[int] = []
        self._last_days: list[int] = []
        self._gaps: list[int] = []  # a row of n buckets: its n - 1 gaps and a 0
        self._net_minor: list[int] = []

    def __len__(self) -> int:
        return len(self._sizes)

    def add(self, facts: Facts) -> int:
        """Adds the facts as they are now, and returns the number of the row."""
        spend = facts.spend_minor
        self._numbers += (
            facts.purchase_days,
            facts.first_at_ms,
            facts.last_at_ms,
            spend - facts.first_day_spend_minor,
            spend + facts.late_spend_minor - facts.refunded_minor,
        )
        net_minor = facts.purchase_net_minor
        sizes = self._sizes
        sizes.append(len(net_minor))
        self._last_days.append(facts.purchase_last_day)
        if net_minor:
            self._gaps += facts.purchase_gaps
            self._gaps.append(0)
            self._net_minor += net_minor
        if self._engagements is not None:
            self._engagements.add(facts)
        return len(sizes) - 1

    def columns(self, params: ModelParams) -> FactColumns:
        """All rows, in the order in which they were added."""
        numbers = np.array(self._numbers, dtype=np.int64).reshape(-1, _NUMBERS).T.copy()
        purchase_days, first_ms, last_ms, repeat_spend_minor, historic_minor = numbers
        bought = purchase_days > 0
        frequency = np.maximum(purchase_days - 1, 0).astype(np.float64)
        return FactColumns(
            bought=bought,
            frequency=frequency,
            recency_days=(last_ms - first_ms) / MS_PER_DAY,
            first_ms=first_ms,
            last_ms=last_ms,
            origin_ms=first_ms - np.float64(params.alpha * MS_PER_DAY),
            order_value=expected_order_value(
                params, frequency, repeat_spend_minor / np.maximum(frequency, 1.0)
            ),
            historic_minor=historic_minor,
            buckets=NetBuckets.of(self._sizes, self._last_days, self._gaps, self._net_minor),
            engagements=None if self._engagements is None else self._engagements.buckets(),
        )


class _EngagementRows:
    """Collects the engagements of rows, in the same order."""

    __slots__ = ("_counts", "_gaps", "_last_days", "_sizes")

    def __init__(self) -> None:
        self._sizes: list[int] = []
        self._last_days: list[int] = []
        self._gaps: list[int] = []
        self._counts: list[int] = []

    def add(self, facts: Facts) -> None:
        counts = facts.engagement_day_counts
        self._sizes.append(len(counts))
        self._last_days.append(facts.engagement_last_day)
        if counts:
            self._gaps += facts.engagement_gaps
            self._gaps.append(0)
            self._counts += counts

    def buckets(self) -> "NetBuckets":
        return NetBuckets.of(self._sizes, self._last_days, self._gaps, self._counts)


@dataclass(frozen=True)
class NetBuckets:
    """Net revenue by day, rows end to end.

    Attributes:
        keys: (m,) row and day of each bucket as one number, ascending.
        running_minor: (m + 1,) running sums of the buckets; they may wrap around, differences
            of them do not.
        ends: (n,) where each row ends.
        net_minor: (m,) minor units.
    """

    keys: Int64s
    running_minor: Int64s
    ends: Int64s
    net_minor: Int64s

    @classmethod
    def of(
        cls, sizes: list[int], last_days: list[int], gaps: list[int], net_minor: list[int]
    ) -> "NetBuckets":
        """The buckets of rows as `models.day_list` has them."""
        counts = np.array(sizes, dtype=np.int64)
        ends = np.cumsum(counts)
        gone = np.zeros(len(gaps) + 1, dtype=np.int64)
        np.cumsum(np.array(gaps, dtype=np.int64), out=gone[1:])
        row = np.arange(len(sizes), dtype=np.int64)
        last_keys = (row << _DAY_BITS) + np.array(last_days, dtype=np.int64)
        keys = gone[:-1] + np.repeat(last_keys - gone[ends], counts)
        values = np.array(net_minor, dtype=np.int64)
        running = np.zeros(len(values) + 1, dtype=np.int64)
        np.cumsum(values, out=running[1:])
        return cls(keys, running, ends, values)

    def first_after(self, rows: Indices | Int64s, days: Int64s) -> Int64s:
        """(k,) index of the first bucket of each row that is after the day; its end if none."""
        return np.searchsorted(self.keys, (rows << _DAY_BITS) + days, side="right")

    def sum_from(self, rows: Indices | Int64s, starts: Int64s) -> Int64s:
        """(k,) net revenue from a bucket to the end of its row, minor units."""
        total: Int64s = self.running_minor[self.ends[rows]] - self.running_minor[starts]
        return total

    def day(self, buckets: Int64s) -> Int64s:
        """(k,) day numbers of buckets."""
        days: Int64s = self.keys[buckets] & ((1 << _DAY_BITS) - 1)
        return days

    def row(self, buckets: Int64s) -> Int64s:
        """(k,) rows of buckets."""
        rows: Int64s = self.keys[buckets] >> _DAY_BITS
        return rows
