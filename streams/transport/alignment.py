"""Lets the topics of a lane advance together through a backlog, by Kafka timestamp.

Without it, the topic with fewer records would be read to its end first, and its events would move
the partition's time to now while the other topic's are still to come: every customer would look
silent. So, while a topic has more to come, records of others that are newer than its newest
fetched one are held back. Where nothing lags, nothing is held. A record stamped with a time to come
says nothing of the time: all that follow it in its log would wait for the other's end.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate
from typing import Any, Final

from aiokafka.structs import TopicPartition

PATIENCE_S: Final = 2.0
"""How long records wait for a topic that has more to come, but does not deliver it."""

Records = dict[TopicPartition, list[Any]]


def clock(records: Iterable[Any], latest_ms: float) -> list[int]:
    """At each record of a log, the time that the log has come to, epoch ms: it never goes back.

    Args:
        records: in the order of the log.
        latest_ms: epoch ms beyond which a record's stamp says nothing.
    """
    stamps = [record.timestamp for record in records]
    if max(stamps, default=0) > latest_ms:
        stamps = [ms if ms <= latest_ms else 0 for ms in stamps]
    return list(accumulate(stamps, max))


class Alignment:
    """What was fetched and is not yet handed on; at most one fetch a topic.

    Args:
        aligned: the partitions that advance together; others pass as they come.
    """

    def __init__(self, aligned: list[TopicPartition]) -> None:
        self._aligned = aligned
        self._held: Records = {}
        self._waits_since_s: float | None = None

    def clear(self) -> None:
        """Forget what is held: it will be fetched again."""
        self._held = {}
        self._waits_since_s = None

    def holds(self, tp: TopicPartition) -> int | None:
        """The first offset that is held of a partition; None where none is."""
        held = self._held.get(tp)
        return held[0].offset if held else None

    def oldest_ms(self, tp: TopicPartition) -> int | None:
        """Kafka timestamp of the first record that is held of a partition; None where none is."""
        held = self._held.get(tp)
        return held[0].timestamp if held else None

    def take(
        self,
        fetched: Mapping[TopicPartition, list[Any]],
        has_more: Callable[[TopicPartition], bool],
        now_s: float,
        latest_ms: float = math.inf,
    ) -> Records:
        """What may be handed on now, of what is held and what has come.

        Args:
            fetched: new records; none of a partition of which some are held.
            has_more: whether records of a partition are still to be fetched.
            now_s: of a monotonic clock.
            latest_ms: epoch ms beyond which a record's stamp says nothing.
        """
        pool = {**self._held, **{tp: records for tp, records in fetched.items() if records}}
        if not pool:
            return {}
        behind = [tp for tp in self._aligned if has_more(tp)]
        if not behind:
            self.clear()
            return pool
        clocks = {tp: clock(pool[tp], latest_ms) for tp in self._aligned if tp in pool}
        # Time up to which every topic is known.
        frontier_ms = min(clocks[tp][-1] if tp in clocks else -math.inf for tp in behind)
        taken, self._held = {}, {}
        for tp, records in pool.items():
            passed = len(records)
            if tp in clocks:
                # Each topic keeps its own order, also where its timestamps do not.
                passed = bisect_right(clocks[tp], frontier_ms)
            if passed:
                taken[tp] = records[:passed]
            if passed < len(records):
                self._held[tp] = records[passed:]
        if any(tp in self._aligned for tp in taken):  # others come all the time
            self._waits_since_s = None
        elif self._waits_since_s is None:
            self._waits_since_s = now_s
        elif now_s - self._waits_since_s > PATIENCE_S:
            self.clear()
            return pool
        return taken
