"""The rows of a CSV of transactions, or of engagements.

`customer_id,occurred_at,amount[,currency,id,type]`, or `customer_id,occurred_at[,id]`. Amounts are
in major units, as shops export them. Columns may be in any order, others are ignored. Every row
comes out as what it says or as what is wrong with it: none is dropped.
"""

import csv
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple, TypeVar

from models.leap_seconds import without_leap_second
from models.money import minor_digits, to_minor
from models.reasons import Reason
from streams.csv_header import OPTIONAL, REQUIRED, columns_of

TYPES: Final = ("purchase", "refund")

_ID_BYTES_MAX: Final = 256
_AMOUNT_MINOR_MAX: Final = 10**12
_CURRENCY_LETTERS: Final = 3
_MS_DIGITS_MAX: Final = 15
"""The year 9999 is one of 15 digits."""
_NOISE_MINOR: Final = Decimal("0.001")
"""17.849999999999998 is what a spreadsheet makes of 3 times 5.95: nothing was rounded there."""
_MS: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Most texts of a file come again: days and prices. Their meaning is kept up to this many.
_KEPT_MAX: Final = 100_000

Text = TypeVar("Text")
Meaning = TypeVar("Meaning")


class Row(NamedTuple):
    """One transaction."""

    line: int
    """Line of the file that it ends on, from 1."""
    customer_id: str
    occurred_at_ms: int
    """Epoch milliseconds UTC."""
    amount_minor: int
    """Minor units of `currency`, >= 0; of a refund too."""
    currency: str
    id: str
    """Empty where the file has none."""
    type: str
    """`purchase` or `refund`."""
    rounded_from: str = ""
    """The amount as it stands there, where `amount_minor` is not that."""


class EngagementRow(NamedTuple):
    """One engagement, of whatever type."""

    line: int
    """Line of the file that it ends on, from 1."""
    customer_id: str
    occurred_at_ms: int
    """Epoch milliseconds UTC."""
    id: str
    """Empty where the file has none."""


class BadRow(NamedTuple):
    """A row that is no transaction, or no engagement."""

    line: int
    reason: str
    """A code, one of `models.reasons.Reason`."""
    detail: str


class _Refused(Exception):
    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def read_rows(lines: Iterable[str], currency: str) -> Iterator[Row | BadRow]:
    """Read a CSV with a header, one row at a time.

    Args:
        lines: the text; open files with `newline=""` and `encoding="utf-8-sig"`,
            `errors="surrogateescape"`, so that one bad byte spoils one row only.
        currency: ISO 4217 code where the row names none.

    Yields:
        A `Row`, or a `BadRow` with the reason; blank lines are skipped.

    Raises:
        NotTransactions: no header, or a required column is not in it.
    """
    reader = csv.reader(lines)
    columns, width = columns_of(reader)
    at = [columns.get(name) for name in (*REQUIRED, *OPTIONAL)]
    customer_at, time_at, amount_at, currency_at, id_at, type_at = at
    assert customer_at is not None
    assert time_at is not None
    assert amount_at is not None
    time_ms, minor = _kept(_time_ms), _kept(_amount_minor)
    for cells in _cells(reader, max(columns.values()) + 1, width):
        if isinstance(cells, BadRow):
            yield cells
            continue
        line = reader.line_num
        try:
            of = (currency_at is not None and cells[currency_at].strip()) or currency
            customer_id = _identifier("customer_id", cells[customer_at])
            at_ms = time_ms(cells[time_at])
            amount_minor, rounded_from = minor((cells[amount_at], of))
            event_id = _identifier("id", cells[id_at]) if id_at is not None and cells[id_at] else ""
            kind = _type(cells[type_at]) if type_at is not None else "purchase"
            yield Row(line, customer_id, at_ms, amount_minor, of, event_id, kind, rounded_from)
        except _Refused as error:
            yield BadRow(line, error.reason, str(error))


def read_engagements(lines: Iterable[str]) -> Iterator[EngagementRow | BadRow]:
    """Read a CSV of engagements, as `read_rows`: `customer_id,occurred_at[,id]`.

    Args:
        lines: the text.

    Raises:
        NotTransactions: no header, or a required column is not in it.
    """
    reader = csv.reader(lines)
    columns, width = columns_of(reader, REQUIRED[:2])
    time_ms = _kept(_time_ms)
    for cells in _cells(reader, max(columns.values()) + 1, width):
        if isinstance(cells, BadRow):
            yield cells
            continue
        line = reader.line_num
        try:
            customer_id = _identifier("customer_id", cells[columns["customer_id"]])
            event_id = cells[columns["id"]] if "id" in columns else ""
            yield EngagementRow(line, customer_id, time_ms(cells[columns["occurred_at"]]), event_id)
        except _Refused as error:
            yield BadRow(line, error.reason, str(error))


