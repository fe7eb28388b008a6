"""Whether Kafka shows all of a changelog.

Once a lane has fenced the last owner, nothing is open in its changelog, so a reader of what is
committed sees it to its end. A Kafka that has lost the markers of a transaction shows only what is
before it, for good. A table read then would lack a batch that was committed, and the lane would
apply it, and publish what comes of it, once more. Kafka 4.3.0 to 4.4.0 loses them when a broker
without replicas is killed (KAFKA-20734).
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from streams.transport.stopping import stop
from streams.transport.transaction import ANSWER_S_MAX, answering


class HeldBack(KafkaError):
    """Records of a changelog that nobody can read, while nobody has a transaction open.

    It may pass: a replica may be a moment behind, or somebody may have Kafka end the transaction.
    """

    def __init__(self, tp: TopicPartition, shown: int, end: int) -> None:
        super().__init__(
            f"{tp.topic}, partition {tp.partition} is shown up to offset {shown} of {end}, "
            "and nobody is at work there: see 'Kafka holds a changelog back' in grafana/RUNBOOK.md"
        )


async def hold_settled(connection: Mapping[str, Any], tp: TopicPartition) -> None:
    """See that a changelog can be read to its end; its last owner is fenced.

    Raises:
        HeldBack: it cannot.
        KafkaError: Kafka did not tell.
    """
    async with answering("tell where a changelog ends", ANSWER_S_MAX):
        shown, end = await asyncio.gather(
            _end(connection, tp, "read_committed"), _end(connection, tp, "read_uncommitted")
        )
    if shown < end:
        raise HeldBack(tp, shown, end)


async def _end(connection: Mapping[str, Any], tp: TopicPartition, isolation_level: str) -> int:
    consumer = AIOKafkaConsumer(
        **connection, group_id=None, enable_auto_commit=False, isolation_level=isolation_level
    )
    try:
        await consumer.start()
        end: int = (await consumer.end_offsets([tp]))[tp]
        return end
    finally:
        await stop(consumer)
