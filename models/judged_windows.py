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

from models.arrays import Ints
from models.times import MS_PER_DAY, MS_PER_S

WINDOW_DAYS: Final = 30
"""Short enough that verdicts come while they matter: those on a year ahead would take a year."""

WINDOW_MS: Final = WINDOW_DAYS * MS_PER_DAY

SILENT_WINDOWS_MAX: Final = 243
"""A silence that lasts longer than these windows, 20 years, is a clock gone wrong."""


def window_ends_ms(keys: Iterable[bytes], at_ms: Ints) -> Ints:
    """Where the windows end that instants lie in; the next ones begin with these same instants.

    Args:
        keys: (n,) customers' Kafka keys.
        at_ms: (n,) epoch ms.

    Returns:
        (n,) epoch ms, whole seconds, after `at_ms`.

    Source: CRC-32 of the key, in seconds, modulo 30 days; ISO 3309.
    """
    moved_s = np.fromiter(map(crc32, keys), np.int64, at_ms.size)
    ends: Ints = at_ms + WINDOW_MS - (at_ms - moved_s * MS_PER_S) % WINDOW_MS
    return ends
