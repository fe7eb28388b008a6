"""Records arrive: all of them, in order, where the Java client would have put them."""

import asyncio

import pytest

from streams import kafka
from streams.placement import partition_of
from streams.publisher import Publisher, Record
from streams.reading import read_to_end
from streams.settings import Settings
from tests.servers.kafka import create_topics_async

pytestmark = pytest.mark.kafka


@pytest.fixture
def settings(kafka):
    return Settings(kafka_bootstrap=kafka.bootstrap)


async def read(settings, topic, partitions):
    found = []
    async for records in read_to_end(settings, topic, partitions):
        found += records
    return found


async def test_records_arrive_in_their_partitions_and_order(kafka, settings, unique):
    topic = unique("published")
    await create_topics_async(kafka.bootstrap, {topic: 3})
    sent = [Record(topic, b"%d" % (n % 17), b"%d" % n + b"x" * 300) for n in range(5_000)]
    await publish(settings, {topic: 3}, sent)
    found = await read(settings, topic, 3)
    assert len(found) == 5_000
    for key in {record.key for record in sent}:
        arrived = [record for record in found if record.key == key]
        assert [record.value for record in arrived] == [r.value for r in sent if r.key == key]
        assert {record.partition for record in arrived} == {partition_of(key, 3)}


async def test_records_without_a_key_are_spread(kafka, settings, unique):
    topic = unique("keyless")
    await create_topics_async(kafka.bootstrap, {topic: 3})
    await publish(settings, {topic: 3}, [Record(topic, None, b"x")] * 30)
    partitions = [record.partition for record in await read(settings, topic, 3)]
    assert [partitions.count(number) for number in range(3)] == [10, 10, 10]


async def test_a_record_larger_than_a_batch_arrives(kafka, settings, unique):
    topic = unique("large")
    await create_topics_async(kafka.bootstrap, {topic: 1})
    values = [b"a", b"b" * 900_000, b"c"]
    await publish(settings, {topic: 1}, [Record(topic, b"k", value) for value in values])
    assert [record.value for record in await read(settings, topic, 1)] == values


async def test_reading_ends_behind_commit_markers_and_leaves_aborted_records_out(
    kafka, settings, unique
):
    topic = unique("transactions")
    await create_topics_async(kafka.bootstrap, {topic: 1})
    async with producing(settings, transactional_id=unique("id")) as producer:
        async with producer.transaction():
            await producer.send(topic, b"kept", partition=0)
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"aborted", partition=0)
        await producer.abort_transaction()
    passed = []
    found = []
    async for records in read_to_end(
        settings, topic, 1, lambda done, size: passed.append((done, size))
    ):
        found += [record.value for record in records]
    assert found == [b"kept"]
    assert passed[-1] == (4, 4), "two records and two markers"


producing = kafka.producer


async def publish(settings, partitions, records):
    async with producing(settings, max_batch_size=16_384) as producer:
        publisher = Publisher(producer, partitions)
        await publisher.publish(records)
        await publisher.flush()


async def test_reading_waits_for_a_transaction_that_is_being_completed(kafka, settings, unique):
    topic = unique("completed")
    await create_topics_async(kafka.bootstrap, {topic: 1})
    async with producing(settings, transactional_id=unique("id")) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"late", partition=0)
        reading = asyncio.create_task(read(settings, topic, 1))
        await asyncio.sleep(1.5)
        assert not reading.done()
        await producer.commit_transaction()
        assert [record.value for record in await reading] == [b"late"]
