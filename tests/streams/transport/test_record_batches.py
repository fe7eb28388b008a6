"""Records go into as few record batches as fit, none lost, each batch within its size."""

import asyncio
from typing import Any

import pytest
from aiokafka.record.memory_records import MemoryRecords

from sinks.record import Output, Record
from streams.transport.transaction import BATCH_BYTES_MAX, Transactions

Read = tuple[bytes | None, bytes | None, list[tuple[str, bytes]], int]


class Batches:
    """Takes record batches in place of a broker."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.told: list[int] = []
        self.read: list[list[Read]] = []

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> asyncio.Future[None]:
        assert (topic, partition) == ("out", 3)
        self.told.append(batch.record_count())
        assert batch.closed()
        data = bytes(batch._build())
        self.sizes.append(len(data))
        records = list(MemoryRecords(data).next_batch())
        assert [record.offset for record in records] == list(range(len(records)))
        self.read.append([(r.key, r.value, list(r.headers), r.timestamp) for r in records])
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


async def sent(monkeypatch: pytest.MonkeyPatch, records: list[Record]) -> tuple[Batches, list[int]]:
    transactions = Transactions("g-0", "g", {})
    batches = Batches()
    monkeypatch.setattr(transactions._producer, "send_batch", batches.send_batch)
    answers = await transactions._send(Output("out", 3, records))
    await transactions.close()
    return batches, [count for _, count in answers]


async def test_each_batch_is_full_and_holds_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = [("ce_id", b"a/1"), ("ce_type", b"t")]
    records = [Record(b"%d" % n, b"v" * 1_000, headers, 7 + n) for n in range(3_000)]
    records.append(Record(b"gone", None, [], 7))
    batches, counts = await sent(monkeypatch, records)
    assert [one for batch in batches.read for one in batch] == [
        (record.key, record.value, record.headers, record.timestamp_ms) for record in records
    ]
    assert counts == batches.told == [len(batch) for batch in batches.read]
    assert max(batches.sizes) <= BATCH_BYTES_MAX
    assert min(batches.sizes[:-1]) > BATCH_BYTES_MAX - 1_100


async def test_a_record_beyond_the_size_goes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kafka knows its limit, and says so."""
    large = Record(b"b", b"v" * 2 * BATCH_BYTES_MAX)
    batches, counts = await sent(monkeypatch, [Record(b"a", b"1"), large, Record(b"c", b"3")])
    assert counts == batches.told == [1, 1, 1]
    assert [batch[0][0] for batch in batches.read] == [b"a", b"b", b"c"]
