"""The clock goes on while lanes come and go and Kafka is away."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaError, ProducerClosed

from models.parameters import CDNOW
from models.releases import Released, Releases
from streams import clock
from streams.topics import CLOCK, INPUTS
from streams.transport.lane import Lane
from streams.transport.roles import LaneSettings

SETTINGS = LaneSettings("g", (*INPUTS, CLOCK), INPUTS, "log", {}, 100)


def test_a_lane_that_begins_again_meanwhile_has_no_lag_yet() -> None:
    told: list[Any] = []
    feed: Any = SimpleNamespace(reached=lambda _tp: -1)
    nothing: Any = None
    lane = Lane(0, SETTINGS, feed, nothing, nothing)  # as a rebalance leaves it: not ready
    app: Any = SimpleNamespace(lanes={0: lane})
    metrics: Any = SimpleNamespace(lag=lambda *args: told.append(args))
    clock._report_lag(app, metrics, {0: dict.fromkeys(INPUTS, 7), 1: dict.fromkeys(INPUTS, 7)})
    assert told == []


def making_ticks(
    monkeypatch: pytest.MonkeyPatch,
    sent: list[int],
    fails: Callable[[int], bool | None],
    releases: Releases,
    numbers: Sequence[int] = (3,),
) -> asyncio.Task[None]:
    """Ticks of some partitions by the time of events, of which some are not taken.

    Args:
        monkeypatch: of the test.
        sent: gets the partition of each.
        fails: whether the n-th is not taken, from 1; None: that is never told.
        releases: known parameters.
        numbers: of the partitions.
    """

    class Producer:
        async def send(self, _topic: str, _value: bytes, *, partition: int) -> asyncio.Future[None]:
            taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            sent.append(partition)
            match fails(len(sent)):
                case True:
                    taken.set_exception(KafkaError("away"))
                case False:
                    taken.set_result(None)
            return taken

    @asynccontextmanager
    async def producer(*_: Any, **__: Any) -> AsyncIterator[Producer]:
        yield Producer()

    async def ends(*_: Any) -> dict[int, dict[str, int]]:
        return {number: {} for number in numbers}

    monkeypatch.setattr(clock.kafka, "producer", producer)
    monkeypatch.setattr(clock.kafka, "consumer", producer)  # asked by `ends` alone
    monkeypatch.setattr(clock, "RETRY_S", 0)
    monkeypatch.setattr(clock.InputEnds, "of", ends)
    app: Any = SimpleNamespace(lanes={})
    settings: Any = SimpleNamespace(tick_interval_seconds=0.001, clock="events")
    metrics: Any = SimpleNamespace()
    return asyncio.create_task(clock.make_ticks(app, settings, metrics, releases))


async def test_the_last_tick_of_a_replay_is_told_until_it_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Time stands after the last event, so that no later tick would know more."""
    sent: list[int] = []
    monkeypatch.setattr(clock, "_newest_event_ms", lambda _app: 1_000)
    releases = Releases(CDNOW, "USD")
    ticking = making_ticks(monkeypatch, sent, lambda n: n == 1, releases)
    await asyncio.sleep(0.1)
    assert sent == [3, 3]  # and not again, once it was taken
    releases.newest = Released(CDNOW, 1)  # but for other parameters, which take effect by a tick
    await asyncio.sleep(0.1)
    ticking.cancel()
    assert sent == [3, 3, 3]


async def test_a_partition_whose_tick_is_not_taken_keeps_no_other_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As without a leader: time would stand for all customers of all partitions."""
    sent: list[int] = []
    monkeypatch.setattr(clock, "_newest_event_ms", lambda _app: 1_000 + len(sent))
    first = {1: None}
    ticking = making_ticks(
        monkeypatch, sent, lambda n: first.get(n, False), Releases(CDNOW, "USD"), (3, 5)
    )
    async with asyncio.timeout(5):
        while sent.count(5) < 5:
            await asyncio.sleep(0.001)
    ticking.cancel()
    assert sent.count(3) == 1  # the next one of a partition waits for its last one


async def test_ticks_that_nobody_hears_of_any_more_are_no_errors(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever stops does not ask what becomes of those that are under way."""
    made: list[asyncio.Future[None]] = []

    class Producer:
        async def send(self, *_: Any, **__: Any) -> asyncio.Future[None]:
            made.append(asyncio.get_running_loop().create_future())
            return made[-1]

    sender = clock.TickSender(Producer(), {})
    await sender.send(3, clock.News(1, Released(CDNOW, 1)), b"")
    made.pop().set_exception(ProducerClosed())
    await asyncio.sleep(0)
    del sender
    gc.collect()
    assert not caplog.records


async def test_an_outage_is_a_line_of_the_log_not_one_a_second(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A night without Kafka would push out of a rotated log what went before it."""
    sent: list[int] = []
    monkeypatch.setattr(clock, "_newest_event_ms", lambda _app: 1_000 + len(sent))
    away = [*range(1, 6), *range(10, 15)]
    with caplog.at_level("INFO", logger="streams.clock"):
        ticking = making_ticks(monkeypatch, sent, away.__contains__, Releases(CDNOW, "USD"))
        async with asyncio.timeout(20):
            while len(sent) < 20:
                await asyncio.sleep(0.001)
        ticking.cancel()
    again = "ticks are made again"
    assert [record.getMessage() for record in caplog.records] == [
        "no ticks: KafkaError: away",
        again,
        "no ticks: KafkaError: away",
        again,
    ]
