"""How settings are written: `365d`, `USD=0.92,GBP=1.17`, `bronze:0,silver:10000`.

Every reader raises `ValueError` with what the text may be, never with the text itself: whoever
asked knows the name and the value, and whether the value may be shown.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Final, TypeVar

Number = TypeVar("Number", int, float)

_UNITS: Final = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_PART: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h|d|w)")
_DURATION: Final = re.compile(rf"(?:{_PART.pattern})+")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")

DURATION_FORMS: Final = "a duration such as 365d, 1h30m or 250ms"
RATES_FORMS: Final = (
    "rates such as USD=0.92,GBP=1.17: what one unit of each currency is worth in CLV_CURRENCY"
)


def read_duration(text: str) -> timedelta:
    """Read a duration: numbers with units `ms s m h d w`, the largest first, added up.

    Raises:
        ValueError: it is none.
    """
    compact = text.replace(" ", "")
    if not _DURATION.fullmatch(compact):
        raise ValueError(f"must be {DURATION_FORMS}")
    parts = [(float(number), _UNITS[unit]) for number, unit in _PART.findall(compact)]
    units = [unit for _, unit in parts]
    if units != sorted(set(units), reverse=True):
        raise ValueError(f"must be {DURATION_FORMS}, each unit once, the largest first")
    return sum((number * unit for number, unit in parts), timedelta())


def write_duration(value: timedelta) -> str:
    """Write a duration as `read_duration` reads it, to the millisecond."""
    left = value
    written = ""
    for unit, size in sorted(_UNITS.items(), key=lambda item: item[1], reverse=True):
        if unit == "w":  # 365d, not 52w1d
            continue
        count, left = divmod(left, size)
        written += f"{count}{unit}" if count else ""
    return written or "0s"


def read_currency(text: str) -> str:
    """Read an ISO 4217 code: three capital letters.

    Raises:
        ValueError: it is none.
    """
    if not _CURRENCY.fullmatch(text):
        raise ValueError("must be a currency's three capital letters, such as EUR")
    return text


def read_rates(text: str) -> dict[str, Decimal]:
    """Read exchange rates `USD=0.92,GBP=1.17`.

    Returns:
        What one unit of each currency is worth in the reporting currency; all above 0.

    Raises:
        ValueError: they are none.
    """
    rates: dict[str, Decimal] = {}
    for part in _parts(text):
        code, _, number = part.partition("=")
        try:
            rate = Decimal(number.strip())
        except InvalidOperation as error:
            raise ValueError(f"must be {RATES_FORMS}") from error
        if not _CURRENCY.fullmatch(code.strip()) or not rate.is_finite() or rate <= 0:
            raise ValueError(f"must be {RATES_FORMS}; each is above 0")
        if code.strip() in rates:
            raise ValueError(f"must name each currency once, and names {code.strip()} twice")
        rates[code.strip()] = rate
    return rates


def read_thresholds(text: str, example: str) -> tuple[tuple[str, int], ...]:
    """Read names with whole-number thresholds, such as `bronze:0,silver:10000`.

    Args:
        text: what is read.
        example: a right one, for the error.

    Raises:
        ValueError: they are none.
    """
    return _named(text, int, f"must be names with whole numbers such as {example}")


def read_shares(text: str, example: str) -> tuple[tuple[str, float], ...]:
    """Read names with thresholds, such as `medium:0.25,high:0.5`.

    Args:
        text: what is read.
        example: a right one, for the error.

    Raises:
        ValueError: they are none.
    """
    return _named(text, float, f"must be names with shares such as {example}")


def _named(
    text: str, read: Callable[[str], Number], complaint: str
) -> tuple[tuple[str, Number], ...]:
    steps = []
    for part in _parts(text):
        name, colon, number = part.partition(":")
        try:
            threshold = read(number)
        except ValueError as error:
            raise ValueError(complaint) from error
        if not (colon and name.strip()):
            raise ValueError(complaint)
        steps.append((name.strip(), threshold))
    return tuple(steps)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
