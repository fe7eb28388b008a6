"""Reading topics from their start to where they end now."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

_POLL_MS: Final = 500
_RECORDS_MAX: Final = 10_000


async def read_to_end(
    consumer: AIOKafkaConsumer,
    topic: str,
    partitions: int,
    progressed: Callable[[int, int], None] = lambda _done, _all: None,
) -> AsyncIterator[list[Any]]:
    """Every committed record that a topic holds now, in portions of one partition each.

    The end is told by the consumer's position: a topic that transactions write ends with a commit
    marker, which is never delivered.

    Args:
        consumer: started; reads committed; without a subscription.
        topic: what is read.
        partitions: how many it has.
        progressed: told how many offsets have been passed, and how many there are.
    """
    places = [TopicPartition(topic, number) for number in range(partitions)]
    consumer.assign(places)
    starts = await consumer.beginning_offsets(places)
    ends = await consumer.end_offsets(places)
    for place in places:
        consumer.seek(place, starts[place])
    size = sum(ends.values()) - sum(starts.values())
    left = [place for place in places if starts[place] < ends[place]]
    while left:
        fetched = await consumer.getmany(*left, timeout_ms=_POLL_MS, max_records=_RECORDS_MAX)
        for place, records in fetched.items():
            # What was written since is another reading's.
            within = [record for record in records if record.offset < ends[place]]
            if within:
                yield within
        reached = {place: await consumer.position(place) for place in places}
        left = [place for place in left if reached[place] < ends[place]]
        done = sum(min(reached[place], ends[place]) - starts[place] for place in places)
        progressed(done, size)
