"""A transaction: its order, what is told of it, and that a failed one is not committed."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from sinks.record import Output, Record
from streams.transport.transaction import BATCH_BYTES_MAX, Transactions

LOG, OUT = ("log", 0), ("out", 1)
BEGINS = {LOG: 10, OUT: 0}
OFFSETS = {TopicPartition("in", 0): 5}


class Producer:
    """Takes the place of what aiokafka's does; a topic in `away` acknowledges nothing."""

    def __init__(self, transactions: Transactions, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[Any] = []
        self.ends = dict(BEGINS)
        self.away: set[str] = set()
        for name in (
            "begin_transaction",
            "commit_transaction",
            "send_batch",
            "send_offsets_to_transaction",
        ):
            monkeypatch.setattr(transactions._producer, name, getattr(self, name))

    async def begin_transaction(self) -> None:
        self.calls.append("begin")

    async def commit_transaction(self) -> None:
        self.calls.append("commit")

    async def send_offsets_to_transaction(self, offsets: dict[Any, int], group: str) -> None:
        self.calls.append((offsets, group))

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> asyncio.Future[Any]:
        answer = asyncio.get_running_loop().create_future()
        if topic in self.away:
            answer.set_exception(KafkaError("away"))
            return answer
        answer.set_result(SimpleNamespace(offset=self.ends[topic, partition]))
        self.ends[topic, partition] += batch.record_count()
        self.calls.append(topic)
        return answer


@pytest.fixture
async def transactions() -> AsyncIterator[Transactions]:
    transactions = Transactions("g-0", "g", {})
    yield transactions
    await transactions.close()


async def test_the_last_offset_of_each_target_is_told(
    transactions: Transactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By it Redis and the changelog are compared."""
    producer = Producer(transactions, monkeypatch)
    half = Record(b"k", b"v" * (BATCH_BYTES_MAX // 2))  # of these a batch takes one
    outputs = [
        Output(*LOG, [half, half, half]),
        Output(*OUT, [Record(b"k", b"v")]),
        Output("none", 0, []),
        Output(*LOG, [Record(b"k", b"v")] * 2),
    ]
    last = await transactions.commit(outputs, OFFSETS, "a note")
    assert last == {LOG: 14, OUT: 0}
    assert producer.ends == {LOG: 15, OUT: 1}
    noted = {tp: (at, "a note") for tp, at in OFFSETS.items()}
    assert producer.calls == [
        "begin", "log", "log", "log", "out", "log", (noted, "g"), "commit",
    ]  # fmt: skip


async def test_the_group_is_told_nothing_where_there_is_nothing_to_tell(
    transactions: Transactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    producer = Producer(transactions, monkeypatch)
    assert await transactions.commit([Output(*OUT, [Record(b"k", b"v")])], {}) == {OUT: 0}
    assert producer.calls == ["begin", "out", "commit"]


@pytest.mark.parametrize("away", ["log", "out"])
async def test_what_was_not_acknowledged_is_not_committed(
    transactions: Transactions, monkeypatch: pytest.MonkeyPatch, away: str
) -> None:
    producer = Producer(transactions, monkeypatch)
    producer.away.add(away)
    outputs = [Output(*to, [Record(b"k", b"v")]) for to in (LOG, OUT)]
    with pytest.raises(KafkaError, match="away"):
        await transactions.commit(outputs, OFFSETS)
    assert "commit" not in producer.calls
