"""A producer that Kafka keeps waiting leaves nothing behind when it is given up."""

import asyncio
import uuid
from collections.abc import Iterator

import pytest
from aiokafka.structs import TopicPartition

from sinks.record import Output, Record
from streams.transport import transaction
from streams.transport.transaction import Transactions
from tests.servers.kafka import Kafka, create_topics_async


@pytest.fixture
def kafka() -> Iterator[Kafka]:
    with Kafka() as running:
        yield running


@pytest.mark.kafka
async def test_no_task_and_no_connection_outlives_it(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "CLOSE_S_MAX", 0.2)
    topic = f"closing-{uuid.uuid4().hex[:8]}"
    await create_topics_async(kafka.bootstrap, {topic: 1})
    before = asyncio.all_tasks()
    transactions = Transactions("closing-0", "closing", {"bootstrap_servers": kafka.bootstrap})
    await transactions.open()
    kafka.pause()
    try:
        record = Record(b"k", b"v", [], None)
        committing = asyncio.create_task(
            transactions.commit([Output(topic, 0, [record])], {TopicPartition(topic, 0): 1})
        )
        await asyncio.sleep(0.2)
        committing.cancel()
        await asyncio.wait({committing})
        connections = list(transactions._producer.client._conns.values())
        assert connections
        await transactions.close()
    finally:
        kafka.resume()
    await asyncio.sleep(0.1)
    assert asyncio.all_tasks() - before == set()
    assert not any(connection.connected() for connection in connections)


@pytest.mark.kafka
async def test_what_nobody_waits_for_any_more_is_no_error(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is stopped while Kafka stands still ended with such tracebacks in its log."""
    monkeypatch.setattr(transaction, "CLOSE_S_MAX", 0.2)
    topic = f"closing-{uuid.uuid4().hex[:8]}"
    await create_topics_async(kafka.bootstrap, {topic: 2})
    outputs = [Output(topic, number, [Record(b"k", b"v", [], None)]) for number in range(2)]
    transactions = Transactions("closing-1", "closing", {"bootstrap_servers": kafka.bootstrap})
    await transactions.open()
    await transactions.commit(outputs, {TopicPartition(topic, 0): 1})
    kafka.pause()
    try:
        committing = asyncio.create_task(
            transactions.commit(outputs, {TopicPartition(topic, 0): 2})
        )
        await asyncio.sleep(0.3)
        committing.cancel()
        await asyncio.wait({committing})
        unsent = [
            batch
            for batches in transactions._producer._message_accumulator._batches.values()
            for batch in batches
        ]
        await transactions.close()
    finally:
        kafka.resume()
    assert len(unsent) == 2
    for batch in unsent:
        for waiter in (batch.future, batch._drain_waiter):
            assert not waiter._log_traceback, "asyncio complains where nobody asks what went wrong"
