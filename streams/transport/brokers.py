"""A cluster that tells of no brokers.

A broker that has just started, or was away for longer than its session, answers so for a moment.
aiokafka takes the answer, seeks a coordinator among no brokers, and fails an assertion of its own:
this turns it into an error that passes.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError

ASK_S: Final = 0.2


@asynccontextmanager
async def among_brokers(client: AIOKafkaClient) -> AsyncIterator[None]:
    """Around what seeks a coordinator.

    Raises:
        KafkaConnectionError: there were no brokers to ask.
    """
    try:
        yield
    except AssertionError as error:
        if client.cluster.brokers():
            raise
        raise KafkaConnectionError("the cluster tells of no brokers yet") from error


async def until_brokers(client: AIOKafkaClient) -> None:
    """Wait for the first broker; aiokafka forgets none it has once known."""
    while not client.cluster.brokers():
        await asyncio.sleep(ASK_S)
        await client.force_metadata_update()
