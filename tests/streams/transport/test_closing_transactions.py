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
