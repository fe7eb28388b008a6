"""Ticks: time as a message, and when a partition may believe it.

A tick says what time it was, and where the inputs of its partition ended then. A partition
believes it once it has applied all of that, and not before: with lag, silence proves nothing.
What is no tick, or one that no worker's clock can have made, is passed over: it holds no fact that
could be lost, and the next tick knows more.
"""

import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import msgspec

from models.times import MS_PER_S
from streams.logs import place

PENDING_MAX = 256
"""Ticks that wait for a backlog to be applied. When there are more, every other one is dropped:
time then advances in larger steps, and no less far."""

AHEAD_MS_MAX: Final = 86_400_000
"""How far a tick may be ahead of its own record's Kafka timestamp, where ticks tell the time of
day. Clocks that jump jump by hours (DECISIONS.md, 18); what is further ahead would make everyone
look silent, for good, as time never goes back. For the same reason no record of an input may be
stamped so far ahead of the worker's clock."""

log = logging.getLogger(__name__)

Refused = Literal["undecodable", "ahead"]


def latest_ms(*, wall_clock: bool) -> float:
    """Epoch ms beyond which a record's stamp is wrong; inf where time is wherever events are."""
    return time.time() * MS_PER_S + AHEAD_MS_MAX if wall_clock else math.inf


class Tick(msgspec.Struct, frozen=True):
    """The value of a record of `clv.clock`.

    Attributes:
        at_ms: time at its making, epoch milliseconds.
        ends: by input topic, the offset at which the partition ended then.
        params: version of the newest parameters that its maker knew; empty for none.
        params_at_ms: when they were published, epoch milliseconds; see `models.releases`.
    """

    at_ms: int
    ends: dict[str, int]
    params: str = ""
    params_at_ms: int = 0


encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Tick).decode


def _knows_more(earlier: Tick, later: Tick) -> bool:
    return any(end > later.ends.get(topic, end) for topic, end in earlier.ends.items())


class PendingTicks:
    """The ticks of one partition that are not believed yet, oldest first.

    Args:
        refused: told, for each batch with any, why and how many of its records were passed over.
        wall_clock: ticks tell the time of day; else they follow the events, wherever these are.
    """

    def __init__(self, refused: Callable[[Refused, int], None], *, wall_clock: bool = True) -> None:
        self._refused, self._wall_clock = refused, wall_clock
        self._ticks: list[Tick] = []

    def add(self, records: list[Any]) -> None:
        """Take ticks as they come from `clv.clock`, whoever wrote them."""
        passed_over: dict[Refused, list[Any]] = {}
        for record in records:
            tick = self._read(record)
            if isinstance(tick, Tick):
                self._append(tick)
            else:
                passed_over.setdefault(tick, []).append(record)
        for reason, those in passed_over.items():
            self._refused(reason, len(those))
            log.warning(
                "%d records of %s are no ticks (%s), and are passed over",
                len(those),
                those[0].topic,
                reason,
                extra=place(those[0]),
            )

    def _read(self, record: Any) -> Tick | Refused:
        try:
            tick = _decode(record.value or b"")
        except msgspec.DecodeError:
            return "undecodable"
        ahead_ms = tick.at_ms - record.timestamp
        return "ahead" if self._wall_clock and ahead_ms > AHEAD_MS_MAX else tick

    def _append(self, tick: Tick) -> None:
        # A log does not shrink, unless Kafka lost its end or the tick was forged: either way what
        # an earlier one waits for may never come.
        while self._ticks and _knows_more(self._ticks[-1], tick):
            self._ticks.pop()
        self._ticks.append(tick)
        if len(self._ticks) > PENDING_MAX:
            # The last one stays: it is the newest time.
            self._ticks = self._ticks[-1::-2][::-1]

    def believe(self, has_applied: Callable[[Mapping[str, int]], bool]) -> Tick | None:
        """The newest tick that may be believed now; None where none may."""
        tick = None
        while self._ticks and has_applied(self._ticks[0].ends):
            tick = self._ticks.pop(0)
        return tick
