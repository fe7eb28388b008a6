"""What a lane does when something fails: begin afresh, or end the worker."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import IllegalOperation, KafkaError, ProducerFenced

from streams.transport import lane as lane_module
from streams.transport.changelog import Reached
from tests.streams.transport.fakes import IN, Agent, Broker, counted, new_lane, until


async def test_a_passing_failure_repeats_the_batch_from_the_unchanged_table(
    broker: Broker,
) -> None:
    broker.publish(IN, 3)
    broker.faults = [KafkaError("away"), IllegalOperation("the producer has failed")]
    agent, (lane, table) = Agent(broker), new_lane(broker)
    task = lane.start()
    await until(lambda: task.done() or len(agent.applied) == 3)
    assert broker.epoch == 3
    assert [offset for _, offset in agent.applied] == [0, 1, 2]
    assert table.partition(0) == {b"n": b"3"}
    await lane.close()


async def test_an_unknown_failure_ends_the_worker_and_nothing_is_committed(broker: Broker) -> None:
    broker.publish(IN)
    agent, (lane, _) = Agent(broker), new_lane(broker)
    agent.error = ValueError("a bug")
    with pytest.raises(ValueError, match="a bug"):
        await lane.start()
    assert not lane.ready
    assert not broker.committed
    await lane.close()


async def test_whose_number_was_taken_over_ends(broker: Broker) -> None:
    broker.publish(IN)
    broker.faults, broker.member = [ProducerFenced()], False
    _, (lane, _) = Agent(broker), new_lane(broker)
    with pytest.raises(ProducerFenced):
        await lane.start()
    assert broker.epoch == 1
    await lane.close()


async def test_whose_transaction_was_open_for_too_long_begins_again(broker: Broker) -> None:
    """The broker was away for longer than the transaction timeout: then it fences, too."""
    broker.publish(IN)
    broker.faults = [ProducerFenced()]
    _, (lane, _) = Agent(broker), new_lane(broker)
    task = lane.start()
    await until(lambda: task.done() or counted(broker) == 1)
    assert not task.done()
    await lane.close()


async def test_a_stalled_owner_commits_nothing_once_the_changelog_is_read(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its successor would know nothing of it: fence first, then read."""
    broker.publish(IN, 3)
    broker.hold.clear()
    _, (stalled, _) = Agent(broker), new_lane(broker)
    ends = stalled.start()
    await until(lambda: stalled._commits._under_way is not None)
    read = lane_module.read_changelog

    async def read_and_wake(*arguments: Any) -> Reached:
        reached = await read(*arguments)
        broker.hold.set()
        await asyncio.sleep(0.01)  # the commit comes now
        return reached

    monkeypatch.setattr(lane_module, "read_changelog", read_and_wake)
    successor, table = new_lane(broker)
    successor.start()
    with pytest.raises(AssertionError, match="fenced"):
        async with asyncio.timeout(2):
            await ends
    await until(lambda: table.partition(0).get(b"n") == b"3")
    assert [one.value for one in broker.changelog] == [b"3"]
    await stalled.close()
    await successor.close()


async def test_whoever_is_no_member_any_more_does_not_fence_the_new_owner(broker: Broker) -> None:
    broker.publish(IN)
    broker.faults, broker.member = [KafkaError("away")], False
    _, (lane, _) = Agent(broker), new_lane(broker)
    task = lane.start()
    await until(lambda: not broker.faults)
    await asyncio.sleep(0.05)
    assert broker.epoch == 1
    assert not task.done()
    assert await lane.drain(1) is False
    await lane.close()


async def test_a_cancelled_wait_does_not_end_a_lane_unseen(broker: Broker) -> None:
    broker.publish(IN)
    broker.faults = [asyncio.CancelledError()]
    _, (lane, _) = Agent(broker), new_lane(broker)
    with pytest.raises(RuntimeError, match="cancelled"):
        await lane.start()
    await lane.close()


async def test_neither_does_one_that_comes_while_it_begins_afresh(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cancelled() -> bool:
        raise asyncio.CancelledError

    broker.publish(IN)
    broker.faults = [KafkaError("away")]
    monkeypatch.setattr(broker, "is_member", cancelled)
    _, (lane, _) = Agent(broker), new_lane(broker)
    with pytest.raises(RuntimeError, match="was cancelled"):
        await lane.start()
    await lane.close()


async def test_an_agent_that_is_stopped_within_a_batch_ends_the_lane(broker: Broker) -> None:
    """Nobody would ever work on the batch, and the lane would wait for it for good."""
    broker.publish(IN)
    broker.hold.clear()
    agent, (lane, _) = Agent(broker), new_lane(broker)
    task = lane.start()
    await until(lambda: lane._commits._under_way is not None)
    agent.task.cancel()
    with pytest.raises(RuntimeError, match="the agent was stopped within a batch"):
        await task
    assert agent.task.cancelled()
    broker.hold.set()
    await lane.close()
    assert not broker.committed


async def test_work_that_always_fails_is_repeated_ever_less_often(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "BACKOFF_S_MAX", 0.016)
    waited: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float, *args: Any) -> None:
        waited.append(seconds)
        await sleep(seconds, *args)

    broker.publish(IN, 3)
    broker.faults = [KafkaError("corrupt")] * 6
    _, (lane, _) = Agent(broker), new_lane(broker)
    monkeypatch.setattr(lane_module.asyncio, "sleep", noted)
    lane.start()
    await until(lambda: counted(broker) == 3)
    assert [seconds for seconds in waited if seconds > 0.001] == [0.002, 0.004, 0.008, 0.016, 0.016]
    broker.publish(IN)
    await until(lambda: counted(broker) == 4)
    assert lane._backoff_s == lane_module.BACKOFF_S_MIN
    await lane.close()
