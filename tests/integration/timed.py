"""Publishing records that carry Kafka timestamps of their own, as if they had come then."""

import json
from collections.abc import Iterable
from typing import NamedTuple

from confluent_kafka import Producer

from tests.integration.job import PARTITIONS
from tests.recount.judge import ENGAGEMENTS, PURCHASES
from tests.recount.murmur import partition_of


class Timed(NamedTuple):
    """One event, and when its record came."""

    customer: str
    id: str
    at_ms: int
    timestamp_ms: int
    amount_minor: int | None = None  # None: a page view
    currency: str = "EUR"


def publish_timed(bootstrap: str, events: Iterable[Timed]) -> int:
    """Publish events in their order, and wait until the broker has them; how many there were."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "log_level": 3,
            "linger.ms": 20,
        }
    )
    count = 0
    for event in events:
        fields = {"id": event.id, "customer_id": event.customer, "occurred_at": event.at_ms}
        if event.amount_minor is None:
            topic, rest = ENGAGEMENTS, {"type": "page_view"}
        else:
            money = {"amount_minor": event.amount_minor, "currency": event.currency}
            topic, rest = PURCHASES, {"type": "purchase", **money}
        key = event.customer.encode()
        while True:
            try:
                producer.produce(
                    topic,
                    json.dumps({**fields, **rest}).encode(),
                    key=key,
                    partition=partition_of(key, PARTITIONS),
                    timestamp=event.timestamp_ms,
                )
                break
            except BufferError:
                producer.poll(0.1)
        count += 1
    assert producer.flush(60) == 0
    return count
