"""How many minor units one major unit of a currency has."""

from decimal import ROUND_HALF_EVEN, Decimal

_DIGITS_BY_DEFAULT = 2

# The currencies of ISO 4217 whose minor unit is not a hundredth.
_DIGITS: dict[str, int] = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}


def minor_digits(currency: str) -> int:
    """Decimal places of a currency's minor unit: 2 for EUR, 0 for JPY, 3 for KWD.

    Source: ISO 4217, column "minor unit"; 2 for a code that it does not list.
    """
    return _DIGITS.get(currency, _DIGITS_BY_DEFAULT)


def to_minor(amount: Decimal, currency: str) -> int:
    """An amount in major units as whole minor units, halves to the even one."""
    return int(amount.scaleb(minor_digits(currency)).to_integral_value(ROUND_HALF_EVEN))
