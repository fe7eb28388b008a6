"""From stored states to what the models are fitted to: no list of purchases is needed."""

from array import array
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from models.arrays import Floats
from models.days import Days
from models.histories import Histories
from models.state import decode
from models.tiers import ROLLING_DAYS


class StoredHistories(NamedTuple):
    """Customers with at least one purchase that was not late.

    Attributes:
        histories: as `models.histories` has them, at the end of a day.
        trailing_minor: (n,) net revenue of the 365 days that end with it, minor units.
        end_day: number of that day.
        without_purchase: how many customers there are besides.
    """

    histories: Histories
    trailing_minor: Floats
    end_day: int
    without_purchase: int


def stored_histories(states: Iterable[bytes], days: Days, end_day: int) -> StoredHistories:
    """Sum stored customers up.

    Late purchases, which no one can place any more, are not in it. Refunds are in the trailing
    revenue alone: they take no order back.

    Args:
        states: encoded.
        days: the calendar that they were made by.
        end_day: number of the day; a later one, where a purchase is ahead of it.

    Raises:
        msgspec.DecodeError, models.state.UnknownVersion: one is no state.
    """
    columns = tuple(array("q") for _ in range(5))
    first_day, frequency, last_ms, repeat_minor, trailing = columns
    after_day = end_day - ROLLING_DAYS
    nothing = 0
    for data in states:
        state = decode(data)
        if not state.purchase_days:
            nothing += 1
            continue
        first_day.append(state.first_day)
        frequency.append(state.frequency)
        last_ms.append(state.last_at_ms)
        repeat_minor.append(state.repeat_spend_minor)
        trailing.append(sum(net for day, _, net in state.purchase_buckets() if day > after_day))
    first, x, last, repeat, year = (
        np.frombuffer(column, dtype=np.int64) if column else np.empty(0, dtype=np.int64)
        for column in columns
    )
    repeats = x.astype(np.float64)
    last_day = days.day_array(last)
    end_day = max(end_day, int(last_day.max(initial=end_day)))
    return StoredHistories(
        Histories(
            customer=np.arange(x.size),
            first_day=first,
            frequency=repeats,
            recency=(last_day - first).astype(np.float64),
            age=(end_day - first).astype(np.float64),
            monetary_value=repeat / np.maximum(repeats, 1.0),
        ),
        year.astype(np.float64),
        end_day,
        nothing,
    )
