from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import notation


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("365d", timedelta(days=365)),
        ("1h", timedelta(hours=1)),
        ("250ms", timedelta(milliseconds=250)),
        ("1h30m", timedelta(minutes=90)),
        ("1h 30m", timedelta(minutes=90)),
        ("2w", timedelta(days=14)),
        ("0.5s", timedelta(milliseconds=500)),
        ("0s", timedelta()),
    ],
)
def test_durations_are_read(text, duration):
    assert notation.read_duration(text) == duration


@pytest.mark.parametrize("text", ["", "365", "d", "-1d", "1y", "1d1d", "30m1h", "1e9d", "1,5h"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match=r"365d, 1h30m or 250ms"):
        notation.read_duration(text)


@given(st.integers(0, 10**11))
def test_a_duration_is_read_as_it_was_written(ms):
    duration = timedelta(milliseconds=ms)
    assert notation.read_duration(notation.write_duration(duration)) == duration


def test_rates_are_read():
    assert notation.read_rates("USD=0.92, GBP=1.17") == {
        "USD": Decimal("0.92"),
        "GBP": Decimal("1.17"),
    }
    assert notation.read_rates("") == {}


@pytest.mark.parametrize(
    "text", ["USD", "usd=1", "USD=0", "USD=-1", "USD=NaN", "USD=inf", "USD:1", "USD=1,USD=2"]
)
def test_what_are_no_rates_is_refused(text):
    with pytest.raises(ValueError, match=r"^must "):
        notation.read_rates(text)


def test_thresholds_are_read():
    assert notation.read_thresholds("a:-5, b:10", "") == (("a", -5), ("b", 10))
    assert notation.read_shares("medium:0.25,high:.5", "") == (("medium", 0.25), ("high", 0.5))


@pytest.mark.parametrize("text", ["a", "a:", ":1", "a:1.5", "a=1", "a:1:2"])
def test_what_are_no_thresholds_is_refused(text):
    with pytest.raises(ValueError, match="such as x:0"):
        notation.read_thresholds(text, "x:0")


@pytest.mark.parametrize("text", ["eur", "EURO", "E", "", "ÄÖÜ"])
def test_what_is_no_currency_is_refused(text):
    with pytest.raises(ValueError, match="such as EUR"):
        notation.read_currency(text)
