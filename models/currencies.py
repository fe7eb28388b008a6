"""Exact conversion of minor units into the reporting currency."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from models.money import minor_digits


def exact(rate: Decimal | float | str) -> Fraction:
    """The rate that was written, exactly: the float 0.92 is 92/100, not its binary neighbour.

    Raises:
        ValueError: the rate is not a finite number above 0.
    """
    number = Decimal(str(rate))
    if not number.is_finite() or number <= 0:
        raise ValueError(f"a rate must be a finite number above 0, not {rate}")
    return Fraction(number)


class Conversion:
    """Multiplies minor units of one currency into minor units of another, in integers.

    A rate is the value, in the reporting currency, of one (major) unit of the other: with EUR as
    the reporting currency `USD=0.92` makes 100 cents 92 cents, and `JPY=0.0061` makes 1,000 yen
    (which have no smaller unit) 610 cents. A half goes to the even neighbour (IEEE 754's
    roundTiesToEven), so that rounding favours neither side over many orders.
    """

    __slots__ = ("_denominator", "_numerator")

    def __init__(self, currency: str, rate: Decimal | float | str, reporting: str) -> None:
        scale = Fraction(10) ** (minor_digits(reporting) - minor_digits(currency))
        ratio = exact(rate) * scale
        self._numerator = ratio.numerator
        self._denominator = ratio.denominator

    def __call__(self, amount_minor: int) -> int:
        """Minor units of the reporting currency for minor units of this one, half to even."""
        whole, rest = divmod(amount_minor * self._numerator, self._denominator)
        twice = 2 * rest
        if twice > self._denominator or (twice == self._denominator and whole % 2):
            whole += 1
        return whole


def conversions(
    reporting: str, rates: Mapping[str, Decimal | float | str]
) -> dict[str, Conversion]:
    """One conversion for each currency that has a rate, the reporting currency left out.

    Raises:
        ValueError: a rate is not above 0, or the reporting currency's own is not 1.
    """
    if reporting in rates and exact(rates[reporting]) != 1:
        raise ValueError(f"the rate of the reporting currency {reporting} can only be 1")
    return {
        currency: Conversion(currency, rate, reporting)
        for currency, rate in rates.items()
        if currency != reporting
    }
