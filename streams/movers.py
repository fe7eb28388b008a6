"""Who moved most in value over the last days, from what `clv.scores` still holds.

The topic is compacted: of each customer it holds the newest score, and those before it that Kafka
has not removed yet. Kafka removes a customer's older scores before its newer ones, so what is left
of a customer is the end of its scores, without a gap. Hence:

- the last score from before the period is the one that held when it began: the move is exact;
- so it is where the first purchase lies in the period and there is no refund: it began at nothing;
- else the earliest score that is left lies within the period: the move is known from there on;
- and where that is the newest score itself, nothing is known.

`min.compaction.lag.ms` of the topic says how long Kafka keeps all scores: where that is the period
or more, every move is exact.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

import msgspec

from streams import topic_admin, topics
from streams.reading import read_to_end
from streams.settings import Settings
from streams.stored import Told, told_of

By = Literal["total", "risk"]

_MINUTE = len("2026-03-01T09:30")


class Published(msgspec.Struct, frozen=True, gc=False):
    """What is needed of a score (`models.score.Score`)."""

    as_of: str
    currency: str
    tier: str
    total_clv_minor: int
    value_at_risk_minor: int
    refunds: int
    first_purchase_at: str | None


_decode = msgspec.json.Decoder(Published).decode


class Mover(NamedTuple):
    """One customer's move, as it was published.

    Attributes:
        customer_id: who.
        since: `as_of` of the score compared with; None where there was no purchase before.
        before_minor: value then.
        now_minor: value of the newest score.
        newest: that score.
        whole: whether `since` covers all of the period.
    """

    customer_id: str
    since: str | None
    before_minor: int
    now_minor: int
    newest: Published
    whole: bool

    @property
    def moved_minor(self) -> int:
        """By how much; below 0 for a loss."""
        return self.now_minor - self.before_minor


@dataclass
class Movers:
    """The moves of a period that ends with the newest score.

    Attributes:
        by: total value, or value at risk.
        days: length of the period.
        until: `as_of` of the newest score of all.
    """

    by: By
    days: int
    until: str = ""
    _newest: dict[bytes, Published] = field(default_factory=dict)
    _left: dict[bytes, list[tuple[str, int]]] = field(default_factory=dict)
    _begin: str = ""
    _minute: str = ""

    @property
    def begin(self) -> str:
        """The instant at which the period begins; empty without a score."""
        return _days_before(self.until, self.days) if self.until else ""

    @property
    def customers(self) -> int:
        """How many have a score."""
        return len(self._newest)

    def add(self, records: Iterable[Any]) -> None:
        """Take records of `clv.scores`, each partition's in its order."""
        for record in records:
            if record.value is None:
                self._newest.pop(record.key, None)
                self._left.pop(record.key, None)
                continue
            score = _decode(record.value)
            self._see(score.as_of)
            self._newest[record.key] = score
            left = self._left.setdefault(record.key, [])
            left.append((score.as_of, self._value(score)))
            # The first one that is left may be what held when the period began; no other before.
            while len(left) > 1 and left[1][0] <= self._begin:
                del left[0]

    def _see(self, as_of: str) -> None:
        self.until = max(self.until, as_of)
        if self.until[:_MINUTE] != self._minute:  # to the minute is near enough for what is kept
            self._minute = self.until[:_MINUTE]
            self._begin = _days_before(f"{self._minute}:00.000Z", self.days)

    def _value(self, score: Published) -> int:
        return score.total_clv_minor if self.by == "total" else score.value_at_risk_minor

    def moves(self) -> tuple[list[Mover], int]:
        """All customers who moved, those who moved most first; and of how many nothing is known."""
        begin, moved, unknown = self.begin, [], 0
        for key, newest in self._newest.items():
            found = self._move(key.decode(), newest, self._left[key], begin)
            if found is None:
                unknown += 1
            elif found.moved_minor:
                moved.append(found)
        moved.sort(key=lambda mover: (-abs(mover.moved_minor), mover.customer_id))
        return moved, unknown

    def _move(
        self, customer: str, newest: Published, left: list[tuple[str, int]], begin: str
    ) -> Mover | None:
        now_minor = self._value(newest)
        held = [each for each in left if each[0] <= begin]
        if held:
            since, before_minor = held[-1]
            return Mover(customer, since, before_minor, now_minor, newest, whole=True)
        first = newest.first_purchase_at
        if newest.refunds == 0 and (first is None or first > begin):
            return Mover(customer, None, 0, now_minor, newest, whole=True)
        since, before_minor = left[0]
        if len(left) == 1:
            return None
        return Mover(customer, since, before_minor, now_minor, newest, whole=False)


async def read_movers(settings: Settings, by: By, days: int, told: Told) -> Movers:
    """Read `clv.scores` from its start to its end.

    Args:
        settings: where Kafka is.
        by: which value.
        days: length of the period.
        told: for a progress bar.

    Raises:
        WrongTopics: the topic is missing.
        KafkaAway: Kafka cannot be reached.
    """
    count = (await topic_admin.existing_partitions(settings, [topics.SCORES]))[topics.SCORES]
    movers = Movers(by, days)
    progressed = told_of(told, topics.SCORES)
    async for records in read_to_end(settings, topics.SCORES, count, progressed):
        movers.add(records)
    return movers


def _days_before(instant: str, days: int) -> str:
    earlier = datetime.fromisoformat(instant) - timedelta(days=days)
    return earlier.isoformat(timespec="milliseconds").replace("+00:00", "Z")
