"""How much all lanes of a worker have in work together.

A batch in work takes many times the memory of its records, and one core works on one at a time:
more than one large one helps nobody. So lanes take turns by events. Small batches, of which many
fit, pass side by side as they come. Records take memory, too, as soon as they are records: while
much is in work already, a lane leaves them to the client, which holds them as they came.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from streams.transport.pace import Pace


class Turns:
    """Bounds the events that are in work; a batch larger than the bound comes alone.

    Args:
        pace: how many they may be now.

    Attributes:
        pace: the same; learns of each batch that is done.
    """

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self._events = 0
        self._held = 0  # in work, or waiting for its turn
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._entrance = asyncio.Lock()

    async def room(self) -> None:
        """Wait until it is worth while to have more events at hand, in the order of coming.

        That is as long as no more than half of the bound is in work or waits for its turn. Who
        then takes a turn without waiting in between has it before the next one looks.
        """
        async with self._entrance:
            while self._held > self.pace.events // 2:
                await self._change()

    @asynccontextmanager
    async def take(self, events: int) -> AsyncIterator[None]:
        """Wait until so many events may be in work beside the others, and hold their place."""
        self._held += events
        try:
            while self._events and self._events + events > self.pace.events:
                await self._change()
            self._events += events
            try:
                yield
                self.pace.worked(events)
            finally:
                self._events -= events
        finally:
            self._held -= events
            # All look again, in the order in which they came: who does not fit lets others pass.
            waiting, self._waiting = self._waiting, deque()
            for waiter in waiting:
                if not waiter.done():
                    waiter.set_result(None)

    async def _change(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        await waiter
