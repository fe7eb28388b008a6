"""A changelog that Kafka does not show to its end is not taken for the table."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from aiokafka.structs import TopicPartition

from sinks.record import Output, Record
from streams.transport.settled import HeldBack, hold_settled
from streams.transport.transaction import Transactions, is_passing
from tests.servers.kafka import Kafka, create_topics_async
from tests.servers.lost_markers import CARELESS, commit_unmarked, mark_aborted
from tests.streams.transport.fakes import IN, Agent, Broker, counted, new_lane, until

RECORDS = [Record(b"k", b"v", [], None)] * 2


@pytest.fixture(scope="module")
def careless() -> Iterator[Kafka]:
    with Kafka(properties=CARELESS) as running:
        yield running


class Log:
    """A changelog on a real broker, and the transactions that go into it."""

    def __init__(self, kafka: Kafka, name: str) -> None:
        self.connection: dict[str, Any] = {"bootstrap_servers": kafka.bootstrap}
        self.tp, self._aside = TopicPartition(name, 0), TopicPartition(f"{name}.aside", 0)
        self._transactions: Transactions | None = None

    async def create(self) -> None:
        topics = {self.tp.topic: 1, self._aside.topic: 1}
        await create_topics_async(self.connection["bootstrap_servers"], topics)

    async def take_over(self) -> Transactions:
        await self.close()
        self._transactions = Transactions(f"{self.tp.topic}-0", self.tp.topic, self.connection)
        await self._transactions.open()
        return self._transactions

    async def commit(self) -> None:
        await (await self.take_over()).commit([Output(*self.tp, RECORDS)], {})

    async def commit_unmarked(self) -> None:
        await commit_unmarked(await self.take_over(), self.tp, self._aside, RECORDS)

    async def mark_aborted(self) -> None:
        await mark_aborted(await self.take_over(), self.tp)

    async def close(self) -> None:
        if self._transactions is not None:
            await self._transactions.close()


@pytest.fixture
async def log(careless: Kafka, unique: Callable[[str], str]) -> AsyncIterator[Log]:
    log = Log(careless, unique("log"))
    await log.create()
    yield log
    await log.close()


@pytest.mark.kafka
async def test_what_is_committed_and_marked_is_settled(log: Log) -> None:
    for _ in range(3):
        await log.commit()
        await log.take_over()
        await hold_settled(log.connection, log.tp)


@pytest.mark.kafka
async def test_a_transaction_that_lost_its_marker_holds_the_changelog_back(log: Log) -> None:
    await log.commit()
    await log.commit_unmarked()
    await log.take_over()
    with pytest.raises(HeldBack, match="up to offset 3 of 5") as held:
        await hold_settled(log.connection, log.tp)
    assert is_passing(held.value)
    await log.mark_aborted()
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
