"""Rebalances, shutdowns and the group's errors, in orders that are rare on a real broker."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError
from faust.types import TP

from streams.transport import consumer as consumer_module
from streams.transport.consumer import InstanceTakenError, LaneConsumer


class FakeLane:
    """A lane that is drained and closed when the test says so."""

    def __init__(self, number: int, *, whole: bool = True) -> None:
        self.number, self.whole = number, whole
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.started = self.closed = 0
        self.cut_off = False

    def start(self) -> asyncio.Future[None]:
        self.started += 1
        return asyncio.get_running_loop().create_future()

    async def drain(self, _timeout_s: float) -> bool:
        await asyncio.sleep(0)
        return self.whole

    async def close(self) -> None:
        self.closed += 1
        await self.may_end.wait()


def new_consumer(*lanes: FakeLane, generation: int = -1) -> Any:
    """A consumer with these lanes, without Kafka."""
    consumer: Any = object.__new__(LaneConsumer)
    failures: list[BaseException] = []
    consumer.app = SimpleNamespace(
        lane_settings=SimpleNamespace(inputs=("a", "b")),
        new_lane=lambda number, _feed: FakeLane(number),
        fail=failures.append,
        failures=failures,
    )
    consumer.lanes = {lane.number: lane for lane in lanes}
    consumer.joined = consumer._closing = consumer._parted = False
    consumer._generation, consumer._instance, consumer._heeding = generation, None, None
    consumer._kafka = SimpleNamespace(stop=lambda: asyncio.sleep(0))
    consumer.feed = None
    return consumer


def tps(*numbers: int) -> set[TP]:
    return {TP(topic, number) for topic in ("a", "b") for number in numbers}


async def test_a_number_is_kept_over_the_very_next_generation_only() -> None:
    kept, lost = FakeLane(0), FakeLane(1)
    consumer = new_consumer(kept, lost, generation=4)
    await consumer.assign(tps(0, 2), 5, "me")
    assert sorted(consumer.lanes) == [0, 2]
    assert consumer.lanes[0] is kept
    assert (kept.started, lost.closed) == (1, 1)
    await consumer.assign(tps(0), 7, "me")
    assert consumer.lanes[0] is not kept
    assert kept.closed == 1


async def test_whoever_asks_again_goes_on() -> None:
    """As when Kafka was away: no rebalance, so nobody else had the number meanwhile."""
    kept = FakeLane(0)
    consumer = new_consumer(kept, generation=4)
    await consumer.assign(tps(0), 5, "me")
    await consumer.assign(tps(0), 5, "me")
    assert consumer.lanes[0] is kept
    assert (kept.started, kept.closed) == (2, 0)


async def test_whose_instance_was_taken_ends() -> None:
    consumer = new_consumer(FakeLane(0), generation=4)
    await consumer.assign(tps(0), 5, "me")
    with pytest.raises(InstanceTakenError):
        await consumer.assign(tps(0), 5, "my successor")


async def test_a_worker_may_have_no_partitions() -> None:
    consumer = new_consumer(FakeLane(0), generation=4)
    await consumer.assign(set(), 5, "me")
    assert consumer.joined
    assert consumer.lanes == {}


async def test_a_number_without_one_of_its_topics_has_no_lane() -> None:
    consumer = new_consumer()
    await consumer.assign(tps(0) | {TP("a", 1)}, 5, "me")
    assert list(consumer.lanes) == [0]
    assert not consumer.joined
    await consumer.assign(tps(0, 1), 6, "me")
    assert consumer.joined


async def test_a_shutdown_in_the_midst_of_a_rebalance_ends_in_order() -> None:
    whole, recovering = FakeLane(0), FakeLane(1, whole=False)
    consumer = new_consumer(whole, recovering, generation=4)
    await asyncio.gather(consumer._drain(), consumer.release())
    assert consumer.lanes == {}
    assert (whole.closed, recovering.closed) == (1, 1)


@pytest.mark.parametrize("cut_off", [False, True])
async def test_a_batch_that_was_cut_off_is_told(cut_off: bool) -> None:
    whole, broken = FakeLane(0), FakeLane(1, whole=False)
    broken.cut_off = cut_off  # else it was taking over: nothing was in flight
    consumer = new_consumer(whole, broken, generation=4)
    assert await consumer.release() is not cut_off
    assert consumer.lanes == {}


async def test_no_lane_starts_after_a_shutdown_has_begun() -> None:
    kept, lost = FakeLane(0), FakeLane(1)
    lost.may_end.clear()
    consumer = new_consumer(kept, lost, generation=4)
    assigning = asyncio.create_task(consumer.assign(tps(0, 2), 5, "me"))
    await asyncio.sleep(0)
    await consumer.release()
    lost.may_end.set()
    await assigning
    assert consumer.lanes == {}
    assert (kept.started, kept.closed) == (0, 1)


async def test_lanes_are_closed_all_at_once() -> None:
    lanes = [FakeLane(number) for number in range(3)]
    for lane in lanes:
        lane.may_end.clear()
    consumer = new_consumer(*lanes, generation=4)
    assigning = asyncio.create_task(consumer.assign(set(), 5, "me"))
    await asyncio.sleep(0.01)
    assert [lane.closed for lane in lanes] == [1, 1, 1]
    for lane in lanes:
        lane.may_end.set()
    await assigning


class FakeCoordinator:
    """aiokafka's, which waits until somebody has taken notice of an error."""

    def __init__(self, *errors: BaseException, dead: bool = False) -> None:
        self.errors, self.rejoins = list(errors), 0
        self._coordination_task = SimpleNamespace(done=lambda: dead)

    def check_errors(self) -> None:
        if self.errors:
            raise self.errors.pop(0)

    def request_rejoin(self) -> None:
        self.rejoins += 1


