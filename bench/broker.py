"""Topics of a run: made, filled, read and removed."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from bench.purchases import PARTITIONS

STAMPED_BY_BROKER: Final = {"message.timestamp.type": "LogAppendTime"}
"""So that an output's timestamp says when it was written, whatever the engine puts there."""

LARGE_BATCHES: Final = {"max.message.bytes": str(4 << 20)}
_METADATA_S_MAX: Final = 30.0
_READ_S: Final = 10.0


def create(bootstrap: str, topics: Iterable[str], configs: Mapping[str, str] | None = None) -> None:
    """Make topics, and wait until they are there."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 3})
    wanted = [NewTopic(name, PARTITIONS, 1, config=dict(configs or {})) for name in topics]
    for future in admin.create_topics(wanted).values():
        future.result()
    _wait_until(lambda: {topic.topic for topic in wanted} <= _known(admin), "topics appear")


def delete(bootstrap: str, prefixes: tuple[str, ...], keep: Iterable[str] = ()) -> None:
    """Remove all topics whose name begins so, and wait until they are gone."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 3})
    kept = set(keep)

    def found() -> list[str]:
        return [name for name in _known(admin) if name.startswith(prefixes) and name not in kept]

    if names := found():
        for future in admin.delete_topics(names).values():
            future.result()
    _wait_until(lambda: not found(), "topics go")


def _known(admin: AdminClient) -> set[str]:
    """Topics whose partitions all have a leader."""
    topics = admin.list_topics(timeout=10).topics.values()
    return {t.topic for t in topics if all(p.leader >= 0 for p in t.partitions.values())}


def _wait_until(happened: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + _METADATA_S_MAX
    while not happened():
        assert time.monotonic() < deadline_s, f"in vain waited until {what}"
        time.sleep(0.05)


def publish(bootstrap: str, topic: str, lines: Iterable[tuple[bytes, bytes]]) -> None:
    """Publish lines by key, as Java's clients would, and wait until the broker has them."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "linger.ms": 20,
            "batch.size": 1 << 18,
            "queue.buffering.max.messages": 1_000_000,
            "log_level": 3,
        }
    )
    for key, value in lines:
        while True:
            try:
                producer.produce(topic, value, key)
                break
            except BufferError:
                producer.poll(0.1)
    left = producer.flush(120)
    assert left == 0, f"{left} records were not published"


class Ends:
    """How far a topic's partitions reach, asked again and again."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "bench-ends", "log_level": 3}
        )
        self._places = [TopicPartition(topic, number) for number in range(PARTITIONS)]

    def __call__(self) -> list[int]:
        """The end offset of each partition."""
        deadline_s = time.monotonic() + _METADATA_S_MAX
        while True:
            try:
                return [
                    self._consumer.get_watermark_offsets(place, timeout=10)[1]
                    for place in self._places
                ]
            except KafkaException:  # a new topic's leader is not known everywhere at once
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(0.05)

    def close(self) -> None:
        """Let the connection go."""
        self._consumer.close()


def reader(bootstrap: str, topic: str, **settings: Any) -> Consumer:
    """A consumer of all of a topic's committed records, outside any group."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "bench-reader",
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "log_level": 3,
            **settings,
        }
    )
    consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
    return consumer


def read_all(bootstrap: str, topic: str) -> Iterator[Message]:
    """Every committed record that a topic holds now."""
    with_ends = {"enable.partition.eof": True, "fetch.wait.max.ms": 50}
    consumer = reader(bootstrap, topic, **with_ends)
    open_partitions = set(range(PARTITIONS))
    deadline_s = time.monotonic() + _READ_S
    try:
        while open_partitions:
            for message in consumer.consume(10_000, timeout=0.5):
                deadline_s = time.monotonic() + _READ_S
                if message.error() is None:
                    yield message
                elif message.error().code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                    open_partitions.discard(message.partition())
                else:
                    raise RuntimeError(message.error().str())
            assert time.monotonic() < deadline_s, f"{topic} could not be read"
    finally:
        consumer.close()


def read_partitions(bootstrap: str, topic: str) -> list[list[tuple[bytes, bytes, int]]]:
    """Key, value and timestamp (ms) of every record, by partition, in order."""
    partitions: list[list[tuple[bytes, bytes, int]]] = [[] for _ in range(PARTITIONS)]
    for message in read_all(bootstrap, topic):
        record = (message.key(), message.value(), message.timestamp()[1])
        partitions[message.partition()].append(record)
    return partitions
