"""A changelog that Kafka does not show to its end is not taken for the table."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from aiokafka.structs import TopicPartition

from sinks.record import Output, Record
from streams.transport.settled import HeldBack, hold_settled
from streams.transport.transaction import Transactions, is_passing
from tests.servers.kafka import Kafka, create_topics_async
from tests.streams.transport.fakes import IN, Agent, Broker, counted, new_lane, until


@pytest.fixture(scope="module")
def careless() -> Iterator[Kafka]:
    """A broker that takes what belongs to no transaction that it knows of."""
    with Kafka(properties={"transaction.partition.verification.enable": "false"}) as running:
        yield running


class Log:
    """A changelog on a real broker, and the transactions that go into it."""

    def __init__(self, kafka: Kafka, name: str) -> None:
        self.connection: dict[str, Any] = {"bootstrap_servers": kafka.bootstrap}
        self.tp, self._other = TopicPartition(name, 0), TopicPartition(f"{name}.other", 0)
        self._transactions = Transactions(f"{name}-0", name, self.connection)

    async def open(self) -> None:
        topics = {self.tp.topic: 1, self._other.topic: 1}
        await create_topics_async(self.connection["bootstrap_servers"], topics)
        await self._transactions.open()

    async def commit(self) -> None:
        record = Record(b"k", b"v", [], None)
        outputs = [Output(*tp, [record, record]) for tp in (self.tp, self._other)]
        await self._transactions.commit(outputs, {})

    async def commit_without_its_marker(self) -> None:
        """What Kafka does not know to be part of a transaction gets no marker when that ends."""
        await self.take_over()  # the marker of the last one has come, and ends nothing of this one
        self._transactions._producer._txn_manager._txn_partitions.add(self.tp)
        await self.commit()

    async def take_over(self) -> None:
        await self._transactions.close()
        self._transactions = Transactions(
            f"{self.tp.topic}-0", self.tp.topic, dict(self.connection)
        )
        await self._transactions.open()

    async def end_by_hand(self) -> None:
        """A marker of a later transaction of the same producer ends what is open before it."""
        producer = self._transactions._producer
        await producer.begin_transaction()
        producer._txn_manager.maybe_add_partition_to_txn(self.tp)
        await producer.abort_transaction()

    async def close(self) -> None:
        await self._transactions.close()


@pytest.fixture
async def log(careless: Kafka, unique: Callable[[str], str]) -> AsyncIterator[Log]:
    log = Log(careless, unique("log"))
    await log.open()
    yield log
    await log.close()


@pytest.mark.kafka
async def test_what_is_committed_and_marked_is_settled(log: Log) -> None:
    await hold_settled(log.connection, log.tp)
    for _ in range(3):
        await log.commit()
        await log.take_over()
        await hold_settled(log.connection, log.tp)


@pytest.mark.kafka
async def test_a_transaction_that_lost_its_marker_holds_the_changelog_back(log: Log) -> None:
    await log.commit()
    await log.commit_without_its_marker()
    await log.take_over()
    with pytest.raises(HeldBack, match="up to offset 3 of 5") as held:
        await hold_settled(log.connection, log.tp)
    assert is_passing(held.value)
    await log.end_by_hand()
    await log.take_over()
    await hold_settled(log.connection, log.tp)


async def test_a_lane_waits_until_all_of_its_changelog_is_shown(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    broker.publish(IN)
    broker.held_back = 2
    _, (lane, _) = Agent(broker), new_lane(broker)
    task = lane.start()
    await until(lambda: broker.epoch == 3)
    assert not lane.ready
    assert counted(broker) == 0
    assert "Kafka holds a changelog back" in caplog.text
    broker.held_back = 0
    await until(lambda: task.done() or counted(broker) == 1)
    assert not task.done()
    await lane.close()