def _cells(reader: Any, count: int, width: int) -> Iterator[list[str] | BadRow]:
    """The rows of a CSV that have the columns that are read, and what is wrong with the others.

    One with more than the header is none: 1,234.50 without quotes would be an amount of 1.
    """
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield BadRow(reader.line_num, Reason.BAD_TYPE, f"not a row of a CSV: {error}")
            continue
        if len(cells) > width and any(cells[width:]):
            why = f"{len(cells)} columns, and the first line names {width}: quote what has a comma"
            yield BadRow(reader.line_num, Reason.BAD_TYPE, why)
        elif len(cells) >= count:
            yield cells
        elif cells:
            yield BadRow(reader.line_num, Reason.MISSING_FIELD, f"{len(cells)} of {count} columns")


def _kept(read: Callable[[Text], Meaning]) -> Callable[[Text], Meaning]:
    """The function, with its first answers kept: quicker than lru_cache, and as bounded."""
    kept: dict[Text, Meaning] = {}

    def look_up(text: Text) -> Meaning:
        meaning = kept.get(text)
        if meaning is None:
            meaning = read(text)
            if len(kept) < _KEPT_MAX:
                kept[text] = meaning
        return meaning

    return look_up


def _identifier(name: str, text: str) -> str:
    if not text:
        raise _Refused(Reason.EMPTY_ID, f"{name} is empty")
    if text.isascii():
        size = len(text)
    else:
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            raise _Refused(Reason.BAD_TYPE, f"{name} is not UTF-8") from None
    if size > _ID_BYTES_MAX:
        raise _Refused(Reason.ID_TOO_LONG, f"{name} has {size} bytes, over {_ID_BYTES_MAX}")
    return text


def _type(text: str) -> str:
    kind = text.strip().lower() or "purchase"
    if kind not in TYPES:
        raise _Refused(Reason.UNKNOWN_TYPE, f"type {text!r} is neither purchase nor refund")
    return kind


def _time_ms(text: str) -> int:
    """A date, a time with or without an offset (then UTC), or epoch milliseconds."""
    text = text.strip()
    digits = text.removeprefix("-")
    # Eight digits are a date without its hyphens, in fromisoformat as in many exports.
    if digits.isdecimal() and len(digits) != len("19970101"):
        if len(digits) > _MS_DIGITS_MAX:
            raise _Refused(Reason.BAD_TIME, f"occurred_at {text[:20]!r}… is no time")
        return int(text)
    try:
        at = _instant(text)
    except ValueError:
        raise _Refused(
            Reason.BAD_TIME,
            f"occurred_at {text!r} is no date or time: write it as 2026-03-31 or "
            "2026-03-31T09:30:00Z",
        ) from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return (at - _EPOCH) // _MS


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return datetime.fromisoformat(without_leap_second(text))


def _amount_minor(cell: tuple[str, str]) -> tuple[int, str]:
    """Minor units, and the text where they are not what it says."""
    text, currency = cell
    if not (len(currency) == _CURRENCY_LETTERS and currency.isascii() and currency.isupper()):
        raise _Refused(Reason.BAD_CURRENCY, f"currency {currency!r} is no ISO 4217 code")
    try:
        amount = Decimal(text.strip())
    except InvalidOperation:
        hint = ": write decimals with a point, and nothing else between the digits"
        why = f"amount {text!r} is no number{hint if ',' in text else ''}"
        raise _Refused(Reason.BAD_AMOUNT, why) from None
    if not amount.is_finite():
        raise _Refused(Reason.BAD_AMOUNT, f"amount {text!r} is no number")
    if amount < 0:
        raise _Refused(
            Reason.BAD_AMOUNT,
            f"amount {text!r} is negative: a refund is a positive amount of the type refund",
        )
    # Compared before it is scaled: 1e999999 would be that many digits of an integer.
    if amount > _AMOUNT_MINOR_MAX or (minor := to_minor(amount, currency)) > _AMOUNT_MINOR_MAX:
        raise _Refused(Reason.BAD_AMOUNT, f"amount {text!r} is over 10^12 minor units")
    off = abs(amount.scaleb(minor_digits(currency)) - minor)
    return minor, text.strip() if off > _NOISE_MINOR else ""
