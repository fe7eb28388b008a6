"""Whoever hears of a producer's failure hears of it once, and never again when it is collected."""

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka.errors import KafkaError, ProducerFenced
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.structs import TopicPartition

from sinks.record import Output, Record
from streams.transport.transaction import PASSING, Transactions
from tests.servers.kafka import RunningKafka, create_topics_async


@pytest.fixture
async def told() -> list[dict[str, Any]]:
    """What asyncio complains of."""
    complaints: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    return complaints


async def test_a_transaction_that_failed_says_nothing_when_it_is_gone(
    told: list[dict[str, Any]],
) -> None:
    manager = TransactionManager("id", 1_000)
    manager.set_pid_and_epoch(1, 0)
    manager.begin_transaction()
    manager.error_transaction(KafkaError("not allowed"))
    del manager
    gc.collect()
    assert told == []


@pytest.mark.kafka
async def test_a_producer_that_was_fenced_says_nothing_when_it_is_gone(
    kafka: RunningKafka, unique: Callable[[str], str], told: list[dict[str, Any]]
) -> None:
    """As after `clv topics accept` beside a running worker."""
    topics, name = [unique("out"), unique("log")], unique("fenced")
    await create_topics_async(kafka.bootstrap, dict.fromkeys(topics, 1))
    record = Record(b"k", b"v", [], None)
    first, second = (
        Transactions(name, name, {"bootstrap_servers": kafka.bootstrap}) for _ in range(2)
    )
    await first.open()
    await second.open()
    with pytest.raises((*PASSING, ProducerFenced)):
        await first.commit(
            [Output(topic, 0, [record]) for topic in topics], {TopicPartition(topics[0], 0): 1}
        )
    await first.close()
    await second.close()
    del first
    gc.collect()
    await asyncio.sleep(0)
    assert told == []
