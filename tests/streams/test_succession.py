"""What the next owner of a partition finds, and what a leaving one leaves."""

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
import orjson
import pytest
import redis
from aiokafka.errors import KafkaError, ProducerFenced

from models.judged_windows import WINDOW_MS, window_ends_ms
from streams.scorekeeper import Scorekeeper
from streams.topics import PURCHASES, SCORES
from streams.transport.changelog import DamagedChangelog
from tests.streams.one_partition import (
    ANN,
    BEA,
    CHANGELOG,
    NUMBER,
    Partition,
    gauges,
    judged,
    purchase,
    tick,
)
from tests.streams.test_intake import NOON_MS, residents

pytestmark = pytest.mark.redis


async def test_a_successor_goes_on_as_if_nothing_had_happened(
    partition: Partition, redis_url: str
) -> None:
    first = await partition.keeper()
    await partition.work(first, partition.batch(purchases=[purchase(0, ANN), purchase(1, BEA)]))
    await first.settled()
    before = gauges(partition.metrics)
    await first.end()
    assert gauges(partition.metrics) != before
    second = await partition.keeper()
    assert second._states.table == first._states.table
    assert second.now_ms == first.now_ms
    assert len(second._states.schedule) == len(first._states.schedule)
    assert gauges(partition.metrics) == before
    await partition.work(second, partition.batch(purchases=[purchase(2, ANN, days=1)]))
    await second.settled()
    with redis.Redis.from_url(redis_url) as reader:
        assert orjson.loads(reader.get(f"clv:score:{ANN}"))["revision"] == 2
        assert int(reader.get(f"clv:mark:{NUMBER}")) == partition.changelog[-1].offset


@pytest.mark.parametrize("portion", [1, 100])
async def test_a_successor_writes_what_its_predecessor_no_longer_could(
    partition: Partition, redis_url: str, monkeypatch: pytest.MonkeyPatch, portion: int
) -> None:
    """Killed between a commit and Redis: all that is newer than Redis, and nothing else."""
    first = await partition.keeper()
    await partition.work(first, partition.batch(purchases=[purchase(0, ANN), purchase(1, BEA)]))
    await first.settled()
    monkeypatch.setattr(first._follower, "follow", lambda *_: None)
    (cid,) = set(residents(NUMBER, 3)) - {ANN, BEA}
    for number, who in enumerate([BEA, cid, BEA], 2):
        await partition.work(first, partition.batch(purchases=[purchase(number, who, days=1)]))
    newest = {one.key.decode(): one.value for one in partition.outputs[SCORES]}
    second = Scorekeeper(partition.shared, first._lane, {})
    await second.prepare()
    for at in range(0, len(partition.changelog), portion):
        second.restore(partition.changelog[at : at + portion], 0)
    with redis.Redis.from_url(redis_url) as reader:
        assert {who: reader.get(f"clv:score:{who}") == newest[who] for who in newest} == {
            ANN: True,
            BEA: False,
            cid: False,
        }
        reader.set(f"clv:score:{ANN}", b"as it was")
        await second.begin(partition.changelog[-1].offset)
        found = {who: reader.get(f"clv:score:{who}") for who in newest}
        assert found == newest | {ANN: b"as it was"}
        assert int(reader.get(f"clv:mark:{NUMBER}")) == partition.changelog[-1].offset


async def test_who_was_taken_out_is_nobody_to_the_successor(
    partition: Partition, redis_url: str
) -> None:
    """As grafana/RUNBOOK.md has it, "Take a customer out": a tombstone, and Redis by hand."""
    first = await partition.keeper()
    await partition.work(first, partition.batch(purchases=[purchase(0, ANN), purchase(1, BEA)]))
    await first.settled()
    await first.end()
    partition.offset += 1
    tombstone = SimpleNamespace(key=ANN.encode(), value=None, offset=partition.offset)
    partition.changelog.append(tombstone)
    with redis.Redis.from_url(redis_url) as reader:
        reader.delete(f"clv:score:{ANN}")
        second = await partition.keeper()
        assert list(second._states.table) == [BEA.encode()]
        assert reader.get(f"clv:score:{ANN}") is None
        await partition.work(second, partition.batch(purchases=[purchase(2, ANN, days=1)]))
        await second.settled()
        again = orjson.loads(reader.get(f"clv:score:{ANN}"))
        assert (again["revision"], again["orders"]) == (1, 1)


