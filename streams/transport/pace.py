"""How many events a batch may have, so that the event loop is never held for long.

While a batch is worked on, nothing else of the worker goes on, its heartbeats neither. A machine
that is busy, or a container with a small share of a core, takes many times as long for it: a batch
of fixed size would outlast the session there, be fenced, begin again, and never end. So a worker
begins with small batches, and gives the next ones as many events as fit into a fixed time.
"""

import asyncio
from typing import Final

FIRST: Final = 5_000
"""Events of the first batches, when nothing is known of the machine yet."""

LEAST: Final = 100
"""Smaller batches hold the loop no shorter: what they cost is not their events."""

HELD_S_MAX: Final = 2.0
"""How long the loop may be held: a sixth of the session, and a full batch of a core of its own."""

LOOK_S: Final = 0.05
_GROWTH_MAX, _FALL_MAX = 2.0, 8.0


class Pace:
    """Bounds the events of a batch by how long the last ones held the event loop.

    Args:
        events_max: most events of a batch, on whatever machine.

    Attributes:
        events_max: the same.
        events: most events of the next batch.
    """

    def __init__(self, events_max: int) -> None:
        self.events_max = events_max
        self.events = min(events_max, FIRST)
        self._held_s = 0.0

    async def watch(self) -> None:
        """Notice for how long the loop is held, until cancelled."""
        now_s = asyncio.get_running_loop().time
        while True:
            before_s = now_s()
            await asyncio.sleep(LOOK_S)
            self.held(now_s() - before_s - LOOK_S)

    def held(self, seconds: float) -> None:
        """The loop was held for so long."""
        self._held_s = max(self._held_s, seconds)

    def worked(self, events: int) -> None:
        """A batch is done: the longest hold meanwhile tells how large the next may be.

        A batch of less than half of what it might have had says nothing of larger ones, and leaves
        the hold to the one that it may have been done beside.
        """
        held_s = self._held_s
        if held_s > HELD_S_MAX:
            self._held_s = 0.0
            self.events = max(
                min(LEAST, self.events_max),
                int(self.events * max(HELD_S_MAX / held_s, 1 / _FALL_MAX)),
            )
        elif 2 * events >= self.events:
            self._held_s = 0.0
            fits = HELD_S_MAX / max(held_s, HELD_S_MAX / _GROWTH_MAX)
            self.events = min(self.events_max, int(self.events * fits))
