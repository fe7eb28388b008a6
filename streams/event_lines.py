"""Lines of a file as records for the input topics: read, judged and routed."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from models.events import BadEvent, Decoder
from models.half_characters import whole_characters
from streams import topics
from streams.publisher import Record
from streams.settings import Settings

_NAMED_MAX: Final = 20
_PURCHASE_TYPES: Final = frozenset({"purchase", "refund"})


class BadLine(NamedTuple):
    """A line that is no event: its number from 1, the reason's code, and a sentence."""

    number: int
    reason: str
    detail: str


class RoundedLine(NamedTuple):
    """A line whose amount has more decimals than its currency, and the minor units it became."""

    number: int
    amount: str
    amount_minor: int


@dataclass
class Tally:
    """What became of the lines.

    Attributes:
        lines: how many there were, blank ones left out.
        published: how many went to each topic.
        bad: how many were no events, by reason.
        left_out: how many of these were not published.
        first_bad: the first of them.
        rounded: how many had an amount that is no whole number of minor units.
        first_rounded: the first of them.
    """

    lines: int = 0
    published: Counter[str] = field(default_factory=Counter)
    bad: Counter[str] = field(default_factory=Counter)
    left_out: int = 0
    first_bad: list[BadLine] = field(default_factory=list)
    rounded: int = 0
    first_rounded: list[RoundedLine] = field(default_factory=list)

    def add_bad(self, bad: BadLine) -> None:
        """Count a line that is no event, and remember it where it is among the first."""
        self.bad[bad.reason] += 1
        if len(self.first_bad) < _NAMED_MAX:
            self.first_bad.append(bad)

    def add_rounded(self, line: RoundedLine) -> None:
        """Count a line whose amount was rounded, and remember it where it is among the first."""
        self.rounded += 1
        if len(self.first_rounded) < _NAMED_MAX:
            self.first_rounded.append(line)


class _Route(msgspec.Struct, gc=False):
    type: str = ""
    customer_id: msgspec.Raw = msgspec.Raw()


class Router:
    """Makes records of JSON lines, each for the topic that its `type` belongs to.

    Args:
        settings: the currencies that are known, and how far ahead an event may be.
        refuse_bad: leave out what the worker would refuse; otherwise it is made a record all the
            same, so that it ends among the dead letters, with its reason, and is not lost.
    """

    def __init__(self, settings: Settings, *, refuse_bad: bool) -> None:
        self._decoder = Decoder(settings.currency, settings.rates, settings.future_tolerance_ms)
        self._route = msgspec.json.Decoder(_Route).decode
        self._refuse_bad = refuse_bad
        self.tally = Tally()

    def records(self, lines: Iterable[tuple[int, bytes]]) -> list[Record]:
        """Records of some lines.

        Args:
            lines: numbers, and values without their ends of line.
        """
        now_ms = time.time_ns() // 1_000_000
        records: list[Record] = []
        tally = self.tally
        for number, value in lines:
            tally.lines += 1
            try:
                route = self._route(whole_characters(value))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                route = _Route()
            purchase = route.type in _PURCHASE_TYPES or not route.type
            read = self._decoder.purchase if purchase else self._decoder.engagement
            key: bytes | None
            try:
                key = read(value, None, now_ms).customer
            except BadEvent as bad:
                tally.add_bad(BadLine(number, bad.reason, bad.detail))
                if self._refuse_bad:
                    tally.left_out += 1
                    continue
                key = _key(bytes(route.customer_id))
            topic = topics.PURCHASES if purchase else topics.ENGAGEMENTS
            tally.published[topic] += 1
            records.append(Record(topic, key, value))
        return records


def _key(customer_id: bytes) -> bytes | None:
    try:
        return msgspec.json.decode(customer_id, type=str).encode() or None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
