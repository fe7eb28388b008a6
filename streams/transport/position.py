"""Where a lane stands in its inputs: what it has applied, and what may come next."""

from collections.abc import Mapping

from aiokafka.structs import TopicPartition

from streams.transport.alignment import Alignment, Records
from streams.transport.received import Seen
from streams.transport.recognition import SEE, AnotherLogError, recognise
from streams.transport.roles import Feed, LaneSettings


class OffsetGapError(Exception):
    """The input has lost records that were never processed."""


class Position:
    """One partition number of all inputs.

    Args:
        number: of the partition.
        settings: of the lane.
        feed: of the lane.

    Attributes:
        inputs: the number of each input topic.
        applied: by input, the next offset to apply.
        newest: by input, the last record applied, where it is known.
    """

    def __init__(self, number: int, settings: LaneSettings, feed: Feed) -> None:
        self.inputs = [TopicPartition(topic, number) for topic in settings.inputs]
        self.applied: dict[TopicPartition, int] = {}
        self.newest: dict[TopicPartition, Seen] = {}
        self._alignment = Alignment([tp for tp in self.inputs if tp.topic in settings.aligned])
        self._ends: dict[TopicPartition, int] = {}
        self._reached: dict[TopicPartition, int] = {}
        self._stalls = 0  # before which the logs were looked at
        self._settings, self._feed = settings, feed

    async def rewind(self) -> None:
        """Go on from what was really applied.

        Whatever aiokafka fetched while nobody asked, or handed to a call that was cancelled, is
        fetched again.

        Raises:
            AnotherLogError: an input is not the log that was applied.
        """
        expiring = self._settings.expiring
        self._stalls = self._feed.stalls
        await recognise(
            self._feed, {tp: seen for tp, seen in self.newest.items() if tp.topic not in expiring}
        )
        self._feed.rewind(self.applied)
        self._alignment.clear()
        self._reached = {}
        self._ends = await self._feed.ends(self.inputs)

    def wanted(self) -> list[TopicPartition]:
        """What is to be fetched next: all inputs of which nothing is held back."""
        return [tp for tp in self.inputs if self._alignment.holds(tp) is None]

    def is_doubtful(self) -> bool:
        """Whether the worker has stalled since the logs were looked at: see `Feed.stalls`."""
        return self._feed.stalls != self._stalls

    async def take(self, fetched: Records, now_s: float) -> Records:
        """What may be applied now, of what has come and what was held back.

        Args:
            fetched: new records.
            now_s: of a monotonic clock.

        Raises:
            OffsetGapError: something was lost in between.
            AnotherLogError: something would be applied twice.
        """
        # Before anything is awaited: aiokafka moves on by itself where a log begins further on.
        self._reached = {tp: self._feed.reached(tp) for tp in self.inputs}
        records = self._alignment.take(fetched, self._has_more, now_s, self._settings.latest_ms())
        for tp, chunk in records.items():
            await self._check(tp, chunk[0].offset)
        return records

    async def pass_over(self, taken: Records) -> dict[TopicPartition, int]:
        """Go on behind what is never delivered, as transaction markers.

        Once they are deleted, nobody can tell them from records that were.

        Args:
            taken: what is to be applied.

        Returns:
            By input that has moved so, the next offset to apply.

        Raises:
            OffsetGapError: it was no marker.
        """
        moved = {}
        for tp, reached in self._reached.items():
            held = self._alignment.holds(tp) is not None
            unmoved = tp in taken or held or reached <= self.applied[tp]
            if not unmoved and tp.topic not in self._settings.expiring:
                await self._check(tp, reached)
                self.applied[tp] = moved[tp] = reached
        return moved

    async def _check(self, tp: TopicPartition, first: int) -> None:
        """Whether an offset follows what was applied, with nothing lost between.

        A log has gaps of its own (transaction markers, aborted records), so a gap is a loss
        only where the log no longer reaches back to what is next. Of ticks even that is none.
        """
        following = self.applied[tp]
        if first < following:
            raise AnotherLogError(
                f"{tp.topic}-{tp.partition} gave offset {first} after {following - 1}, and a "
                f"record would be applied twice: was the topic made anew? {SEE}"
            )
        lost = first > following and tp.topic not in self._settings.expiring
        if lost and await self._feed.earliest(tp) > following:
            raise OffsetGapError(
                f"{tp.topic}-{tp.partition} no longer has offset {following}, which was "
                f"never processed; it begins after that. Retention is too short, or the topic "
                f"was made anew: {SEE}"
            )

    def has_applied(self, ends: Mapping[str, int]) -> bool:
        """Whether everything before these end offsets, by topic, has been applied.

        By position: the log may end with transaction markers, which are never delivered.
        """
        return all(self.passed(tp) >= ends[tp.topic] for tp in self.inputs if tp.topic in ends)

    def passed(self, tp: TopicPartition) -> int:
        """The next offset to apply, markers of transactions passed over."""
        held = self._alignment.holds(tp)
        return max(self._reached.get(tp, -1), self.applied[tp]) if held is None else held

    def oldest_ms(self, tp: TopicPartition) -> int | None:
        """Kafka timestamp of the first record that is held back; None where none is."""
        return self._alignment.oldest_ms(tp)

    def _has_more(self, tp: TopicPartition) -> bool:
        return self._feed.reached(tp) < max(self._ends[tp], self._feed.end(tp))
