"""Stopping a consumer whose fetch waits to try again: aiokafka lets the cancellation out."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError

from streams.embedded.broker import EmbeddedBroker
from streams.transport.stopping import stop

WITHIN_S = 20.0


@pytest.fixture
async def waiting(caplog: pytest.LogCaptureFixture) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer whose broker is gone, and whose fetch waits to try again."""
    with EmbeddedBroker() as broker:
        broker.create(["in"])
        consumer = AIOKafkaConsumer(
            bootstrap_servers=broker.bootstrap, retry_backoff_ms=3_600_000, fetch_max_wait_ms=20
        )
        await consumer.start()
        consumer.assign([TopicPartition("in", 0)])
        await consumer.getmany(timeout_ms=100)
    async with asyncio.timeout(WITHIN_S):
        while "Failed fetch messages" not in caplog.text:
            await asyncio.sleep(0.01)
    yield consumer
    await consumer._client.close()


async def test_aiokafka_lets_its_cancellation_out(waiting: AIOKafkaConsumer) -> None:
    with pytest.raises(asyncio.CancelledError):
        await waiting.stop()


async def test_whoever_stops_it_is_not_cancelled(waiting: AIOKafkaConsumer) -> None:
    await stop(waiting)
    with pytest.raises(KafkaConnectionError):
        await waiting._client.bootstrap()
    assert not waiting._client._conns


async def test_whoever_is_cancelled_is(waiting: AIOKafkaConsumer) -> None:
    hanging = asyncio.Event()

    async def hangs() -> None:
        await hanging.wait()

    waiting.stop = hangs  # type: ignore[method-assign]
    stopping = asyncio.create_task(stop(waiting))
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
