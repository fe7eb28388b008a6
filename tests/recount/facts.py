"""Every customer's facts, counted record by record in the order of the partitions."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tests.recount.judge import ENGAGEMENTS, PURCHASES, Event, Rules, judge
from tests.recount.murmur import partition_of

REMEMBERED_IDS = 64
DAY_MS = 86_400_000
Place = tuple[str, int, int]  # topic, partition, offset


class Input(NamedTuple):
    """One record of an input topic, as Kafka has it."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


class Customer:
    """What the events of one customer add up to."""

    __slots__ = (
        "buckets",
        "engagements",
        "first_ms",
        "historic",
        "last_ms",
        "newest_engagement_day",
        "newest_ms",
        "newest_purchase_day",
        "oldest_day",
        "orders",
        "purchase_days",
        "refunds",
        "seen_engagements",
        "seen_purchases",
        "visits",
    )

    def __init__(self) -> None:
        self.orders = self.refunds = self.historic = 0
        self.first_ms: int | None = None
        self.last_ms: int | None = None
        self.newest_ms = 0
        self.newest_purchase_day = self.newest_engagement_day = 0
        self.oldest_day = 1 << 30
        self.purchase_days: set[int] = set()
        self.buckets: dict[int, tuple[int, int]] = {}  # day: orders, net minor units
        self.visits: dict[int, int] = {}  # day: engagements
        self.engagements: dict[str, int] = {}
        self.seen_purchases: dict[str, None] = {}
        self.seen_engagements: dict[str, None] = {}

    @property
    def frequency(self) -> int:
        """Distinct purchase days less one."""
        return max(0, len(self.purchase_days) - 1)

    def in_doubt(self, retention_days: int) -> bool:
        """Whether some purchase was late or not by how the two topics were interleaved."""
        return self.oldest_day < self.newest_engagement_day - retention_days

    def window(self, today: int, days: int) -> tuple[int, int, int]:
        """Orders, net revenue and engagements of the last days, today included."""
        within = range(today - days + 1, today + 1)
        orders = revenue = visits = 0
        for day, (count, net) in self.buckets.items():
            if day in within:
                orders += count
                revenue += net
        for day, count in self.visits.items():
            if day in within:
                visits += count
        return orders, revenue, visits


class Recount:
    """The whole input, counted.

    Attributes:
        customers: facts by customer id.
        bad: what is wrong with each record that is no event, and its value, by place.
        outcomes: how many records of each topic were processed, duplicate, late, rerouted, bad.
        rerouted: how often each (topic, value) came to a partition where it does not belong.
        at_home: how often each hash of (topic, value) stands in the partition where it belongs.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.customers: dict[str, Customer] = {}
        self.bad: dict[Place, tuple[frozenset[str], bytes | None]] = {}
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.rerouted: Counter[tuple[str, bytes]] = Counter()
        self.at_home: Counter[int] = Counter()
        self._partitions: dict[str, int] = {}

    def add(self, records: Iterable[Input]) -> None:
        """Count records; those of one partition in the order of their offsets."""
        rules, outcomes, judged = self.rules, self.outcomes, judge
        for topic, partition, offset, timestamp_ms, key, value in records:
            event = judged(rules, topic, key, value, timestamp_ms)
            if not isinstance(event, Event):
                self.bad[topic, partition, offset] = event, value
                outcomes[topic, "dead_letter"] += 1
                continue
            home = self._partitions.get(event.customer)
            if home is None:
                home = partition_of(event.customer.encode(), rules.partitions)
                self._partitions[event.customer] = home
            assert value is not None
            if home != partition:
                self.rerouted[topic, value] += 1
                outcomes[topic, "rerouted"] += 1
                continue
            self.at_home[hash((topic, value))] += 1
            outcomes[topic, self._apply(topic, event)] += 1

    def _apply(self, topic: str, event: Event) -> str:
        customer = self.customers.get(event.customer)
        if customer is None:
            customer = self.customers[event.customer] = Customer()
        seen = customer.seen_purchases if topic == PURCHASES else customer.seen_engagements
        if event.id in seen:
            return "duplicate"
        seen[event.id] = None
        if len(seen) > REMEMBERED_IDS:
            del seen[next(iter(seen))]
        day = day_of(event.at_ms, self.rules.timezone)
        if topic == ENGAGEMENTS:
            return _engage(customer, event, day)
        return _trade(customer, event, day, self.rules.retention_days)


def _engage(customer: Customer, event: Event, day: int) -> str:
    counts, visits = customer.engagements, customer.visits
    counts[event.type] = counts.get(event.type, 0) + 1
    visits[day] = visits.get(day, 0) + 1
    customer.newest_ms = max(customer.newest_ms, event.at_ms)
    customer.newest_engagement_day = max(customer.newest_engagement_day, day)
    return "processed"  # whether it was late makes no difference to any window


def _trade(customer: Customer, event: Event, day: int, retention_days: int) -> str:
    sold = event.type == "purchase"
    if sold:
        customer.orders += 1
        customer.historic += event.amount
    else:
        customer.refunds += 1
        customer.historic -= event.amount
    if day < customer.newest_purchase_day - retention_days:
        return "late"
    customer.newest_ms = max(customer.newest_ms, event.at_ms)
    customer.newest_purchase_day = max(customer.newest_purchase_day, day)
    customer.oldest_day = min(customer.oldest_day, day)
    orders, net = customer.buckets.get(day, (0, 0))
    if sold:
        customer.buckets[day] = orders + 1, net + event.amount
        customer.purchase_days.add(day)
        at_ms = event.at_ms
        customer.first_ms = at_ms if customer.first_ms is None else min(customer.first_ms, at_ms)
        customer.last_ms = at_ms if customer.last_ms is None else max(customer.last_ms, at_ms)
    else:
        customer.buckets[day] = orders, net - event.amount
    return "processed"


def day_of(at_ms: int, timezone: str) -> int:
    """Number of the day that an instant falls on, in a time zone; 0 is 1970-01-01."""
    if timezone == "UTC":
        return at_ms // DAY_MS
    return _local_day(at_ms // 1000, timezone)


@lru_cache(maxsize=100_000)
def _local_day(at_s: int, timezone: str) -> int:
    return datetime.fromtimestamp(at_s, ZoneInfo(timezone)).date().toordinal() - 719_163
