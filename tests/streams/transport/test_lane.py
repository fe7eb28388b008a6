"""A lane through take-over, drain, failure, retake, gaps and cancelled fetches."""

import asyncio
from typing import Any

import pytest

from streams.transport import lane as lane_module
from streams.transport.lane import OffsetGapError
from tests.streams.transport.fakes import (
    CLOCK,
    IN,
    MORE,
    Agent,
    Broker,
    FakeTransactions,
    new_lane,
)


@pytest.fixture
async def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    """A broker that every lane of the test uses."""
    broker = Broker()

    async def read_changelog(_connection: Any, _topic: str, _number: int, apply: Any) -> int:
        await asyncio.sleep(0)
        if broker.changelog:
            apply(broker.changelog, 0)
        return len(broker.changelog) - 1

    monkeypatch.setattr(lane_module, "Transactions", lambda *_: FakeTransactions(broker))
    monkeypatch.setattr(lane_module, "read_changelog", read_changelog)
    monkeypatch.setattr(lane_module, "BACKOFF_S_MIN", 0.001)
    monkeypatch.setattr(lane_module, "CLOSE_S_MAX", 0.1)
    return broker


async def until(moment: Any, seconds_max: float = 2.0) -> None:
    """Wait for what the loop will bring about."""
    async with asyncio.timeout(seconds_max):
        while not moment():
            await asyncio.sleep(0.001)


def counted(broker: Broker) -> int:
    """What the changelog says."""
    return int(broker.changelog[-1].value) if broker.changelog else 0


async def test_gaps_of_the_log_itself_are_none(broker: Broker) -> None:
    broker.publish(IN, 2)
    broker.publish(IN, 2, gap=3)
    agent, (lane, _) = Agent(broker), new_lane(broker)
    lane.start()
    await until(lambda: counted(broker) == 4)
    assert [offset for _, offset in agent.applied] == [0, 1, 5, 6]
    await lane.close()


async def test_records_deleted_before_they_were_read_end_the_worker(broker: Broker) -> None:
    broker.publish(IN, 9)
    broker.committed[IN] = 3
    broker.expire(IN, 5)
    _, (lane, _) = Agent(broker), new_lane(broker)
    with pytest.raises(OffsetGapError, match="no longer has offset 3"):
        await lane.start()
    assert broker.committed[IN] == 3
    await lane.close()


async def test_ticks_may_be_deleted_unread(broker: Broker) -> None:
    """After a standstill that is longer than ticks are kept, a worker must still start."""
    broker.publish(CLOCK, 9)
    broker.committed[CLOCK] = 3
    broker.expire(CLOCK, 5)
    broker.publish(IN)
    _, (lane, _) = Agent(broker), new_lane(broker)
    task = lane.start()
    await until(lambda: task.done() or (counted(broker) == 1 and broker.committed.get(CLOCK) == 9))
    assert not task.done()
    await lane.close()


async def test_records_never_come_twice(broker: Broker) -> None:
    broker.publish(IN, 3)
    broker.committed[IN] = 5  # as when the topic was created anew
    _, (lane, _) = Agent(broker), new_lane(broker)
    broker.rewind = lambda _offsets: broker.positions.update({IN: 0, MORE: 0, CLOCK: 0})  # type: ignore[method-assign]
    with pytest.raises(OffsetGapError, match="twice"):
        await lane.start()
    await lane.close()
