"""Goes on with an input that was deleted and made anew: all that it holds now is applied.

The states stay as they are. Whether the topic really is another log is asked of the log itself, as
workers do: with one that is not, every event in it would count twice.
"""

from typing import NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from sinks.record import NO_HEADERS, Output, Record
from streams import kafka, progress, topic_admin, topics
from streams.complaint import Complaint
from streams.progress import Progress
from streams.reading import read_to_end
from streams.settings import Settings
from streams.stored import Told, told_of
from streams.transport.batch import Batch
from streams.transport.feed import KafkaFeed
from streams.transport.received import Seen
from streams.transport.recognition import AnotherLogError, recognise
from streams.transport.settled import hold_settled
from streams.transport.transaction import Transactions


class NotMadeAnew(Complaint):
    """The topic is the log that was processed, or no worker has processed anything of it."""


class Begun(NamedTuple):
    """A partition that begins with the new log.

    Attributes:
        partition: its number.
        was: offset that was to be applied next, of the old log.
        now: the same, of the new one.
    """

    partition: int
    was: int
    now: int


async def accept(settings: Settings, topic: str, told: Told) -> list[Begun]:
    """Let every partition begin with the first record of a topic that was made anew.

    Each is changed by a transaction of its own: a worker that still has it is fenced.

    Args:
        settings: where Kafka is.
        topic: one of the inputs.
        told: for a progress bar.

    Raises:
        NotMadeAnew: nothing was changed.
        WrongTopics: topics are missing.
        KafkaAway: Kafka cannot be reached.
    """
    partitions = (await topic_admin.existing_partitions(settings, [topic]))[topic]
    begun = [await _begin(settings, topic, number, told) for number in range(partitions)]
    if not any(begun):
        raise NotMadeAnew(
            f"{topic} is the log that was processed, as far as it can be told: nothing was changed."
        )
    return [one for one in begun if one is not None]


async def _begin(settings: Settings, topic: str, number: int, told: Told) -> Begun | None:
    tp = TopicPartition(topic, number)
    group, connection = settings.group, kafka.connection(settings)
    transactions = Transactions(f"{group}-{number}", group, connection)
    async with kafka.reaching(settings), kafka.consumer(settings) as consumer:
        try:
            await transactions.open()  # first, as a worker does: from here on nobody else writes
            await hold_settled(connection, TopicPartition(topics.changelog(settings), number))
            reached = await _progress(settings, number, told)
            seen = reached.newest.get(topic)
            if seen is None or not await _is_another(consumer, tp, seen):
                return None
            first = (await consumer.beginning_offsets([tp]))[tp]
            following = msgspec.structs.replace(
                reached,
                offsets={**reached.offsets, topic: first},
                newest={name: one for name, one in reached.newest.items() if name != topic},
            )
            record = Record(progress.KEY, progress.encode(following), NO_HEADERS, None)
            output = Output(topics.changelog(settings), number, [record])
            await transactions.commit([output], {tp: first})
            return Begun(number, reached.offsets[topic], first)
        finally:
            await transactions.close()


async def _progress(settings: Settings, number: int, told: Told) -> Progress:
    name, reached = topics.changelog(settings), Progress()
    async for chunk in read_to_end(settings, name, [number], told_of(told, name)):
        for record in chunk:
            if record.key == progress.KEY:
                reached = progress.decode(record.value)
    return reached


async def _is_another(consumer: AIOKafkaConsumer, tp: TopicPartition, seen: Seen) -> bool:
    consumer.assign([tp])
    try:
        await recognise(KafkaFeed(consumer, 1, _nobody), {tp: seen})
    except AnotherLogError:
        return True
    return False


async def _nobody(_batch: Batch) -> None:
    raise AssertionError("only one record is looked at")
