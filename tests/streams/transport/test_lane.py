"""A lane through take-over, drain, failure, retake, gaps and cancelled fetches."""

import asyncio
import contextlib
import weakref
from typing import Any

import pytest
from aiokafka.errors import IllegalOperation, KafkaError, ProducerFenced
from aiokafka.structs import TopicPartition

from streams.transport import commits, untold
from streams.transport import lane as lane_module
from streams.transport.batch import Batch
from streams.transport.changelog import LostChangelog, Reached
from streams.transport.lane import Lane
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
    FakeTransactions,
    new_lane,
)


@pytest.fixture
async def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    """A broker that every lane of the test uses."""
    broker = Broker()

    async def read_changelog(_connection: Any, _topic: str, _number: int, apply: Any) -> Reached:
        await asyncio.sleep(0)
        if broker.changelog:
            apply(broker.changelog, 0)
        mark = len(broker.changelog) - 1
        return Reached(mark, max(broker.changelog_end, mark + 2 if broker.changelog else 0))

    monkeypatch.setattr(commits, "Transactions", lambda *_: FakeTransactions(broker))
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
