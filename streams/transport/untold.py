"""Applied offsets that the group has not been told of.

Who keeps its offsets in the changelog needs the group's for nothing but to be watched from
outside: `kafka-consumer-groups` and its like. To tell the group costs two round trips to the
broker, so it is told by one transaction a second, not by each.
"""

from collections.abc import Collection, Mapping

from aiokafka.structs import TopicPartition

TELL_S = 1.0


class Untold:
    """The offsets of one lane, and when to tell them."""

    def __init__(self, unwatched: Collection[str]) -> None:
        """Nothing is known yet.

        Args:
            unwatched: topics whose offsets go along with others, and are never told by themselves.
        """
        self._unwatched = unwatched
        self._offsets: dict[TopicPartition, int] = {}
        self._told_s = float("-inf")

    def begin(
        self, applied: Mapping[TopicPartition, int], told: Mapping[TopicPartition, int]
    ) -> None:
        """A lane begins: what the changelog had applied, and what the group knew."""
        self._offsets = {tp: at for tp, at in applied.items() if at != told[tp]}
        self._told_s = float("-inf")

    def passed(self, offsets: Mapping[TopicPartition, int]) -> None:
        """These were applied, and not told."""
        self._offsets.update(offsets)

    def with_these(self, offsets: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """What a transaction tells that applies these."""
        return {**self._offsets, **offsets}

    def told(self, now_s: float) -> None:
        """All of them were told."""
        self._offsets.clear()
        self._told_s = now_s

    def is_time(self, now_s: float) -> bool:
        """Whether the next transaction is to tell."""
        return now_s - self._told_s >= TELL_S

    @property
    def watched(self) -> bool:
        """Whether anything is untold that somebody may be looking for."""
        return any(tp.topic not in self._unwatched for tp in self._offsets)
