"""A lane at work: batch after batch, what is due, its part of the table."""

import asyncio
import weakref
from typing import Any

import pytest
from aiokafka.structs import TopicPartition

from tests.streams.transport.fakes import IN, Agent, Broker, Counts, counted, new_lane, until


async def test_what_is_due_is_worked_on_without_a_record(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two batches' worth of it, for which no record is waited for; and then for one again."""
    due, patient = [1, 2], []
    fetch = broker.fetch

    async def noted(tps: list[TopicPartition], most: int, *, patiently: bool) -> Any:
        patient.append(patiently)
        return await fetch(tps, most)

    monkeypatch.setattr(broker, "fetch", noted)
    monkeypatch.setattr(Counts, "is_due", lambda _self: bool(due))
    lane, _ = new_lane(broker)
    lane.start()
    while due:
        async with asyncio.timeout(1):
            batch = await broker.delivered.get()
        assert (batch.records, batch.offsets) == ({}, {})
        due.pop()
        async with batch:
            pass
    await until(lambda: len(patient) > 2)
    assert patient[:3] == [False, False, True]
    await lane.close()


async def test_a_table_is_what_the_changelog_says_and_goes_with_the_number(broker: Broker) -> None:
    broker.publish(IN)
    _, (first, _) = Agent(broker), new_lane(broker)
    first.start()
    await until(lambda: counted(broker) == 1)
    await first.close()
    second, table = new_lane(broker)
    table.partition(0)[b"gone"] = b"from an earlier time"
    second.start()
    await until(lambda: second.ready)
    assert table.partition(0) == {b"n": b"1"}
    await second.close()
    assert table.partition(0) == {}


async def test_a_batch_that_is_done_leaves_nothing_behind(broker: Broker) -> None:
    """Else each lane would hold its last batch while another one works on the next."""
    broker.publish(IN, 5)
    lane, _ = new_lane(broker)
    lane.start()
    async with await broker.delivered.get() as batch:
        records = [weakref.ref(one) for one in batch.records[IN.topic]]
    broker.expire(IN, 5)  # the broker's own
    await until(lambda: not any(one() for one in records))
    assert batch.offsets == {IN: 5}, "Faust has the batch still"
    await lane.close()
