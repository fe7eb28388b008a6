"""Lanes take turns: never more in work than the bound, nobody starves, nothing leaks."""

import asyncio
import contextlib
import random

import pytest

from streams.transport import turns as turns_module
from streams.transport.pace import Pace
from streams.transport.turns import Turns


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


class Lane:
    """Takes one turn, and keeps it until told; some wait for Kafka all the while."""

    def __init__(self, turns: Turns, events: int, *, for_kafka: bool = False) -> None:
        self.works = False
        self.done = asyncio.Event()
        self._for_kafka = for_kafka
        self.task = asyncio.create_task(self._run(turns, events))

    async def _run(self, turns: Turns, events: int) -> None:
        async with turns.take(events) as place, contextlib.AsyncExitStack() as stack:
            if self._for_kafka:
                await stack.enter_async_context(place.waiting())
            self.works = True
            await self.done.wait()
        self.works = False


async def test_small_batches_pass_beside_each_other_and_beside_a_large_one() -> None:
    turns = Turns(Pace(100))
    lanes = [Lane(turns, events) for events in (60, 10, 10, 20)]
    await settle()
    assert all(lane.works for lane in lanes)


async def test_what_does_not_fit_waits_and_lets_others_pass() -> None:
    turns = Turns(Pace(100))
    first, large, small = (Lane(turns, events) for events in (60, 50, 40))
    await settle()
    assert (first.works, large.works, small.works) == (True, False, True)
    first.done.set()
    await settle()
    assert large.works


async def test_a_batch_over_the_bound_comes_alone() -> None:
    turns = Turns(Pace(100))
    small, huge, after = Lane(turns, 1), Lane(turns, 500), Lane(turns, 1)
    await settle()
    assert (small.works, huge.works, after.works) == (True, False, True)
    small.done.set()
    after.done.set()
    await settle()
    assert huge.works
    late = Lane(turns, 1)
    await settle()
    assert not late.works
    huge.done.set()
    await settle()
    assert late.works


async def test_a_lane_that_is_cancelled_holds_nothing_up() -> None:
    turns = Turns(Pace(100))
    working, waiting, next_ = (Lane(turns, events) for events in (100, 100, 100))
    await settle()
    waiting.task.cancel()
    working.task.cancel()
    await settle()
    assert next_.works


async def test_there_is_room_until_half_of_the_bound_is_held() -> None:
    turns = Turns(Pace(100))
    works, waits = Lane(turns, 50), Lane(turns, 51)
    await settle()
    assert (works.works, waits.works) == (True, False)
    room = asyncio.create_task(turns.room())
    await settle()
    assert not room.done()  # what waits counts, too
    works.done.set()
    await settle()
    assert (waits.works, room.done()) == (True, False)
    waits.done.set()
    await settle()
    assert room.done()
    Lane(turns, 50)
    await settle()
    async with asyncio.timeout(1):
        await turns.room()


async def test_who_comes_again_does_not_overtake() -> None:
    turns, came = Turns(Pace(100)), []

    async def lane(number: int) -> None:
        for _ in range(3):
            await turns.room()
            async with turns.take(100):
                came.append(number)
                await asyncio.sleep(0)

    await asyncio.wait_for(asyncio.gather(*map(lane, range(3))), 5)
    assert came == [0, 1, 2] * 3


async def test_a_lane_that_is_cancelled_while_it_waits_for_room_holds_nothing_up() -> None:
    turns = Turns(Pace(100))
    works = Lane(turns, 100)
    rooms = [asyncio.create_task(turns.room()) for _ in range(3)]
    await settle()
    rooms[0].cancel()
    works.done.set()
    await settle()
    assert [room.done() for room in rooms] == [True] * 3


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is waited for for long."""
    monkeypatch.setattr(turns_module, "ASIDE_S", 0.01)


@pytest.mark.usefixtures("soon")
async def test_who_waits_for_kafka_is_not_waited_for() -> None:
    turns = Turns(Pace(100))
    stuck, other = Lane(turns, 100, for_kafka=True), Lane(turns, 100)
    room = asyncio.create_task(turns.room())
    await settle()
    assert (stuck.works, other.works, room.done()) == (True, False, False)
    async with asyncio.timeout(2):
        while not other.works:
            await asyncio.sleep(0.001)
    other.done.set()
    async with asyncio.timeout(2):
        await room
    stuck.done.set()
    await settle()
    last = Lane(turns, 100)  # nothing leaked: the bound is the bound
    await settle()
    late = Lane(turns, 1)
    await settle()
    assert (last.works, late.works) == (True, False)


@pytest.mark.usefixtures("soon")
async def test_no_more_than_one_bound_is_in_memory_beside_what_is_in_work() -> None:
    turns = Turns(Pace(100))
    stuck = [Lane(turns, 100, for_kafka=True) for _ in range(3)]
    await asyncio.sleep(0.1)
    assert [lane.works for lane in stuck] == [True, True, False]
    stuck[0].done.set()  # then there is room for another one aside
    await asyncio.sleep(0.1)
    assert [lane.works for lane in stuck] == [False, True, True]


@pytest.mark.usefixtures("soon")
async def test_who_only_works_is_waited_for() -> None:
    turns = Turns(Pace(100))
    works, waits = Lane(turns, 100), Lane(turns, 100)
    await asyncio.sleep(0.1)
    assert (works.works, waits.works) == (True, False)


@pytest.mark.usefixtures("soon")
async def test_a_batch_that_was_given_up_steps_aside_for_nobody() -> None:
    """Its lane has gone, and whoever was to commit it has not heard of that yet."""
    turns = Turns(Pace(100))
    async with turns.take(100) as place:
        pass
    async with place.waiting():
        await asyncio.sleep(0.1)
    works, waits = Lane(turns, 100), Lane(turns, 1)
    await settle()
    assert (works.works, waits.works) == (True, False)


@pytest.mark.parametrize("seed", range(5))
async def test_the_bound_holds_and_everyone_comes_to_work(seed: int) -> None:
    turns, rng = Turns(Pace(100)), random.Random(seed)
    in_work, most, worked = 0, 0, 0

    async def lane() -> None:
        nonlocal in_work, most, worked
        for _ in range(50):
            events = rng.choice([0, 1, 5, 40, 100])
            async with turns.take(events):
                in_work += events
                most = max(most, in_work)
                await asyncio.sleep(0)
                if rng.random() < 0.5:
                    await asyncio.sleep(0)
                in_work -= events
                worked += 1

    await asyncio.wait_for(asyncio.gather(*(lane() for _ in range(8))), 30)
    assert worked == 400
    assert 40 < most <= 100
