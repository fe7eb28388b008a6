"""Reading topics to their end, by position, as a subscriber that reads committed sees them."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from confluent_kafka import Consumer, IsolationLevel, KafkaError, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

CHUNK = 10_000
SECONDS_MAX = 120.0


def committed_ends(bootstrap: str, topics: Mapping[str, int]) -> dict[tuple[str, int], int]:
    """The last stable offset of each partition: nothing before it will ever change.

    Args:
        bootstrap: the broker.
        topics: number of partitions by topic.
    """
    places = [TopicPartition(topic, n) for topic, count in topics.items() for n in range(count)]
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 3})
    asked = client.list_offsets(
        dict.fromkeys(places, OffsetSpec.latest()),
        isolation_level=IsolationLevel.READ_COMMITTED,
        request_timeout=10,
    )
    return {(tp.topic, tp.partition): future.result().offset for tp, future in asked.items()}


def read(
    bootstrap: str,
    topics: Mapping[str, int],
    starts: Mapping[tuple[str, int], int] | None = None,
) -> Iterator[list[Message]]:
    """Chunks of every committed record up to the ends that the topics have now.

    Args:
        bootstrap: the broker.
        topics: number of partitions by topic.
        starts: first offset by topic and partition; by default the beginning of all.

    Raises:
        TimeoutError: the end was not reached in two minutes.
    """
    ends = committed_ends(bootstrap, topics)
    if starts is not None:
        ends = {place: end for place, end in ends.items() if place in starts}
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "log_level": 3,
            "group.id": "recount",  # asked for by the client, never used
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "fetch.message.max.bytes": 4 << 20,
        }
    )
    try:
        where = starts or {}
        consumer.assign([TopicPartition(*place, where.get(place, 0)) for place in ends])
        yield from _until(consumer, {place: end for place, end in ends.items() if end > 0})
    finally:
        consumer.close()


def _until(consumer: Any, open_ends: dict[tuple[str, int], int]) -> Iterator[list[Message]]:
    deadline_s = time.monotonic() + SECONDS_MAX
    while open_ends:
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"topics could not be read to their ends: {open_ends}")
        messages = []
        for message in consumer.consume(CHUNK, timeout=0.2):
            error = message.error()
            place = message.topic(), message.partition()
            if error is None:
                messages.append(message)
                if message.offset() + 1 >= open_ends.get(place, 1 << 62):
                    del open_ends[place]
            elif error.code() == KafkaError._PARTITION_EOF:
                # The end of a log is often a commit marker, which is never delivered: this tells.
                if message.offset() >= open_ends.get(place, 1 << 62):
                    del open_ends[place]
            elif error.fatal() or not error.retriable():
                raise RuntimeError(f"{place}: {error}")
        if messages:
            yield messages
