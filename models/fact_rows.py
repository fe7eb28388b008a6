"""Facts of many customers, or of one at many moments, as columns that numpy can work on."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, Indices, Ints
from models.facts import Facts
from models.gamma_gamma import expected_order_value
from models.parameters import ModelParams
from models.times import MS_PER_DAY

NONE: Final = -1
"""No row, no silence."""

_NUMBERS: Final = 5  # that `FactRows.add` notes of each row

# A run and a day as one number, ascending over runs and days: the year 9999 is day 2,932,896.
_DAY_BITS: Final = 24


def int64s(numbers: list[int]) -> Ints:
    """(n,) the numbers as an array."""
    # np.array looks at each number twice: to find what they are, and to copy them.
    return np.fromiter(numbers, np.int64, len(numbers))


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
    first_ms: Ints
    last_ms: Ints
    origin_ms: Floats
    order_value: Floats
    historic_minor: Ints
    buckets: "NetBuckets"
    engagements: "NetBuckets | None" = None


class FactRows:
    """Collects rows one by one, cheaply: facts may change afterwards, a row does not.

    Most events open a new last day and leave the other days alone. Then the buckets are those of
    the row before and one more, and both rows share a run of them: to copy a whole year for each
    event would be most of the work. Days that facts have given up meanwhile stay in the run; they
    lie before any window that the later row is asked for.

    Args:
        engagements: whether to collect engagements as well, for parameters with an offset.
    """

    __slots__ = ("_engagements", "_last_days", "_numbers", "_run_of", "_runs", "_sizes")

    def __init__(self, *, engagements: bool = False) -> None:
        self._engagements = Runs() if engagements else None
        self._numbers: list[int] = []
        self._runs = Runs()
        self._run_of: list[int] = []  # by row, its run,
        self._sizes: list[int] = []  # how many of the run's buckets are the row's,
        self._last_days: list[int] = []  # and the day of the last one

    def __len__(self) -> int:
        return len(self._run_of)

    def add(self, facts: Facts, before: int = NONE) -> int:
        """Adds the facts as they are now, and returns the number of the row.

        Args:
            facts: of one customer.
            before: the newest row of the same customer, if there was at most one event after it
                that could change what is valued; else NONE.
        """
        spend = facts.spend_minor
        self._numbers += (
            facts.purchase_days,
            facts.first_at_ms,
            facts.last_at_ms,
            spend - facts.first_day_spend_minor,
            spend + facts.late_spend_minor - facts.refunded_minor,
        )
        run_of, last_day = self._run_of, facts.purchase_last_day
        if before != NONE and 0 < self._last_days[before] < last_day:
            run = run_of[before]
            size = self._sizes[before] + 1
            self._runs.later += (run, last_day, facts.purchase_net_minor[-1])
        else:
            size = len(facts.purchase_net_minor)
            run = self._runs.add(last_day, facts.purchase_gaps, facts.purchase_net_minor)
        run_of.append(run)
        self._sizes.append(size)
        self._last_days.append(last_day)
        if self._engagements is not None:
            self._engagements.add(
                facts.engagement_last_day, facts.engagement_gaps, facts.engagement_day_counts
            )
        return len(run_of) - 1

    def columns(self, params: ModelParams) -> FactColumns:
        """All rows, in the order in which they were added."""
        numbers = int64s(self._numbers).reshape(-1, _NUMBERS).T.copy()
        purchase_days, first_ms, last_ms, repeat_spend_minor, historic_minor = numbers
        bought = purchase_days > 0
        frequency = np.maximum(purchase_days - 1, 0).astype(np.float64)
        buckets = NetBuckets.of(self._runs)
        run_of = int64s(self._run_of)
        begins = np.append(0, buckets.ends)[run_of]
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
            buckets=replace(
                buckets,
                runs=run_of,
                ends=begins + int64s(self._sizes),
                last_days=int64s(self._last_days),
            ),
            engagements=None if self._engagements is None else NetBuckets.of(self._engagements),
        )


class Runs:
    """Collects runs of buckets.

    Attributes:
        sizes: buckets of each run when it was added.
        last_days: day of the last of these; 0 for none.
        gaps: between their days: a run of n has n - 1 gaps and a 0.
        net_minor: of each of these buckets.
        later: run, day and minor units of each bucket that was put to an end afterwards.
    """

    __slots__ = ("gaps", "last_days", "later", "net_minor", "sizes")

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.last_days: list[int] = []
        self.gaps: list[int] = []
        self.net_minor: list[int] = []
        self.later: list[int] = []

    def add(self, last_day: int, gaps: list[int], net_minor: list[int]) -> int:
        """Adds a run as it is now, and returns its number."""
        sizes = self.sizes
        sizes.append(len(net_minor))
        self.last_days.append(last_day)
        if net_minor:
            self.gaps += gaps
            self.gaps.append(0)
            self.net_minor += net_minor
        return len(sizes) - 1


@dataclass(frozen=True)
class NetBuckets:
    """Net revenue by day, runs of buckets end to end; of several rows in a run each has a part.

    Attributes:
        keys: (m,) run and day of each bucket as one number, ascending.
        running_minor: (m + 1,) running sums of the buckets; they may wrap around, differences
            of them do not.
        net_minor: (m,) minor units.
        runs: (n,) run of each row.
        ends: (n,) where each row ends.
        last_days: (n,) day of each row's last bucket; 0 where it has none.
    """

    keys: Ints
    running_minor: Ints
    net_minor: Ints
    runs: Ints
    ends: Ints
    last_days: Ints

    @classmethod
    def of(cls, collected: Runs) -> "NetBuckets":
        """The buckets of runs that are a row each."""
        counts, last_days = int64s(collected.sizes), int64s(collected.last_days)
        ends = np.cumsum(counts)
        gone = np.append(0, np.cumsum(int64s(collected.gaps)))
        runs = np.arange(counts.size, dtype=np.int64)
        last_keys = (runs << _DAY_BITS) + last_days
        keys = gone[:-1] + np.repeat(last_keys - gone[ends], counts)
        net_minor = int64s(collected.net_minor)
        if collected.later:
            run, day, later_minor = int64s(collected.later).reshape(-1, 3).T
            later = (run << _DAY_BITS) + day
            order = np.argsort(later)
            at = ends[run[order]]
            keys = np.insert(keys, at, later[order])
            net_minor = np.insert(net_minor, at, later_minor[order])
            ends += np.cumsum(np.bincount(run, minlength=ends.size))
        running_minor = np.append(0, np.cumsum(net_minor))
        return cls(keys, running_minor, net_minor, runs, ends, last_days)

    def first_after(self, rows: Indices | Ints, days: Ints) -> Ints:
        """(k,) index of the first bucket of each row that is after the day; its end if none."""
        found = np.searchsorted(self.keys, (self.runs[rows] << _DAY_BITS) + days, side="right")
        return np.minimum(found, self.ends[rows])

    def sum_from(self, rows: Indices | Ints, starts: Ints) -> Ints:
        """(k,) net revenue from a bucket to the end of its row, minor units."""
        total: Ints = self.running_minor[self.ends[rows]] - self.running_minor[starts]
        return total

    def day(self, buckets: Ints) -> Ints:
        """(k,) day numbers of buckets."""
        days: Ints = self.keys[buckets] & ((1 << _DAY_BITS) - 1)
        return days

    def run(self, buckets: Ints) -> Ints:
        """(k,) runs of buckets; the rows, where they share none."""
        runs: Ints = self.keys[buckets] >> _DAY_BITS
        return runs
