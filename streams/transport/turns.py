"""How much all lanes of a worker have in work together.

A batch in work takes many times the memory of its records, and one core works on one at a time:
more than one large one helps nobody. So lanes take turns by events. Small batches, of which many
fit, pass side by side as they come.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Bounds the events that are in work; a batch larger than the bound comes alone."""

    def __init__(self, events_max: int) -> None:
        self._events_max = events_max
        self._events = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def take(self, events: int) -> AsyncIterator[None]:
        """Wait until so many events may be in work beside the others, and hold their place."""
        while self._events and self._events + events > self._events_max:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter
        self._events += events
        try:
            yield
        finally:
            self._events -= events
            # All look again, in the order in which they came: who does not fit lets others pass.
            waiting, self._waiting = self._waiting, deque()
            for waiter in waiting:
                if not waiter.done():
                    waiter.set_result(None)
