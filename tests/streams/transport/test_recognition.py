"""A cancellation that a client has swallowed is heeded before any log is moved."""

import asyncio
from typing import Any

import pytest

from streams.transport.received import Seen
from streams.transport.recognition import recognise
from tests.streams.transport.fakes import IN, Broker


@pytest.mark.parametrize("swallows", ["ends", "fetch"])
async def test_a_cancellation_that_was_swallowed_is_heeded(swallows: str) -> None:
    broker = Broker()
    broker.publish(IN, 5)
    asked = getattr(broker, swallows)
    within = asyncio.Event()

    async def swallow(*args: Any, **kwargs: Any) -> Any:
        within.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return await asked(*args, **kwargs)

    setattr(broker, swallows, swallow)
    task = asyncio.create_task(recognise(broker, {IN: Seen(4, 4)}))
    await within.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert broker.reached(IN) == {"ends": -1, "fetch": 5}[swallows]
