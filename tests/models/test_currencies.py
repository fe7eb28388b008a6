"""Conversion is exact, and rounds halves to even."""

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.currencies import Conversion, conversions, exact
from models.money import minor_digits

CODES = ["EUR", "USD", "JPY", "KWD", "CLF"]  # 2, 2, 0, 3 and 4 digits


@pytest.mark.parametrize(
    ("amount_minor", "currency", "rate", "reporting", "expected"),
    [
        (100, "USD", "0.92", "EUR", 92),
        (4999, "USD", 0.92, "EUR", 4599),  # 4599.08
        (1000, "JPY", "0.0061", "EUR", 610),  # 1,000 yen are 6.10 euro
        (610, "EUR", "163.93", "JPY", 1000),  # 999.973
        (1234, "KWD", "3.01", "EUR", 371),  # 1.234 dinars are 3.71434 euro
        (371, "EUR", "0.332", "KWD", 1232),  # 1.23172 dinars
        (50, "USD", "0.01", "EUR", 0),  # 0.5: to the even neighbour
        (150, "USD", "0.01", "EUR", 2),  # 1.5
        (250, "USD", "0.01", "EUR", 2),  # 2.5
        (251, "USD", "0.01", "EUR", 3),
        (0, "USD", "0.92", "EUR", 0),
        (10**12, "KWD", "3.01", "JPY", 3_010_000_000),
    ],
)
def test_worked_examples(
    amount_minor: int, currency: str, rate: str | float, reporting: str, expected: int
) -> None:
    assert Conversion(currency, rate, reporting)(amount_minor) == expected


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(
    st.integers(0, 10**12),
    st.decimals("0.000001", "1000000", places=6),
    st.sampled_from(CODES),
    st.sampled_from(CODES),
)
def test_equals_decimal_arithmetic(amount: int, rate: Decimal, source: str, target: str) -> None:
    scaled = Decimal(amount).scaleb(-minor_digits(source)) * rate
    expected = int(scaled.scaleb(minor_digits(target)).quantize(Decimal(1), ROUND_HALF_EVEN))
    assert Conversion(source, rate, target)(amount) == expected


def test_a_float_is_the_number_that_was_written() -> None:
    assert exact(0.92) == exact("0.92") == exact(Decimal("0.92")) == Fraction(92, 100)


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf"), Decimal("-0.5")])
def test_a_rate_is_above_0(rate: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        conversions("EUR", {"USD": rate})


def test_the_reporting_currency_has_the_rate_1_or_none() -> None:
    assert list(conversions("EUR", {"EUR": 1, "USD": 2})) == ["USD"]
    with pytest.raises(ValueError, match="can only be 1"):
        conversions("EUR", {"EUR": Decimal("1.1")})
