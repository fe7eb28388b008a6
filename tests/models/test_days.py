"""Days of time zones: those of the standard library's calendar, one after the other."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.days import Days
from models.times import MS_PER_DAY

# Far east and far west, half hours, clocks changed at midnight (Havana, Sao Paulo, Beirut) or a
# minute after it (St John's), the date line crossed (Apia), a change of the rule each year (Gaza).
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Asia/Kolkata",
    "Asia/Beirut",
    "Asia/Gaza",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Pacific/Niue",
    "Australia/Lord_Howe",
]
MS_2000 = 946_684_800_000
MS_2100 = 4_102_444_800_000

proof = settings(max_examples=300, derandomize=True, deadline=None, database=None)


def number(year: int, month: int, day: int) -> int:
    return (date(year, month, day) - date(1970, 1, 1)).days


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def test_utc() -> None:
    days = Days()
    assert days.day(instant("2026-03-01T00:00:00+00:00")) == number(2026, 3, 1)
    assert days.day(instant("2026-03-01T00:00:00+00:00") - 1) == number(2026, 2, 28)
    assert days.start_ms(number(2026, 3, 1)) == instant("2026-03-01T00:00:00+00:00")


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", number(2026, 3, 29), 23),
        ("Europe/Berlin", number(2026, 10, 25), 25),
        ("Europe/Berlin", number(2026, 10, 26), 24),
        ("America/Sao_Paulo", number(2018, 11, 4), 23),  # midnight itself was skipped
        ("America/Havana", number(2025, 11, 2), 25),  # midnight came twice
        ("Australia/Lord_Howe", number(2026, 4, 5), 24.5),
        ("Pacific/Apia", number(2011, 12, 30), 0),  # a date that never was
    ],
)
def test_lengths_of_days(zone: str, day: int, hours: float) -> None:
    days = Days(zone)
    begin, end = days.start_ms(day), days.start_ms(day + 1)
    assert end - begin == hours * 3_600_000
    assert days.day(end) == day + 1
    assert days.day(begin) == (day if hours else day + 1)
    assert days.day(begin - 1) == day - 1


@proof
@given(st.sampled_from(ZONES), st.integers(MS_2000, MS_2100 + 40 * 365 * MS_PER_DAY))
def test_an_instant_is_within_its_day(zone: str, at_ms: int) -> None:
    days = Days(zone)
    day = days.day(at_ms)
    assert days.start_ms(day) <= at_ms < days.start_ms(day + 1)


@pytest.mark.parametrize("zone", ZONES)
def test_days_are_the_dates_of_the_standard_library(zone: str) -> None:
    """But for an hour after midnight where clocks went back over it: that is the new day's."""
    days = Days(zone)
    local = ZoneInfo(zone)
    for at_ms in range(MS_2000, MS_2100, 97 * 3_600_000 + 1234):
        there = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(local)
        assert days.day(at_ms) == (there.date() - date(1970, 1, 1)).days


@pytest.mark.parametrize("zone", ZONES)
def test_every_day_begins_at_the_first_instant_of_its_date(zone: str) -> None:
    days = Days(zone)
    local = ZoneInfo(zone)
    never_was = number(2011, 12, 30) if zone == "Pacific/Apia" else None
    for day in range(number(2000, 1, 1), number(2099, 12, 31), 13):
        begin = datetime.fromtimestamp(days.start_ms(day) / 1000, UTC)
        if day != never_was:
            before = begin - timedelta(milliseconds=1)
            today = date(1970, 1, 1) + timedelta(days=day)
            assert begin.astimezone(local).date() == today
            assert before.astimezone(local).date() == today - timedelta(days=1)


def test_clocks_put_back_over_midnight_give_the_hour_to_the_new_day() -> None:
    """St John's, 2010-11-07: at 00:01 clocks went back to 23:01 of the day before."""
    days = Days("America/St_Johns")
    midnight = instant("2010-11-07T00:00:00-02:30")
    for minutes in range(120):
        assert days.day(midnight + minutes * 60_000) == number(2010, 11, 7)


@pytest.mark.parametrize("zone", ZONES)
def test_arrays_equal_one_at_a_time(zone: str) -> None:
    days = Days(zone)
    edges = [days.start_ms(day) + ms for day in range(10957, 47483, 171) for ms in (-1, 0, 1)]
    at_ms = np.array([MS_2000, MS_2100, 200_000_000_000_000, *edges], dtype=np.int64)
    assert days.day_array(at_ms).tolist() == [days.day(int(ms)) for ms in at_ms]
    numbers = days.day_array(at_ms)
    assert days.start_ms_array(numbers).tolist() == [days.start_ms(int(day)) for day in numbers]
    inside = numbers[numbers < 40_000]
    assert days.start_ms_array(inside).tolist() == [days.start_ms(int(day)) for day in inside]
    assert days.day_array(np.array([], dtype=np.int64)).tolist() == []
    assert days.start_ms_array(np.array([], dtype=np.int64)).tolist() == []


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "Europe"])
def test_no_such_zone(zone: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        Days(zone)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Europe/Kiev", "Europe/Kyiv", True),
        ("UTC", "Etc/UTC", True),
        ("Europe/Berlin", "Europe/Berlin", True),
        ("Europe/Berlin", "Europe/Kyiv", False),
        ("UTC", "Africa/Casablanca", False),
    ],
)
def test_zones_are_the_same_by_their_days_not_by_their_names(
    one: str, other: str, *, same: bool
) -> None:
    assert Days(one).same_as(Days(other)) is same
    assert Days(other).same_as(Days(one)) is same
