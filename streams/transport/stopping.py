"""Stopping a consumer of aiokafka's.

It cancels its fetches and awaits them. One that is waiting to try again, because Kafka is away,
lets that cancellation out: whoever stopped the consumer would seem to be cancelled, and what was
to be said or done next would not be.
"""

import asyncio

from aiokafka import AIOKafkaConsumer


async def stop(consumer: AIOKafkaConsumer) -> None:
    """Stop it; cancelled only if the caller is."""
    stopping = asyncio.ensure_future(consumer.stop())
    try:
        await asyncio.wait({stopping})
    finally:
        stopping.cancel()
    if stopping.cancelled():
        await consumer._client.close()  # noqa: SLF001  it did not come to that
    else:
        stopping.result()
