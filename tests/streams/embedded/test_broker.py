"""What the embedded broker does, and what it does not: the demo's worker stands on both lists."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

from streams.embedded.broker import PARTITIONS, EmbeddedBroker

INPUT = TopicPartition("in", 0)
OUTPUT = TopicPartition("out", 0)


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as running:
        running.create(["in", "out"])
        yield running


@asynccontextmanager
async def transactional(broker: EmbeddedBroker, name: str = "w-0") -> AsyncIterator:
    producer = AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap, transactional_id=name, acks="all", retry_backoff_ms=10
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def consuming(broker: EmbeddedBroker, *topics: str, **options: object) -> AsyncIterator:
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=broker.bootstrap,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=20,
        **options,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def read_all(broker: EmbeddedBroker, partition: TopicPartition = OUTPUT) -> list[bytes]:
    """Everything from the start to the end of a partition, as a reader of committed records."""
    values: list[bytes] = []
    async with consuming(broker) as consumer:
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        await consumer.seek_to_beginning(partition)
        async with asyncio.timeout(5):
            while await consumer.position(partition) < end:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    values += [record.value for record in records]
    return values


async def write(broker: EmbeddedBroker, *values: bytes, commit: bool, offset: int = 7) -> None:
    async with transactional(broker) as producer:
        await producer.begin_transaction()
        for value in values:
            await producer.send_and_wait(OUTPUT.topic, value, partition=0)
        await producer.send_offsets_to_transaction({INPUT: offset}, "g")
        await (producer.commit_transaction() if commit else producer.abort_transaction())


async def committed(broker: EmbeddedBroker, partition: TopicPartition, group: str) -> int | None:
    async with consuming(broker, group_id=group) as consumer:
        consumer.assign([partition])
        offset: int | None = await consumer.committed(partition)
        return offset


async def test_topics_have_four_partitions(broker: EmbeddedBroker) -> None:
    broker.create(["in", "late"])
    topics = AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=5).topics
    counts = {name: len(topic.partitions) for name, topic in topics.items()}
    assert counts == {"in": PARTITIONS, "out": PARTITIONS, "late": PARTITIONS}


async def test_committed_transactions_are_read_in_order(broker: EmbeddedBroker) -> None:
    await write(broker, b"a", b"b", commit=True)
    await write(broker, b"c", commit=True)
    assert await read_all(broker) == [b"a", b"b", b"c"]


async def test_a_partition_ends_where_its_records_end(broker: EmbeddedBroker) -> None:
    """librdkafka from 2.15 on writes markers whose checksum aiokafka refuses: hence the pin."""
    await write(broker, b"a", commit=True)
    async with consuming(broker) as consumer:
        assert await consumer.end_offsets([OUTPUT]) == {OUTPUT: 1}


async def test_an_abort_takes_nothing_back(broker: EmbeddedBroker) -> None:
    """On Kafka the first two would never be seen."""
    async with transactional(broker) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(OUTPUT.topic, b"open", partition=0)
        assert await read_all(broker) == [b"open"]
        await producer.abort_transaction()
    await write(broker, b"aborted", commit=False)
    await write(broker, b"kept", commit=True)
    assert await read_all(broker) == [b"open", b"aborted", b"kept"]


async def test_offsets_in_transactions_are_forgotten(broker: EmbeddedBroker) -> None:
    """On Kafka the first would be 7."""
    await write(broker, b"a", commit=True, offset=7)
    assert await committed(broker, INPUT, "g") is None
    await write(broker, b"b", commit=False, offset=8)
    assert await committed(broker, INPUT, "g") is None


async def test_a_transactional_id_fences_nobody(broker: EmbeddedBroker) -> None:
    """On Kafka the older producer's transaction would fail."""
    async with transactional(broker) as older:
        await older.begin_transaction()
        async with transactional(broker) as newer:
            await newer.begin_transaction()
            await newer.send_and_wait(OUTPUT.topic, b"newer", partition=0)
            await newer.commit_transaction()
        await older.send_and_wait(OUTPUT.topic, b"older", partition=0)
        await older.commit_transaction()
    assert await read_all(broker) == [b"newer", b"older"]


@pytest.mark.parametrize("instance", [None, "i-1"], ids=["dynamic", "static"])
async def test_a_group_goes_on_where_its_last_member_committed(
    broker: EmbeddedBroker, instance: str | None
) -> None:
    member = {"group_id": "g", "group_instance_id": instance}
    member |= {"heartbeat_interval_ms": 200, "session_timeout_ms": 4000}
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap) as producer:
        for number in range(8):
            await producer.send_and_wait("in", b"%d" % number, partition=number % 4)
    seen: set[bytes] = set()
    async with consuming(broker, "in", **member) as consumer, asyncio.timeout(15):
        while len(seen) < 8:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                seen |= {record.value for record in records}
        assert {partition.partition for partition in consumer.assignment()} == {0, 1, 2, 3}
        await consumer.commit()
    assert await committed(broker, INPUT, "g") == 2
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap) as producer:
        await producer.send_and_wait("in", b"new", partition=2)
    async with consuming(broker, "in", **member) as consumer, asyncio.timeout(15):
        record = await consumer.getone()
        assert (record.value, record.partition, record.offset) == (b"new", 2, 2)


async def test_records_keep_key_time_headers_and_codec(broker: EmbeddedBroker) -> None:
    occurred_ms = 1_772_357_400_000
    async with AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap, compression_type="zstd"
    ) as producer:
        await producer.send_and_wait(
            "out",
            b"v",
            key=b"k",
            partition=0,
            timestamp_ms=occurred_ms,
            headers=[("h", b"1")],
        )
    async with consuming(broker) as consumer:
        consumer.assign([OUTPUT])
        record = await asyncio.wait_for(consumer.getone(), 5)
    assert record.timestamp == occurred_ms
    assert (record.key, record.value, record.headers) == (b"k", b"v", (("h", b"1"),))


async def test_a_partition_keeps_its_last_five_megabytes(broker: EmbeddedBroker) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap, max_batch_size=1 << 16, linger_ms=1
    ) as producer:
        sent = [await producer.send("out", bytes(1000), partition=0) for _ in range(8000)]
        await asyncio.gather(*sent)
    async with consuming(broker) as consumer:
        start = (await consumer.beginning_offsets([OUTPUT]))[OUTPUT]
    assert 4 << 20 < (8000 - start) * 1000 < 5 << 20


async def test_a_fetch_that_found_nothing_is_not_woken(broker: EmbeddedBroker) -> None:
    """So whoever reads here asks with a short `fetch_max_wait_ms`."""
    async with (
        consuming(broker) as quick,
        AIOKafkaProducer(bootstrap_servers=broker.bootstrap) as producer,
    ):
        quick.assign([OUTPUT])
        await quick.seek_to_end(OUTPUT)
        await quick.getmany(timeout_ms=50)
        started_s = time.monotonic()
        await producer.send_and_wait("out", b"v", partition=0)
        assert (await asyncio.wait_for(quick.getone(), 5)).value == b"v"
        assert time.monotonic() - started_s < 0.5


def test_librdkafka_clients_read_it_too(broker: EmbeddedBroker) -> None:
    asyncio.run(write(broker, b"a", commit=True))
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": "other",
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe(["out"])
    message = consumer.poll(15)
    consumer.close()
    assert message is not None
    assert message.value() == b"a"


async def test_it_is_gone_at_the_end() -> None:
    with EmbeddedBroker() as broker:
        host, port = broker.bootstrap.split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, int(port))
