"""How much all lanes of a worker have in work together.

A batch in work takes many times the memory of its records, and one core works on one at a time:
more than one large one helps nobody. So lanes take turns by events. Small batches, of which many
fit, pass side by side as they come. Records take memory, too, as soon as they are records: while
much is in work already, a lane leaves them to the client, which holds them as they came.

What one batch waits for, as for a partition without a leader, must not be waited for by all: a
batch that Kafka does not take steps aside, and costs memory, but nobody's time.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from streams.transport.pace import Pace

ASIDE_S: Final = 2.0
"""How long others wait for a batch that waits for Kafka; most commits take a few hundredths."""


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
        self._aside = 0  # neither any more, and in memory still
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
    async def take(self, events: int) -> AsyncIterator["Place"]:
        """Wait until so many events may be in work beside the others, and hold their place."""
        self._held += events
        try:
            while self._events and self._events + events > self.pace.events:
                await self._change()
        except BaseException:
            self._held -= events
            self._changed()
            raise
        self._events += events
        place = Place(self, events)
        try:
            yield place
            self.pace.worked(events)
        finally:
            place.left = True
            if place.aside:
                self._aside -= events
            else:
                self._leave(events)

    def step_aside(self, events: int) -> bool:
        """Let others pass who wait for so many events in work.

        Returns:
            Whether they do: no more than one bound is in memory so.
        """
        if self._aside and self._aside + events > self.pace.events:
            return False
        self._aside += events
        self._leave(events)
        return True

    def _leave(self, events: int) -> None:
        self._events -= events
        self._held -= events
        self._changed()

    def _changed(self) -> None:
        # All look again, in the order in which they came: who does not fit lets others pass.
        waiting, self._waiting = self._waiting, deque()
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def _change(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        await waiter


class Place:
    """Of one batch in work.

    Attributes:
        aside: whether others pass.
        left: whether the batch is done, or was given up: who was to commit it may not know yet.
    """

    def __init__(self, turns: Turns, events: int) -> None:
        self._turns, self._events = turns, events
        self.aside = self.left = False
        self._timer: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """Around what Kafka is waited for: where that takes long, others pass."""
        self._look_later()
        try:
            yield
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(ASIDE_S, self._look)

    def _look(self) -> None:
        if not self.aside and not self.left:
            self.aside = self._turns.step_aside(self._events)
            if not self.aside:
                self._look_later()
