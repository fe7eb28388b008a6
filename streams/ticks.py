"""Ticks: time as a message, and when a partition may believe it.

A tick says what time it was, and where the inputs of its partition ended then. A partition
believes it once it has applied all of that, and not before: with lag, silence proves nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

PENDING_MAX = 256
"""Ticks that wait for a backlog to be applied. When there are more, every other one is dropped:
time then advances in larger steps, and no less far."""


class Tick(msgspec.Struct, frozen=True):
    """The value of a record of `clv.clock`.

    Attributes:
        at_ms: time at its making, epoch milliseconds.
        ends: by input topic, the offset at which the partition ended then.
    """

    at_ms: int
    ends: dict[str, int]


encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Tick).decode


class PendingTicks:
    """The ticks of one partition that are not believed yet, oldest first."""

    def __init__(self) -> None:
        self._ticks: list[Tick] = []

    def add(self, records: list[Any]) -> None:
        """Take ticks as they come from `clv.clock`."""
        self._ticks.extend(_decode(record.value) for record in records)
        while len(self._ticks) > PENDING_MAX:
            # The last one stays: it is the newest time.
            self._ticks = self._ticks[-1::-2][::-1]

    def believe(self, has_applied: Callable[[Mapping[str, int]], bool]) -> int | None:
        """The newest time that may be believed now, in epoch ms; None where none may."""
        at_ms = None
        while self._ticks and has_applied(self._ticks[0].ends):
            at_ms = self._ticks.pop(0).at_ms
        return at_ms
