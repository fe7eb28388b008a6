"""Reading one partition of a changelog from its start to its end."""

from collections.abc import Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

FETCH_BYTES_MAX = 8 << 20
RECORDS_MAX = 20_000
POLL_MS = 500


class DamagedChangelog(Exception):
    """A value of the table that cannot be decoded.

    Attributes:
        topic: the changelog.
        partition: its number.
        key: whose newest value it is.
    """

    def __init__(self, topic: str, partition: int, key: bytes) -> None:
        super().__init__(f"{topic}-{partition} holds a value that is no state")
        self.topic, self.partition, self.key = topic, partition, key


async def read_changelog(
    connection: Mapping[str, Any],
    topic: str,
    partition: int,
    apply: Callable[[list[Any], int], None],
) -> int:
    """Apply every committed record, oldest first, each time with the offsets left.

    The end is found by position, as a changelog ends with a commit marker that is never
    delivered. The caller has fenced the last owner, so the end stands still.

    Returns:
        The offset of the last record applied; -1 when there is none.
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
        return last
    finally:
        await consumer.stop()
