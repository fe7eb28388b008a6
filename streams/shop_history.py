"""A whole file of transactions in memory, as the models are fitted to it, and what was left out."""

from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Final, TextIO

import numpy as np

from models.days import Days
from models.histories import PurchaseDays
from streams import datasets
from streams.complaint import Complaint
from streams.csv_rows import BadRow, Row, read_rows

_EPOCH: Final = date(1970, 1, 1)
_NAMED_MAX: Final = 5


@dataclass
class ShopHistory:
    """All purchases of a file by customer and day."""

    currency: str
    purchases: PurchaseDays
    rows: int
    """Rows of the file, the header apart."""
    customers: int
    left_out: Counter[str]
    """Rows that are not in `purchases`, by reason."""
    first_bad: list[BadRow] = field(default_factory=list)
    """The first rows that could not be read."""
    same_day: int = 0
    """Orders that became one purchase with another of their customer and day."""
    free: int = 0
    """Orders of no value among those that are in `purchases`."""
    index: dict[str, int] = field(default_factory=dict)
    """The number that each customer has in `purchases`, by customer id."""

    @property
    def first_day(self) -> int:
        """Day number of the first purchase."""
        return int(self.purchases.day.min())

    @property
    def last_day(self) -> int:
        """Day number of the last purchase."""
        return int(self.purchases.day.max())


def load(source: str, currency: str, timezone: str) -> ShopHistory:
    """Read a data set that ships with the project, or a file.

    Refunds are left out: they are no orders, and take none back. So are the rows of another
    currency than the most frequent one, and of an id that came before.

    Args:
        source: `cdnow`, `cdnow-full`, or a path to a CSV of transactions.
        currency: ISO 4217 code where a row names none.
        timezone: IANA name of the zone whose midnight ends a day.

    Raises:
        Complaint: the file cannot be read, or holds no purchase.
    """
    reading = _Reading(source)
    with _opened(source) as text:
        reading.all(read_rows(text, datasets.CURRENCY if source in datasets.FILES else currency))
    history = reading.history(Days(timezone))
    if history.purchases.customer.size == 0:
        why = f" (line {reading.bad[0].line}: {reading.bad[0].detail})" if reading.bad else ""
        raise Complaint(f"{source} holds no purchase that could be read{why}.")
    return history


def day_number(day: date) -> int:
    """Days from 1970-01-01."""
    return (day - _EPOCH).days


def day_of(number: int) -> date:
    """The date of a day number."""
    return _EPOCH + timedelta(days=number)


@contextmanager
def _opened(source: str) -> Iterator[TextIO]:
    if source in datasets.FILES:
        with datasets.open_dataset(source) as text:
            yield text
        return
    try:
        with Path(source).open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
            yield text
    except OSError as error:
        known = ", ".join(datasets.FILES)
        raise Complaint(
            f"{source} cannot be read: {error.strerror}; give a CSV, or one of {known}."
        ) from error


class _Reading:
    def __init__(self, source: str) -> None:
        self.source = source
        self.rows = 0
        self.left_out: Counter[str] = Counter()
        self.bad: list[BadRow] = []
        self._index: dict[str, int] = {}
        self._currencies: dict[str, int] = {}
        self._ids: set[str] = set()
        self._customer = array("q")
        self._at_ms = array("q")
        self._amount = array("q")
        self._currency = array("q")

    def all(self, rows: Iterator[Row | BadRow]) -> None:
        index, currencies, ids = self._index, self._currencies, self._ids
        for row in rows:
            self.rows += 1
            if isinstance(row, BadRow):
                self.left_out[str(row.reason)] += 1
                if len(self.bad) < _NAMED_MAX:
                    self.bad.append(row)
                continue
            if row.type == "refund":
                self.left_out["refund"] += 1
                continue
            if row.id:
                if row.id in ids:
                    self.left_out["duplicate"] += 1
                    continue
                ids.add(row.id)
            self._customer.append(index.setdefault(row.customer_id, len(index)))
            self._at_ms.append(row.occurred_at_ms)
            self._amount.append(row.amount_minor)
            self._currency.append(currencies.setdefault(row.currency, len(currencies)))

    def history(self, days: Days) -> ShopHistory:
        customer, at_ms, amount, currency = (
            np.frombuffer(column, dtype=np.int64) if column else np.empty(0, dtype=np.int64)
            for column in (self._customer, self._at_ms, self._amount, self._currency)
        )
        names = list(self._currencies) or [""]
        main = int(np.bincount(currency, minlength=1).argmax())
        kept = currency == main
        if not kept.all():
            self.left_out["other_currency"] = int(np.count_nonzero(~kept))
        purchases = PurchaseDays.of_orders(
            customer[kept], days.day_array(at_ms[kept]), amount[kept]
        )
        return ShopHistory(
            currency=names[main],
            purchases=purchases,
            rows=self.rows,
            customers=int(np.unique(purchases.customer).size),
            left_out=self.left_out,
            first_bad=self.bad,
            same_day=int(np.count_nonzero(kept)) - purchases.customer.size,
            free=int(np.count_nonzero(amount[kept] == 0)),
            index=self._index,
        )
