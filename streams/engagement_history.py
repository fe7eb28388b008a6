"""A whole file of engagements in memory, as the offset is fitted to it, and what was left out."""

import time
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final, TextIO

import msgspec
import numpy as np

from models.days import Days
from models.engagement_fit import EngagementDays
from models.events import BadEvent, Decoder
from models.half_characters import whole_characters
from streams.complaint import Complaint
from streams.csv_rows import BadRow, EngagementRow, read_engagements
from streams.settings import Settings

_NAMED_MAX: Final = 5
_NO_ENGAGEMENT: Final = frozenset({"purchase", "refund"})


@dataclass
class EngagementHistory:
    """The engagements of customers who are known by their purchases."""

    engagements: EngagementDays
    rows: int
    left_out: Counter[str]
    """Rows that are not in `engagements`, by reason."""
    first_bad: list[BadRow] = field(default_factory=list)
    """The first rows that could not be read."""


class _Route(msgspec.Struct, gc=False):
    type: str = ""


def load_engagements(file: Path, index: Mapping[str, int], settings: Settings) -> EngagementHistory:
    """Read a CSV, `customer_id,occurred_at[,id]`, or JSON lines as they are published.

    Purchases among JSON lines are left out, as are an id that came before and customers who never
    bought.

    Args:
        file: its path.
        index: numbers of customers by customer id.
        settings: the time zone, and what a publisher may send.

    Raises:
        Complaint: the file cannot be read, or is neither.
    """
    reading = _Reading(index)
    try:
        with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
            reading.all(_rows(text, settings))
    except OSError as error:
        raise Complaint(
            f"{file} cannot be read: {error.strerror}; give a CSV of engagements, or JSON lines."
        ) from error
    history = reading.history(Days(settings.timezone))
    if history.first_bad and not history.engagements.day.size:
        first = history.first_bad[0]
        raise Complaint(
            f"{file} holds no engagement of a known customer that could be read "
            f"(line {first.line}: {first.detail})."
        )
    return history


def _rows(text: TextIO, settings: Settings) -> Iterator[EngagementRow | BadRow | None]:
    first = next(text, "")
    lines = chain([first], text)
    if first.lstrip().startswith("{"):
        return _json_rows(lines, settings)
    return read_engagements(lines)


def _json_rows(lines: Iterator[str], settings: Settings) -> Iterator[EngagementRow | BadRow | None]:
    decoder = Decoder(settings.currency, settings.rates, settings.future_tolerance_ms)
    route = msgspec.json.Decoder(_Route).decode
    now_ms = time.time_ns() // 1_000_000
    for number, line in enumerate(lines, start=1):
        value = line.strip().encode(errors="surrogateescape")
        if not value:
            continue
        try:
            kind = route(whole_characters(value)).type
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            kind = ""
        if kind in _NO_ENGAGEMENT:
            yield None
            continue
        try:
            event = decoder.engagement(value, None, now_ms)
        except BadEvent as bad:
            yield BadRow(number, bad.reason, bad.detail)
        else:
            yield EngagementRow(number, event.customer.decode(), event.at_ms, event.id)


class _Reading:
    def __init__(self, index: Mapping[str, int]) -> None:
        self._index = index
        self._rows = 0
        self._left_out: Counter[str] = Counter()
        self._bad: list[BadRow] = []
        self._ids: set[tuple[int, str]] = set()
        self._customer = array("q")
        self._at_ms = array("q")

    def all(self, rows: Iterator[EngagementRow | BadRow | None]) -> None:
        for row in rows:
            self._rows += 1
            if row is None:
                self._left_out["no engagement"] += 1
                continue
            if isinstance(row, BadRow):
                self._left_out[str(row.reason)] += 1
                if len(self._bad) < _NAMED_MAX:
                    self._bad.append(row)
                continue
            customer = self._index.get(row.customer_id)
            if customer is None:
                self._left_out["of a customer without a purchase"] += 1
                continue
            if row.id:
                known = len(self._ids)
                self._ids.add((customer, row.id))
                if len(self._ids) == known:
                    self._left_out["duplicate"] += 1
                    continue
            self._customer.append(customer)
            self._at_ms.append(row.occurred_at_ms)

    def history(self, days: Days) -> EngagementHistory:
        customer, at_ms = (
            np.frombuffer(column, dtype=np.int64) if column else np.empty(0, dtype=np.int64)
            for column in (self._customer, self._at_ms)
        )
        return EngagementHistory(
            EngagementDays(customer, days.day_array(at_ms)),
            self._rows,
            self._left_out,
            self._bad,
        )
