"""Reading topics from their start to where they end now."""

import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Final

from aiokafka.structs import TopicPartition

from streams import kafka
from streams.settings import Settings

_POLL_MS: Final = 500
_RECORDS_MAX: Final = 10_000
_PATIENCE_SECONDS: Final = 10.0
"""A transaction that ends within this time is read, too; one that hangs is not waited for."""


async def read_to_end(
    settings: Settings,
    topic: str,
    partitions: int | Iterable[int],
    progressed: Callable[[int, int], None] = lambda _done, _all: None,
) -> AsyncIterator[list[Any]]:
    """Every committed record that a topic holds now, in portions of one partition each.

    The end is told by the consumer's position: a topic that transactions write ends with a commit
    marker, which is never delivered. It is the end of everything written, open transactions
    included: where one was committed a moment ago, the broker may still be writing its markers,
    and what ended before them would not hold it.

    Args:
        settings: where Kafka is.
        topic: what is read.
        partitions: how many it has, or the numbers of those that are read.
        progressed: told how many offsets have been passed, and how many there are.

    Raises:
        KafkaAway: Kafka cannot be reached.
    """
    numbers = range(partitions) if isinstance(partitions, int) else partitions
    places = [TopicPartition(topic, number) for number in numbers]
    async with kafka.consumer(settings, isolation_level="read_uncommitted") as consumer:
        starts = await consumer.beginning_offsets(places)
        ends = await consumer.end_offsets(places)
    size = sum(ends.values()) - sum(starts.values())
    async with kafka.consumer(settings) as consumer:
        consumer.assign(places)
        for place in places:
            consumer.seek(place, starts[place])
        left = [place for place in places if starts[place] < ends[place]]
        done, moved_s = 0, time.monotonic()
        while left:
            fetched = await consumer.getmany(*left, timeout_ms=_POLL_MS, max_records=_RECORDS_MAX)
            for place, records in fetched.items():
                # What was written since is another reading's.
                within = [record for record in records if record.offset < ends[place]]
                if within:
                    yield within
            reached = {place: await consumer.position(place) for place in places}
            passed = sum(min(reached[place], ends[place]) - starts[place] for place in places)
            if passed > done:
                done, moved_s = passed, time.monotonic()
                progressed(done, size)
            left = [place for place in left if reached[place] < ends[place]]
            if time.monotonic() - moved_s > _PATIENCE_SECONDS:
                committed = await consumer.end_offsets(left)
                left = [place for place in left if reached[place] < committed[place]]
                moved_s = time.monotonic()
