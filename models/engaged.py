"""Decayed engagements of many rows of facts, as functions of time."""

from typing import NamedTuple

import numpy as np

from models.arrays import Floats, Indices, Ints
from models.days import Days
from models.engagement import decayed
from models.fact_rows import FactColumns
from models.times import MS_PER_DAY


class Engaged(NamedTuple):
    """Decayed numbers of engagements; all (n,).

    Attributes:
        number: as of `since_ms`.
        since_ms: beginning of the newest day with an engagement, epoch ms; 0 for none.
        at_purchase: as of the last purchase, later days left out.
        half_life_days: of the decay.
    """

    number: Floats
    since_ms: Ints
    at_purchase: Floats
    half_life_days: float

    @classmethod
    def of(cls, facts: FactColumns, days: Days, half_life_days: float) -> "Engaged":
        """The engagements of rows of facts, which were collected with them."""
        assert facts.engagements is not None, "the rows were collected without engagements"
        buckets = facts.engagements
        size = facts.last_ms.size
        every = np.arange(buckets.keys.size)
        row, day = buckets.run(every), buckets.day(every)
        start_ms = days.start_ms_array(day)
        since_ms = np.zeros(size, dtype=np.int64)
        since_ms[row] = start_ms  # days ascend within a row: the last one stays
        before = day <= days.day_array(facts.last_ms)[row]

        def total(until_ms: Ints, kept: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Floats:
            ago = (until_ms[row[kept]] - start_ms[kept]) / MS_PER_DAY
            # One after another in a row's own order: no row's sum depends on its neighbours.
            left = buckets.net_minor[kept] * decayed(ago, half_life_days)
            return np.bincount(row[kept], left, size).astype(np.float64)

        everything = np.ones(row.size, dtype=np.bool_)
        return cls(
            total(since_ms, everything), since_ms, total(facts.last_ms, before), half_life_days
        )

    def at(self, rows: Indices | Ints, at_ms: Floats | Ints) -> Floats:
        """(k,) decayed numbers of rows at instants not before their last events."""
        ago = (at_ms - self.since_ms[rows]) / MS_PER_DAY
        left: Floats = self.number[rows] * decayed(ago, self.half_life_days)
        return left
