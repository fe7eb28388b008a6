"""Kafka that never answers is given up after a while, and told: aiokafka would wait for ever."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError
from aiokafka.structs import TopicPartition

from streams.transport import changelog, transaction
from streams.transport.changelog import read_changelog
from streams.transport.transaction import Transactions, is_passing

TP = TopicPartition("log", 0)


class Silent:
    """A producer and a consumer whose broker takes everything and answers some of it."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.stopped = False
        self.offset = 0
        self.client = None

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        self.stopped = True

    async def begin_transaction(self) -> None:
        await asyncio.sleep(3600)

    def assign(self, _tps: Any) -> None:
        pass

    async def seek_to_beginning(self, _tp: Any) -> None:
        pass

    async def end_offsets(self, _tps: Any) -> dict[TopicPartition, int]:
        return {TP: 9}

    async def position(self, _tp: Any) -> int:
        return self.offset

    async def getmany(self, *_: Any, **__: Any) -> dict[TopicPartition, list[Any]]:
        await asyncio.sleep(0.01)
        return {}


async def test_a_transaction_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transaction, "AIOKafkaProducer", Silent)
    monkeypatch.setattr(transaction, "ANSWER_S_MAX", 0.02)
    transactions = Transactions("g-0", "g", {})
    await transactions.open()
    with pytest.raises(KafkaTimeoutError, match="did not end a transaction") as error:
        await transactions.commit([], {TP: 1})
    assert is_passing(error.value)


async def test_opening_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transaction, "AIOKafkaProducer", Silent)
    monkeypatch.setattr(Silent, "start", Silent.begin_transaction)
    monkeypatch.setattr(transaction, "ANSWER_S_MAX", 0.02)
    with pytest.raises(KafkaTimeoutError):
        await Transactions("g-0", "g", {}).open()


async def test_reading_a_changelog_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Silent] = []

    def consumer(**_: Any) -> Silent:
        made.append(Silent())
        return made[0]

    monkeypatch.setattr(changelog, "AIOKafkaConsumer", consumer)
    monkeypatch.setattr(changelog, "SILENCE_S_MAX", 0.05)
    with pytest.raises(KafkaTimeoutError, match="changelog"):
        await read_changelog({}, "log", 0, lambda _records, _left: None)
    assert made[0].stopped


async def test_a_slow_changelog_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(Silent):
        async def getmany(self, *_: Any, **__: Any) -> dict[TopicPartition, list[Any]]:
            await asyncio.sleep(0.02)
            self.offset += 1
            return {TP: [type("Record", (), {"offset": self.offset - 1})]}

    monkeypatch.setattr(changelog, "AIOKafkaConsumer", lambda **_: Slow())
    monkeypatch.setattr(changelog, "SILENCE_S_MAX", 0.1)
    assert await read_changelog({}, "log", 0, lambda _records, _left: None) == (8, 9)
