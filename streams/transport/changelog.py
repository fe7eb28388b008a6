"""Reading one partition of a changelog from its start to its end."""

from collections.abc import Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

FETCH_BYTES_MAX = 8 << 20
RECORDS_MAX = 20_000
POLL_MS = 500


class ChangelogError(Exception):
    """A changelog that cannot be trusted; names the topic, partition and offset."""


async def read_changelog(
    connection: Mapping[str, Any],
    topic: str,
    partition: int,
    apply: Callable[[list[Any]], None],
) -> int:
    """Apply every committed record, oldest first.

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
    await consumer.start()
    try:
        consumer.assign([tp])
        await consumer.seek_to_beginning(tp)
        end = (await consumer.end_offsets([tp]))[tp]
        last = -1
        while await consumer.position(tp) < end:
            fetched = await consumer.getmany(tp, timeout_ms=POLL_MS, max_records=RECORDS_MAX)
            records = fetched.get(tp)
            if records:
                apply(records)
                last = records[-1].offset
        return last
    finally:
        await consumer.stop()
