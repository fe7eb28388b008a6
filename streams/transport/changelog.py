"""Reading one partition of a changelog from its start to its end."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from streams.transport.stopping import stop
from streams.transport.transaction import answering

FETCH_BYTES_MAX = 8 << 20
RECORDS_MAX = 20_000
POLL_MS = 500
SILENCE_S_MAX = 60.0
"""After so long without a record the lane begins afresh, and says so."""


class DamagedChangelog(Exception):
    """A value of the table that cannot be decoded.

    Attributes:
        topic: the changelog.
        partition: its number.
        key: whose newest value it is.
        offset: of that value's record; None until it was looked for.
    """

    def __init__(self, topic: str, partition: int, key: bytes) -> None:
        super().__init__(topic, partition)
        self.topic, self.partition, self.key = topic, partition, key
        self.offset: int | None = None

    def __str__(self) -> str:
        where = "" if self.offset is None else f", offset {self.offset},"
        return f"{self.topic}, partition {self.partition}{where} holds a value that is no state"

    async def locate(self, connection: Mapping[str, Any]) -> None:
        """Read the changelog once more for the offset, which nobody keeps for every value."""

        def look(records: list[Any], _left: int) -> None:
            self.offset = next(
                (r.offset for r in reversed(records) if r.key == self.key), self.offset
            )

        await read_changelog(connection, self.topic, self.partition, look)


class LostChangelog(Exception):
    """The changelog ends before where it was: states are gone that offsets count on."""

    def __init__(self, tp: TopicPartition, end: int, was: int) -> None:
        super().__init__(
            f"{tp.topic}, partition {tp.partition} ends at offset {end}, and had come to {was}: it "
            "was deleted, or Kafka has lost its end"
        )


class Reached(NamedTuple):
    """How far a changelog was read.

    Attributes:
        mark: offset of the last record applied; -1 when there is none.
        end: offset behind everything, the last marker too.
    """

    mark: int
    end: int


async def read_changelog(
    connection: Mapping[str, Any],
    topic: str,
    partition: int,
    apply: Callable[[list[Any], int], None],
) -> Reached:
    """Apply every committed record, oldest first, each time with the offsets left.

    The end is found by position, as a changelog ends with a commit marker that is never
    delivered. The caller has fenced the last owner, so the end stands still.

    Raises:
        KafkaError: it could not be read to its end.
    """
    tp = TopicPartition(topic, partition)
    consumer = AIOKafkaConsumer(
        **connection,
        group_id=None,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=FETCH_BYTES_MAX,
        fetch_max_wait_ms=100,
    )
    try:
        async with answering("go on with a changelog", SILENCE_S_MAX) as limit:
            await consumer.start()
            consumer.assign([tp])
            await consumer.seek_to_beginning(tp)
            end = (await consumer.end_offsets([tp]))[tp]
            last = -1
            while await consumer.position(tp) < end:
                fetched = await consumer.getmany(tp, timeout_ms=POLL_MS, max_records=RECORDS_MAX)
                records = fetched.get(tp)
                if records:
                    apply(records, end - records[-1].offset - 1)
                    last = records[-1].offset
                    limit.reschedule(asyncio.get_running_loop().time() + SILENCE_S_MAX)
        return Reached(last, end)
    finally:
        await stop(consumer)
