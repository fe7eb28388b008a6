"""Lanes take turns: never more in work than the bound, nobody starves, nothing leaks."""

import asyncio
import random

import pytest

from streams.transport.pace import Pace
from streams.transport.turns import Turns


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


class Lane:
    """Takes one turn, and keeps it until told."""

    def __init__(self, turns: Turns, events: int) -> None:
        self.works = False
        self.done = asyncio.Event()
        self.task = asyncio.create_task(self._run(turns, events))

    async def _run(self, turns: Turns, events: int) -> None:
        async with turns.take(events):
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
