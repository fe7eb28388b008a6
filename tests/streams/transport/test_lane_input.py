"""What a lane reads: gaps, deleted and repeated records, inputs made anew."""

import asyncio
from itertools import count
from typing import Any

import pytest
from aiokafka.structs import TopicPartition

from streams.transport import lane as lane_module
from streams.transport.pace import Pace
from streams.transport.position import OffsetGapError
from streams.transport.received import Seen
from streams.transport.recognition import AnotherLogError
from streams.transport.turns import Turns
from tests.streams.transport.fakes import (
    CLOCK,
    IN,
    MORE,
    Agent,
    Broker,
    Counts,
    counted,
    new_lane,
    until,
)


async def test_gaps_of_the_log_itself_are_none(broker: Broker) -> None:
    broker.publish(IN, 2)
    broker.publish(IN, 2, gap=3)
    agent, (lane, _) = Agent(broker), new_lane(broker)
    lane.start()
    await until(lambda: len(agent.applied) == 4)
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


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_marker_that_is_deleted_is_no_loss(broker: Broker, restarted: bool) -> None:
    """As after a silence that is longer than an input's records are kept."""
    broker.publish(IN, 3)
    broker.end_transaction(IN)
    agent, (lane, _) = Agent(broker), new_lane(broker)
    agent.hold_offsets = True
    task = lane.start()
    await until(lambda: lane.applied.get(IN) == 3)
    await asyncio.sleep(0.01)  # and the marker
    if restarted:
        assert await lane.drain(1.0)
        await lane.close()
        lane, _ = new_lane(broker)
        task = lane.start()
    broker.expire(IN, 4)
    broker.publish(IN)
    await until(lambda: task.done() or counted(broker) == 4)
    assert not task.done()
    await lane.close()


async def test_what_was_deleted_unread_is_noticed_before_silence_is_believed(
    broker: Broker,
) -> None:
    """Nothing has come since: the log is empty."""
    broker.publish(IN, 9)
    broker.committed[IN] = 3
    broker.expire(IN, 9)
    broker.publish(CLOCK)
    _, (lane, _) = Agent(broker), new_lane(broker)
    with pytest.raises(OffsetGapError, match="no longer has offset 3"):
        await lane.start()
    assert broker.delivered.empty()
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
    with pytest.raises(AnotherLogError, match="twice"):
        await lane.start()
    await lane.close()


async def test_what_a_cancelled_fetch_was_given_is_fetched_again(broker: Broker) -> None:
    broker.publish(IN, 3)
    broker.fetch_lost = True
    agent, (lane, _) = Agent(broker), new_lane(broker)
    lane.start()
    await until(lambda: broker.positions.get(IN) == 3)
    assert await lane.drain(1) is True
    broker.fetch_lost = False
    lane.start()
    await until(lambda: len(agent.applied) == 3)
    assert [offset for _, offset in agent.applied] == [0, 1, 2]
    await lane.close()


@pytest.mark.parametrize("stored", [False, True])
async def test_an_input_made_anew_is_not_read_from_its_middle(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, stored: bool
) -> None:
    """By a lane that was paused for a rebalance, and by the number's next owner."""
    broker.publish(IN, 3)
    agent, (lane, _) = Agent(broker), new_lane(broker)
    lane.start()
    await until(lambda: len(agent.applied) == 3)
    assert await lane.drain(1)
    assert lane.newest == {IN: Seen(2, 2)}
    if stored:
        await lane.close()
        monkeypatch.setattr(Counts, "newest", lambda _: {"in": Seen(2, 2), "gone": Seen(9, 9)})
        lane, _ = new_lane(broker)
    broker.make_anew(IN, 9, first_ms=1_000)
    with pytest.raises(AnotherLogError, match="no longer holds at offset 2"):
        await lane.start()
    assert counted(broker) == 3
    await lane.close()


async def test_records_stay_with_the_client_while_much_is_in_work(broker: Broker) -> None:
    broker.turns = Turns(Pace(6))
    broker.publish(IN, 5)
    _, (lane, _) = Agent(broker), new_lane(broker)
    async with broker.turns.take(4):
        lane.start()
        await until(lambda: lane.ready and IN in broker.positions)
        await asyncio.sleep(0.01)
        assert broker.positions[IN] == 0
        async with asyncio.timeout(1):
            assert await lane.drain(30.0), "it may go on"
        lane.start()
    await until(lambda: counted(broker) == 5)
    await lane.close()


async def test_everything_before_an_end_is_applied_or_not(broker: Broker) -> None:
    broker.publish(IN, 2)
    broker.end_transaction(IN)
    lane, _ = new_lane(broker)
    lane.start()
    batch = await broker.delivered.get()  # what is raised within it, it would take for itself
    assert lane.has_applied({"in": 3, "more": 0})  # past the marker
    assert not lane.has_applied({"in": 4, "more": 0})
    assert lane.progress("in") == (0, 0)
    async with batch:
        pass
    await lane.close()


@pytest.mark.parametrize("stalled", [True, False])
async def test_a_topic_made_anew_while_the_worker_stood_still_is_noticed(
    broker: Broker, *, stalled: bool
) -> None:
    """Before anything of it is applied."""
    broker.publish(IN, 3)
    broker.hold.clear()
    agent, (lane, _) = Agent(broker), new_lane(broker)
    task = lane.start()
    await until(lambda: broker.positions.get(IN) == 3)
    broker.stalls += stalled
    broker.make_anew(IN, 9, first_ms=1_000)
    broker.hold.set()
    if stalled:
        with pytest.raises(AnotherLogError, match="no longer holds at offset 2"):
            await asyncio.wait_for(task, 2)
        assert [offset for _, offset in agent.applied] == [0, 1, 2]
    else:  # what this is about: nothing else would tell
        await until(lambda: len(agent.applied) == 9)
    await lane.close()


async def test_a_log_that_is_looked_at_again_and_again_loses_nothing(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch, calls = broker.fetch, count(1)

    async def stalling(*arguments: Any, **options: Any) -> dict[TopicPartition, list[Any]]:
        broker.stalls += next(calls) % 3 == 0
        return await fetch(*arguments, **options)

    monkeypatch.setattr(broker, "fetch", stalling)
    monkeypatch.setattr(lane_module, "FIRST_EVENTS", 4)
    monkeypatch.setattr(lane_module, "GROWTH", 1)
    broker.publish(IN, 50)
    broker.publish(MORE, 5)
    agent, (lane, _) = Agent(broker), new_lane(broker)
    looks: list[int] = []
    rewind = lane._position.rewind

    async def look() -> None:
        looks.append(len(agent.applied))
        await rewind()

    monkeypatch.setattr(lane._position, "rewind", look)
    lane.start()
    await until(lambda: len(agent.applied) == 55)
    assert sorted(agent.applied) == sorted(
        [("in", n) for n in range(50)] + [("more", n) for n in range(5)]
    )
    assert len(looks) > 5
    await lane.close()
