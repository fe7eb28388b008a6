"""What is committed, what the group is told of it, and what its note tells of the changelog."""

import asyncio

import pytest
from aiokafka.errors import KafkaError, ProducerFenced
from aiokafka.structs import TopicPartition

from streams.transport import lane as lane_module
from streams.transport import untold
from streams.transport.changelog import LostChangelog
from streams.transport.lane import Lane
from tests.streams.transport.fakes import CLOCK, IN, Agent, Broker, Counts, counted, new_lane, until


async def test_ticks_are_committed_with_the_next_events(broker: Broker) -> None:
    broker.publish(CLOCK, 2)
    _, (lane, _) = Agent(broker), new_lane(broker)
    lane.start()
    await until(lambda: lane.applied.get(CLOCK) == 2)
    assert not broker.committed
    broker.publish(IN)
    await until(lambda: counted(broker) == 1)
    assert broker.committed == {CLOCK: 2, IN: 1}
    await lane.close()


async def test_offsets_that_the_changelog_holds_are_told_once_in_a_while(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(untold, "TELL_S", 0.2)
    agent, (lane, _) = Agent(broker), new_lane(broker)
    agent.hold_offsets = True
    lane.start()
    for count in range(1, 4):
        broker.publish(IN)
        await until(lambda count=count: counted(broker) == count)
    assert broker.committed == {IN: 1}, "the first transaction told, the others did not"
    await until(lambda: broker.committed == {IN: 3})
    assert broker.commits == 4, "silence told by itself, and once"
    await asyncio.sleep(0.5)
    assert broker.commits == 4
    await lane.close()


async def test_what_only_ticks_have_moved_is_not_told_by_itself(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(untold, "TELL_S", 0.01)
    _, (lane, _) = Agent(broker), new_lane(broker)
    lane.start()
    broker.publish(CLOCK, 2)
    await until(lambda: lane.applied.get(CLOCK) == 2)
    await asyncio.sleep(0.1)
    assert broker.commits == 0
    await lane.close()


async def with_one_untold(broker: Broker) -> Lane:
    """A lane that has applied two records, and told the group of the first."""
    agent, (lane, _) = Agent(broker), new_lane(broker)
    agent.hold_offsets = True
    lane.start()
    for count in (1, 2):
        broker.publish(IN)
        await until(lambda count=count: counted(broker) == count)
    return lane


async def test_a_drain_tells_the_group(broker: Broker) -> None:
    lane = await with_one_untold(broker)
    assert broker.committed == {IN: 1}
    assert await lane.drain(1)
    assert broker.committed == {IN: 2}
    await lane.close()


async def test_a_shutdown_in_the_midst_of_a_rebalance_tells_the_group_once(broker: Broker) -> None:
    lane = await with_one_untold(broker)
    broker.hold.clear()
    drains = [asyncio.create_task(lane.drain(1)) for _ in range(2)]
    await asyncio.sleep(0.05)
    broker.hold.set()
    assert await asyncio.gather(*drains) == [True, True]
    assert broker.committed == {IN: 2}
    assert broker.commits == 3
    await lane.close()


@pytest.mark.parametrize("away", [KafkaError("away"), ProducerFenced()])
async def test_who_could_not_tell_the_group_is_not_kept(broker: Broker, away: KafkaError) -> None:
    lane = await with_one_untold(broker)
    broker.faults = [away]
    assert not await lane.drain(1)
    await lane.close()


async def test_a_drain_does_not_wait_for_a_broker_that_is_away(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "TELL_S_MAX", 0.01)
    lane = await with_one_untold(broker)
    broker.hold.clear()
    async with asyncio.timeout(1):
        assert not await lane.drain(30.0)
    await lane.close()


async def test_a_successor_tells_what_its_predecessor_did_not(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose worker was killed has applied more than the group knows."""
    broker.publish(IN, 5)
    broker.committed[IN] = 1
    monkeypatch.setattr(Counts, "offsets", lambda _self: {IN.topic: 5})
    _, (lane, _) = Agent(broker), new_lane(broker)
    lane.start()
    await until(lambda: broker.committed == {IN: 5})
    await lane.close()


async def test_a_changelog_that_has_gone_on_has_another_owner(broker: Broker) -> None:
    log = TopicPartition("log", 0)
    broker.logs[log], broker.begins[log] = [], 0
    broker.publish(IN, 3)
    _, (lane, _) = Agent(broker), new_lane(broker)
    lane.start()
    await until(lambda: counted(broker) == 3)
    await until(lambda: broker.committed.get(IN) == 3)
    await lane.heed_successor()  # its own record, of which the end may not tell yet
    broker.publish(log, 2)  # it does: the record and its marker
    await lane.heed_successor()
    broker.publish(log)
    with pytest.raises(ProducerFenced):
        await lane.heed_successor()
    await lane.close()


@pytest.mark.parametrize(("written", "left"), [(1, 0), (4, 0), (4, 3)])
async def test_a_changelog_that_lost_its_end_is_no_table(
    broker: Broker, written: int, left: int
) -> None:
    """The group was told in the last transaction, and so knows of all before it."""
    agent, (lane, _) = Agent(broker), new_lane(broker)
    lane.start()
    for count in range(1, written + 1):
        broker.publish(IN)
        await until(lambda count=count: counted(broker) == count)
    assert await lane.drain(1)
    await lane.close()
    assert agent.applied
    del broker.changelog[left:]
    second, _ = new_lane(broker)
    with pytest.raises(LostChangelog, match=f"ends at offset {left + 1 if left else 0}, and had"):
        await second.start()
    await second.close()


async def test_what_was_in_the_changelog_is_of_no_successor(broker: Broker) -> None:
    log = TopicPartition("log", 0)
    broker.logs[log], broker.begins[log] = [], 0
    broker.publish(log, 7)  # aborted, and its marker
    broker.changelog_end = 7
    lane, _ = new_lane(broker)
    lane.start()
    await until(lambda: lane.ready)
    await lane.heed_successor()
    broker.publish(log)
    with pytest.raises(ProducerFenced):
        await lane.heed_successor()
    await lane.close()


@pytest.mark.parametrize(("told", "held"), [(1, 3), (3, 1)])
async def test_whoever_knows_more_of_what_was_applied_is_believed(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, told: int, held: int
) -> None:
    """The broker applies a transaction's offsets a moment after its marker; and the group may
    have been told of what needed no outputs."""
    broker.publish(IN, 5)
    broker.committed[IN] = told
    monkeypatch.setattr(Counts, "offsets", lambda _self: {IN.topic: held})
    agent, (lane, _) = Agent(broker), new_lane(broker)
    lane.start()
    await until(lambda: len(agent.applied) == 2)
    assert [offset for _, offset in agent.applied] == [3, 4]
    await lane.close()
