"""Batches grow while the loop is held shortly, and shrink where it is held for long."""

import asyncio
import contextlib
import time

import pytest

from streams.transport.consumer import HEARTBEAT_MS, SESSION_TIMEOUT_MS
from streams.transport.pace import FIRST, HELD_S_MAX, LEAST, LOOK_S, Pace
from streams.transport.turns import Turns


def sizes(event_s: float, batches: int, events_max: int = 50_000) -> list[int]:
    """Of full batches, one after the other, on a machine where an event takes so long."""
    pace, seen = Pace(events_max), []
    for _ in range(batches):
        seen.append(pace.events)
        pace.held(pace.events * event_s)
        pace.worked(pace.events)
    return seen


def test_a_quick_machine_comes_to_full_batches_at_once() -> None:
    assert sizes(30e-6, 6) == [5_000, 10_000, 20_000, 40_000, 50_000, 50_000]


@pytest.mark.parametrize("slower", [2, 5, 20, 70])
def test_no_batch_outlasts_the_session_and_soon_none_holds_for_long(slower: int) -> None:
    held_s = [events * 30e-6 * slower for events in sizes(30e-6 * slower, 20)]
    assert max(held_s) < SESSION_TIMEOUT_MS / 1000
    assert held_s[-1] <= HELD_S_MAX * 1.001


def test_the_slowest_machine_gets_the_smallest_batches() -> None:
    assert sizes(30e-3, 4) == [5_000, 625, LEAST, LEAST]


def test_a_machine_that_is_quick_again_gets_full_batches_again() -> None:
    pace = Pace(50_000)
    for event_s, batches in ((30e-6, 8), (3e-3, 8), (30e-6, 12)):
        for _ in range(batches):
            pace.held(pace.events * event_s)
            pace.worked(pace.events)
    assert pace.events == 50_000


def test_small_batches_say_nothing_of_large_ones() -> None:
    pace = Pace(50_000)
    for _ in range(100):
        pace.held(0.001)
        pace.worked(FIRST // 2 - 1)
    assert pace.events == FIRST


def test_a_small_batch_beside_a_large_one_does_not_hide_its_hold() -> None:
    """As one of a tick alone, which is done while the large one is still being committed."""
    pace = Pace(50_000)
    for _ in range(20):
        pace.held(pace.events * 400e-6)
        pace.worked(1)
        pace.worked(pace.events)
        assert pace.events * 400e-6 <= HELD_S_MAX * 1.001


def test_a_hold_counts_once() -> None:
    pace = Pace(50_000)
    pace.held(2 * HELD_S_MAX)
    pace.held(0.0)  # a later look does not cover it up
    pace.worked(1)
    assert pace.events == FIRST // 2
    pace.worked(1)
    assert pace.events == FIRST // 2


def test_a_bound_below_the_least_is_kept() -> None:
    pace = Pace(10)
    assert pace.events == 10
    pace.held(100.0)
    pace.worked(10)
    assert pace.events == 10


async def test_it_notices_that_the_loop_is_held() -> None:
    turns = Turns(Pace(50_000))
    watching = asyncio.create_task(turns.pace.watch())
    await asyncio.sleep(2 * LOOK_S)
    async with turns.take(FIRST):
        time.sleep(1.5 * HELD_S_MAX)  # noqa: ASYNC251 - this is what it is about
        await asyncio.sleep(2 * LOOK_S)
    shrunk = turns.pace.events
    assert LEAST < shrunk < FIRST * 0.7
    async with turns.take(shrunk):
        await asyncio.sleep(2 * LOOK_S)  # others have the loop
    assert turns.pace.events > shrunk
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching


def test_the_loop_is_not_held_longer_than_heartbeats_may_wait() -> None:
    assert HEARTBEAT_MS / 1000 + 2 * HELD_S_MAX < SESSION_TIMEOUT_MS / 1000
