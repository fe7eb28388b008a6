"""How a lane pauses for a rebalance, and lets go."""

import asyncio
import contextlib

import pytest

from streams.transport.batch import Batch
from streams.transport.pace import Pace
from streams.transport.turns import Turns
from tests.streams.transport.fakes import IN, Agent, Broker, Counts, counted, new_lane, until


async def test_a_drain_ends_the_batch_in_flight(broker: Broker) -> None:
    broker.publish(IN, 3)
    broker.hold.clear()
    _, (lane, _) = Agent(broker), new_lane(broker)
    lane.start()
    await until(lambda: lane._commits._under_way is not None)
    draining = asyncio.create_task(lane.drain(1))
    await asyncio.sleep(0.01)
    assert not draining.done()
    broker.hold.set()
    assert await draining is True
    assert not lane.cut_off
    assert counted(broker) == 3
    broker.publish(IN, 2)
    lane.start()  # kept: it goes on without taking over
    await until(lambda: counted(broker) == 5)
    assert broker.epoch == 1
    await lane.close()


async def test_a_batch_that_does_not_end_in_time_is_given_up(broker: Broker) -> None:
    broker.publish(IN, 3)
    broker.hold.clear()
    agent, (lane, _) = Agent(broker), new_lane(broker)
    lane.start()
    await until(lambda: lane._commits._under_way is not None)
    assert await lane.drain(0.01) is False
    assert lane.cut_off
    await lane.close()
    broker.hold.set()
    successor, _ = new_lane(broker)
    successor.start()
    await until(lambda: counted(broker) == len(agent.applied) == 3)
    assert not agent.task.done()
    await successor.close()


async def test_a_lane_that_still_takes_over_is_not_kept(broker: Broker) -> None:
    _, (lane, _) = Agent(broker), new_lane(broker)
    broker.ends = lambda _tps: asyncio.sleep(3600)  # type: ignore[assignment,method-assign]
    broker.starts = lambda _tps: asyncio.sleep(3600)  # type: ignore[assignment,method-assign]
    task = lane.start()
    await asyncio.sleep(0.01)
    assert await lane.drain(1) is False
    assert task.done()
    keeper = lane.keeper
    await lane.close()
    assert isinstance(keeper, Counts)
    assert keeper.ended == 1


async def goes_on_after_a_commit(batch: Batch) -> bool:
    """Whether an agent would remember it as done; what it raises, the batch takes for itself."""
    async with batch:
        await batch.commit([])
        return True
    return False


async def test_a_batch_of_a_lane_that_let_go_commits_nothing(broker: Broker) -> None:
    broker.publish(IN)
    lane, _ = new_lane(broker)
    lane.start()
    batch = await broker.delivered.get()
    await lane.close()
    assert not await goes_on_after_a_commit(batch)
    assert not broker.committed


async def test_a_batch_commits_nothing_while_its_lane_lets_go(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the agent was waiting for its step, and Redis holds the keeper up."""
    broker.publish(IN)
    lane, _ = new_lane(broker)
    lane.start()
    batch = await broker.delivered.get()
    redis_answers = asyncio.Event()
    monkeypatch.setattr(lane.keeper, "end", redis_answers.wait)
    closing = asyncio.create_task(lane.close())
    await until(lambda: lane.keeper is None)
    assert not await goes_on_after_a_commit(batch)
    redis_answers.set()
    await closing
    assert not broker.committed


async def test_a_lane_that_waits_for_its_turn_gives_way_to_a_rebalance(broker: Broker) -> None:
    """What it had fetched is fetched again: nothing is lost, and nothing comes twice."""
    broker.turns = Turns(Pace(6))
    broker.publish(IN, 5)
    agent, (lane, _) = Agent(broker), new_lane(broker)
    async with broker.turns.take(3):
        lane.start()
        await until(lambda: lane.ready and broker.positions.get(IN) == 5)
        await asyncio.sleep(0.01)
        assert not agent.applied
        async with asyncio.timeout(1):
            assert await lane.drain(30.0), "it may go on"
    lane.start()
    await until(lambda: len(agent.applied) == 5)
    assert [offset for _, offset in agent.applied] == [0, 1, 2, 3, 4]
    await lane.close()


async def test_a_take_over_that_swallows_its_cancellation_ends_all_the_same(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `asyncio.wait_for` does before Python 3.12; the number has a new owner by then."""
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def begin(_self: Counts, _mark: int) -> None:
        asked.set()
        while not go_on.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await go_on.wait()

    with monkeypatch.context() as patched:
        patched.setattr(Counts, "begin", begin)
        (lane, _) = new_lane(broker)
        task = lane.start()
        await asked.wait()
        assert not await lane.drain(0.01)
        await lane.close()
    agent, (successor, _) = Agent(broker), new_lane(broker)
    broker.publish(IN, 3)
    successor.start()
    await until(lambda: counted(broker) == 3)
    go_on.set()
    await asyncio.wait({task}, timeout=1)
    assert task.done()
    assert not lane.ready
    broker.publish(IN, 2)
    await until(lambda: len(agent.applied) == 5)
    assert [offset for _, offset in agent.applied] == [0, 1, 2, 3, 4]
    await successor.close()
