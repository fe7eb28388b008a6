"""The windows of 30 days in which predictions are judged: a grid for each customer.

A prediction that is made at an event is not like others: right after a purchase everyone is
likely to be there. So predictions are judged that were made at instants which no event has
chosen: a customer's windows follow each other without a gap, from one instant of the grid to the
next. A hash of the key moves each customer's grid by a part of the 30 days. One grid for all
would make everyone due in the same second, once in 30 days, and judge each bin by what happened
in the same days of the calendar.
"""

from collections.abc import Iterable
from typing import Final
from zlib import crc32

import numpy as np

from models.fact_rows import Int64s

WINDOW_DAYS: Final = 30
"""Short enough that verdicts come while they matter: those on a year ahead would take a year."""

WINDOW_S: Final = WINDOW_DAYS * 86_400

PASSED_MAX: Final = 243
"""Windows that may end while nobody looks, 20 years. A longer silence is a clock gone wrong."""

_SECOND_MAX: Final = 2**32 - 1  # what a deadline has room for: the year 2106


def window_end_s(key: bytes, at_s: int) -> int:
    """Where the window ends that an instant lies in.

    A window begins with the instant at which the one before it ends.

    Args:
        key: the customer's Kafka key.
        at_s: epoch second.

    Returns:
        Epoch second, after `at_s`.

    Source: CRC-32 of the key modulo 30 days; ISO 3309.
    """
    return at_s + WINDOW_S - (at_s - crc32(key)) % WINDOW_S


def window_ends_s(keys: Iterable[bytes], at_s: Int64s) -> Int64s:
    """(n,) what `window_end_s` says of (n,) customers, each at an instant."""
    moved = np.fromiter(map(crc32, keys), np.int64, at_s.size)
    ends: Int64s = at_s + WINDOW_S - (at_s - moved) % WINDOW_S
    return ends


def is_within_reach(ends_s: Int64s) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(n,) whether a deadline can be set at the ends of windows."""
    return ends_s <= _SECOND_MAX
