"""A member's heartbeat that is stopped does stop.

aiokafka cancels it once and awaits it, before it joins its group anew. Until Python 3.12
`asyncio.wait_for`, by which it waits for each answer, swallows a cancellation that comes when the
answer has just come: the heartbeat would go on, and all of the group wait for this member until
the rebalance times out. And one that has not begun to run would cancel who awaits it. Importing
this module mends both, in all of the process.
"""

import asyncio
from typing import Any, Final

from aiokafka.consumer.group_coordinator import GroupCoordinator

_AGAIN_S: Final = 0.1


async def _stop(self: Any) -> None:
    beating = self._heartbeat_task
    if beating is not None and not beating.done():
        while not beating.done():
            beating.cancel()
            await asyncio.wait({beating}, timeout=_AGAIN_S)
        if not beating.cancelled():
            beating.result()
    self._heartbeat_task = None


GroupCoordinator._stop_heartbeat_task = _stop  # noqa: SLF001
