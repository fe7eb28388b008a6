"""A heartbeat that is stopped does stop, whatever it is waiting for."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

from aiokafka.consumer.group_coordinator import GroupCoordinator

from streams.transport import consumer  # noqa: F401  which replaces a part of aiokafka's


def new_coordinator() -> Any:
    """A member's, that is about to send its first heartbeat."""
    coordinator: Any = object.__new__(GroupCoordinator)
    coordinator.member_id = "m"
    coordinator._heartbeat_interval_ms = coordinator._retry_backoff_ms = 10
    coordinator._session_timeout_ms = 12_000
    coordinator._max_poll_interval = 10**9
    coordinator._subscription = SimpleNamespace(fetcher_idle_time=0.0)
    coordinator._heartbeat_task = None

    async def known() -> None:
        pass

    coordinator.ensure_coordinator_known = known
    return coordinator


async def test_also_where_its_answer_comes_at_that_moment() -> None:
    """Until Python 3.12 `asyncio.wait_for`, by which aiokafka waits, swallows a cancellation then.

    All of the group would wait for this member until the rebalance times out, after a minute.
    """
    coordinator, answer = new_coordinator(), asyncio.get_running_loop().create_future()
    asked = asyncio.Event()

    async def heartbeat() -> bool:
        if asked.is_set():
            await asyncio.sleep(3600)
        asked.set()
        return bool(await asyncio.wait_for(answer, 60))

    coordinator._do_heartbeat = heartbeat
    coordinator._start_heartbeat_task()
    await asked.wait()
    begun_s = time.monotonic()
    answer.set_result(True)
    async with asyncio.timeout(5):
        await coordinator._stop_heartbeat_task()
    assert time.monotonic() - begun_s < 2
    assert coordinator._heartbeat_task is None


async def test_also_where_it_has_not_begun() -> None:
    """It would be cancelled at once, and who waits for its end with it."""
    coordinator = new_coordinator()
    coordinator._start_heartbeat_task()
    await coordinator._stop_heartbeat_task()
    assert coordinator._heartbeat_task is None
