"""Whether a log is still the one that was applied.

A topic that was deleted and made anew, or lost its end to an unclean election, goes on from any
offset as if nothing had happened once it is long enough: what stands before that offset would never
be applied. So the record applied last is looked at again, in its place.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from aiokafka.structs import TopicPartition

from streams.transport.received import Seen
from streams.transport.roles import Feed
from streams.transport.transaction import answering

ANSWER_S_MAX = 60.0
"""After so long without an answer the lane begins afresh, and says so."""

SEE: Final = "see 'An input is another log' in grafana/RUNBOOK.md"


class AnotherLogError(Exception):
    """The input is not the log that was applied."""


async def recognise(feed: Feed, newest: Mapping[TopicPartition, Seen]) -> None:
    """See that each record is still in its place, or was deleted when its time had come.

    Args:
        feed: of these logs; afterwards it must be told where to go on.
        newest: by log, the last record applied.

    Raises:
        AnotherLogError: one is not.
        KafkaTimeoutError: it cannot be told now.
    """
    sought = dict(newest)
    if not sought:
        return
    ends = await feed.ends(sought)
    _heed_cancellation()  # to move a log is to move the number's next owner, too
    for tp, end in ends.items():
        if end <= sought[tp].offset:
            raise _another(tp, sought[tp])
    feed.rewind({tp: seen.offset for tp, seen in sought.items()})
    async with answering("give the last record applied", ANSWER_S_MAX):
        while sought:
            found = await feed.fetch(list(sought), len(sought), patiently=True)
            for tp, seen in list(sought.items()):
                if _is_told(feed, tp, seen, found.get(tp)):
                    del sought[tp]
            _heed_cancellation()


def _heed_cancellation() -> None:
    """A client may have swallowed it: until Python 3.12 `asyncio.wait_for` does, now and then."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _is_told(feed: Feed, tp: TopicPartition, seen: Seen, found: list[Any] | None) -> bool:
    if not found:  # it may never come: where a log begins behind it, aiokafka goes on there
        return feed.reached(tp) > seen.offset
    first = found[0]
    if first.offset <= seen.offset and (first.offset, first.timestamp) != seen:
        raise _another(tp, seen)
    return True


def _another(tp: TopicPartition, seen: Seen) -> AnotherLogError:
    return AnotherLogError(
        f"{tp.topic}-{tp.partition} no longer holds at offset {seen.offset} the record that was "
        "processed there: the topic was made anew, or Kafka has lost its end. What is new in it "
        f"cannot be told from what was processed: {SEE}"
    )