@pytest.mark.parametrize(
    ("error", "dead", "fails"),
    [
        (KafkaError("passing"), False, False),
        (KafkaError("its task has ended"), True, True),
        (GroupAuthorizationFailedError("g"), False, True),
    ],
)
async def test_errors_of_the_group_are_heard_without_any_lane(
    monkeypatch: pytest.MonkeyPatch, error: KafkaError, dead: bool, fails: bool
) -> None:
    monkeypatch.setattr(consumer_module, "HEED_S", 0.001)
    consumer = new_consumer()
    coordinator = FakeCoordinator(error, dead=dead)
    consumer._kafka._coordinator = coordinator
    heeding = asyncio.create_task(consumer._heed())
    await asyncio.sleep(0.05)
    assert heeding.done() is fails
    assert consumer.app.failures == ([error] if fails else [])
    assert coordinator.rejoins == (0 if fails else 1)
    heeding.cancel()


async def test_whose_part_in_the_group_was_cancelled_does_not_go_on_unseen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would hear of no rebalance any more, and of no error either."""
    monkeypatch.setattr(consumer_module, "HEED_S", 0.001)
    consumer = new_consumer()
    coordinator = FakeCoordinator(asyncio.CancelledError(), dead=True)  # a cancelled task's result
    consumer._kafka._coordinator = coordinator
    heeding = asyncio.create_task(consumer._heed())
    await asyncio.wait({heeding}, timeout=1)
    (failure,) = consumer.app.failures
    assert isinstance(failure, RuntimeError)


@pytest.mark.parametrize(
    ("logs", "mib"), [(1, 16), (12, 16), (24, 8), (96, 2), (192, 1), (3000, 1)]
)
def test_many_logs_share_what_kafka_may_send_ahead(logs: int, mib: int) -> None:
    assert consumer_module.fetch_bytes_max(logs) == mib << 20


async def test_an_input_that_is_missing_is_looked_for_each_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """aiokafka would see that it was made again after five minutes, with all numbers idle."""
    monkeypatch.setattr(consumer_module, "HEED_S", 0.001)
    consumer, looked = new_consumer(), []
    consumer._kafka._client = SimpleNamespace(force_metadata_update=lambda: looked.append(1))
    consumer._kafka._coordinator = SimpleNamespace(check_errors=lambda: None)
    await consumer.assign(tps(0, 1), 1, "me")
    watching = asyncio.create_task(consumer._heed())
    await asyncio.sleep(0.05)
    assert not looked
    await consumer.assign({TP("a", 0), TP("a", 1)}, 2, "me")
    async with asyncio.timeout(1):
        while not looked:
            await asyncio.sleep(0.001)
    await consumer.assign(tps(0, 1), 3, "me")
    looked.clear()
    await asyncio.sleep(0.05)
    assert not looked
    watching.cancel()