async def test_who_was_overtaken_while_it_took_over_is_told_so(
    partition: Partition, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis is then ahead of the changelog as it was read, and yet nothing is wrong with it."""
    keeper = await partition.keeper()
    await partition.work(keeper, partition.batch(purchases=[purchase(0, ANN)]))
    await keeper.settled()
    read = list(partition.changelog)

    async def heed_successor() -> None:
        raise ProducerFenced

    lane: Any = SimpleNamespace(number=NUMBER, applied={}, newest={}, heed_successor=heed_successor)
    late = Scorekeeper(partition.shared, lane, {})
    await late.prepare()
    late.restore(read, 0)
    await partition.work(keeper, partition.batch(purchases=[purchase(1, BEA)]))
    await keeper.settled()
    with pytest.raises(ProducerFenced):
        await late.begin(read[-1].offset)


async def test_gauges_go_also_when_the_end_is_broken_off(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = await partition.keeper()
    await partition.work(keeper, partition.batch(purchases=[purchase(0, ANN)]))
    await keeper.settled()
    monkeypatch.setattr(keeper._follower, "end", lambda: asyncio.sleep(3600))
    assert any(not line.endswith(" 0.0") for line in gauges(partition.metrics))
    ending = asyncio.create_task(keeper.end())
    await asyncio.sleep(0)
    ending.cancel()
    await asyncio.wait({ending})
    assert all(line.endswith(" 0.0") for line in gauges(partition.metrics))


async def test_what_is_committed_as_the_partition_goes_is_the_next_owners(
    partition: Partition,
) -> None:
    keeper = await partition.keeper()
    batch = partition.batch(purchases=[purchase(0, ANN)])
    result = await keeper.step(intake := keeper.decode(batch))
    await keeper.publish(batch, result, intake)
    await keeper.end()  # before the agent comes to its turn
    keeper.remember(result)
    assert keeper._follower._writing is None
    assert all(line.endswith(" 0.0") for line in gauges(partition.metrics))


async def test_a_prediction_is_judged_once_whoever_owns_the_partition(
    partition: Partition,
) -> None:
    """An aborted batch counts nothing; an owner that comes after judges what is open, once."""
    began_ms = window_ends_ms([ANN.encode()], np.array([NOON_MS])).item()
    ended = tick(began_ms + WINDOW_MS, 1)
    partition.applied = {PURCHASES: 1}
    keeper = await partition.keeper()
    await partition.work(keeper, partition.batch(purchases=[purchase(0, ANN)]))
    await partition.work(keeper, partition.batch(clock=[tick(began_ms, 1)]))
    await keeper.end()
    partition.away = KafkaError("away")
    with pytest.raises(KafkaError):
        await partition.work(await partition.keeper(), partition.batch(clock=[ended]))
    assert judged(partition) == 0
    partition.away = None
    for _ in range(2):
        keeper = await partition.keeper()
        await partition.work(keeper, partition.batch(clock=[ended]))
        await keeper.end()
        assert judged(partition) == 1


async def test_a_value_that_is_no_state_is_named(partition: Partition) -> None:
    partition.changelog = [SimpleNamespace(key=b"ann", value=b"\xc1", offset=0)]
    with pytest.raises(DamagedChangelog) as damaged:
        await partition.keeper()
    assert (damaged.value.topic, damaged.value.key) == (CHANGELOG, b"ann")
