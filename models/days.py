"""Days of the reporting time zone: which one an instant is on, and when one begins.

A day is a number: days from 1970-01-01 to its date. It begins at the first instant of its date
and ends where the next one begins. So days are in the order of time even where clocks are put
back over midnight (the hour that is then repeated belongs to the new day), and a date that a
zone left out, by moving over the date line, is a day of no length.

The beginnings of all days from 2000 to 2099 are computed once per zone; other instants take the
slow way. Zones are the IANA's, from the system or the package tzdata.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from models.arrays import Ints
from models.times import MS_PER_DAY

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_MILLISECOND = timedelta(milliseconds=1)
# A day more on each side, as the first instants of 2000 in UTC are on another day elsewhere.
_FIRST: Final = date(1999, 12, 30).toordinal() - _EPOCH_ORDINAL
_END: Final = date(2100, 1, 2).toordinal() - _EPOCH_ORDINAL


class Days:
    """The calendar of one time zone.

    Args:
        timezone: IANA name, such as `Europe/Berlin`.

    Raises:
        ValueError: there is no such zone.
    """

    __slots__ = ("_starts_array", "_starts_ms", "_utc", "timezone")

    def __init__(self, timezone: str = "UTC") -> None:
        self.timezone = timezone
        self._utc = timezone == "UTC"
        self._starts_ms = () if self._utc else _day_starts(timezone)
        self._starts_array = np.array(self._starts_ms, dtype=np.int64)

    def day(self, at_ms: int) -> int:
        """Number of the day that an instant, in epoch milliseconds, is on."""
        guess = at_ms // MS_PER_DAY
        if self._utc:
            return guess
        # A zone is at most 14 hours from UTC, so the guess is at most a day off.
        if not _FIRST < guess < _END - 2:
            return self._slow_day(at_ms)
        starts = self._starts_ms
        index = guess - _FIRST
        if at_ms < starts[index]:
            return guess - 1
        return guess + 1 if at_ms >= starts[index + 1] else guess

    def day_array(self, at_ms: Ints) -> Ints:
        """(n,) numbers of the days that (n,) instants, in epoch milliseconds, are on."""
        if self._utc:
            return at_ms // MS_PER_DAY
        starts = self._starts_array
        days = np.searchsorted(starts, at_ms, side="right") - 1 + _FIRST
        outside = (at_ms < starts[1]) | (at_ms >= starts[-1])
        if outside.any():
            days[outside] = [self._slow_day(int(ms)) for ms in at_ms[outside]]
        return days

    def start_ms(self, day: int) -> int:
        """Epoch milliseconds of the first instant of a day."""
        if self._utc:
            return day * MS_PER_DAY
        if _FIRST <= day < _END:
            return self._starts_ms[day - _FIRST]
        return _midnight_ms(day, ZoneInfo(self.timezone))

    def start_ms_array(self, days: Ints) -> Ints:
        """(n,) epoch milliseconds of the first instants of (n,) days."""
        if self._utc:
            return days * MS_PER_DAY
        if days.size and (days.min() < _FIRST or days.max() >= _END):
            return np.array([self.start_ms(int(day)) for day in days], dtype=np.int64)
        return self._starts_array[days - _FIRST]

    def same_as(self, other: "Days") -> bool:
        """Whether all days of this century begin when those of the other do, whatever its name."""
        return self.timezone == other.timezone or all(
            self.start_ms(day) == other.start_ms(day) for day in range(_FIRST, _END)
        )

    def _slow_day(self, at_ms: int) -> int:
        zone = ZoneInfo(self.timezone)
        day = at_ms // MS_PER_DAY + 1
        while _midnight_ms(day, zone) > at_ms:
            day -= 1
        return day


@lru_cache(maxsize=16)  # a zone takes a tenth of a second and two megabytes
def _day_starts(timezone: str) -> tuple[int, ...]:
    """Epoch milliseconds at which each day from `_FIRST` to before `_END` begins."""
    try:
        zone = ZoneInfo(timezone)
    except (OSError, ValueError, LookupError) as error:  # ZoneInfo raises any of them
        raise ValueError(f"there is no time zone {timezone!r}") from error
    return tuple(_midnight_ms(day, zone) for day in range(_FIRST, _END))


def _midnight_ms(day: int, zone: ZoneInfo) -> int:
    """The first instant of a date; where its midnight was skipped, the instant of the skip."""
    midnight = datetime.fromordinal(day + _EPOCH_ORDINAL).replace(tzinfo=zone)
    return (midnight - _EPOCH) // _MILLISECOND
