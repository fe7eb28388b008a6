"""Makes the ticks: one for each partition number that this worker holds, each interval."""

import asyncio
import logging
import time

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from models.releases import Released, Releases
from sinks.metrics import Metrics
from streams import kafka, ticks
from streams.publisher_silence import PublisherWatch
from streams.scorekeeper import keepers
from streams.settings import Settings
from streams.topics import CLOCK, INPUTS
from streams.transport.app import LaneApp
from streams.trouble_log import TroubleLog

log = logging.getLogger(__name__)

RETRY_S = 1.0


def wall_ms() -> int:
    """Now, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def _newest_event_ms(app: LaneApp) -> int:
    return max((keeper.now_ms for keeper in keepers(app)), default=0)


async def make_ticks(
    app: LaneApp, settings: Settings, metrics: Metrics, releases: Releases
) -> None:
    """Publish ticks until cancelled, and tell how far the lanes lag behind their inputs.

    Each names the newest parameters. With `CLV_CLOCK=events` ticks tell the newest time that any
    partition has reached, and there are none while it stands, except to name other parameters.
    There are none, either, while silence proves nothing because a publisher seems to be dead. A
    tick that could not be published is no loss: the next one knows more.
    """
    if settings.clock == "events":
        await _make_ticks(app, settings, metrics, releases, None)
        return
    watch = PublisherWatch(
        settings, wall_ms, lambda topic, held: metrics.clock_held(topic, held=held)
    )
    watching = asyncio.create_task(watch.run())
    watching.add_done_callback(lambda task: _end(app, task))
    try:
        await _make_ticks(app, settings, metrics, releases, watch)
    finally:
        watching.cancel()


async def _make_ticks(
    app: LaneApp,
    settings: Settings,
    metrics: Metrics,
    releases: Releases,
    watch: PublisherWatch | None,
) -> None:
    told: dict[int, tuple[int, Released]] = {}
    trouble = TroubleLog(log, "ticks are made again")
    while True:
        try:
            arguments = {"enable_idempotence": False, "acks": 1, "linger_ms": 0}
            async with (
                kafka.producer(settings, **arguments) as producer,
                # What waits behind somebody's open transaction is there, though nobody may read it.
                kafka.consumer(settings, isolation_level="read_uncommitted") as asker,
            ):
                while True:
                    await asyncio.sleep(settings.tick_interval_seconds)
                    # First the time, then the ends: what came before this time is before them.
                    now_ms = wall_ms() if settings.clock == "wall" else _newest_event_ms(app)
                    ends = await _ends(app, asker)
                    _report_lag(app, metrics, ends)
                    if watch is not None and watch.holds:
                        continue
                    newest, taken = releases.newest, {}
                    news = now_ms, newest
                    for number, known in ends.items():
                        if now_ms > 0 and told.get(number) != news:
                            version, at_ms = newest.params.version, newest.at_ms
                            tick = ticks.encode(ticks.Tick(now_ms, known, version, at_ms))
                            taken[number] = await producer.send(CLOCK, tick, partition=number)
                    # While time stands no later tick knows more: this one must have been taken.
                    for number, acknowledged in taken.items():
                        await acknowledged
                        told[number] = news
                    if taken:
                        trouble.worked()
        except (KafkaError, kafka.KafkaAway) as error:
            trouble.failed(f"no ticks: {error}")
            await asyncio.sleep(RETRY_S)


def _end(app: LaneApp, task: asyncio.Task[None]) -> None:
    """Nothing may end unseen."""
    if not task.cancelled() and (error := task.exception()) is not None:
        app.fail(error)


async def _ends(app: LaneApp, asker: AIOKafkaConsumer) -> dict[int, dict[str, int]]:
    """Where the inputs of each lane that is ready end now: number, topic, offset."""
    numbers = [number for number, lane in app.lanes.items() if lane.ready]
    if not numbers:
        return {}
    ends = await asker.end_offsets([TopicPartition(t, n) for n in numbers for t in INPUTS])
    return {n: {topic: ends[TopicPartition(topic, n)] for topic in INPUTS} for n in numbers}


def _report_lag(app: LaneApp, metrics: Metrics, ends: dict[int, dict[str, int]]) -> None:
    now_ms = wall_ms()
    for number, known in ends.items():
        lane = app.lanes.get(number)
        if lane is None or not lane.ready:  # it went, or begins again, since the ends were asked
            continue
        for topic, end in known.items():
            position, oldest_ms = lane.progress(topic)
            age_ms = 0 if oldest_ms is None else max(0, now_ms - oldest_ms)
            metrics.lag(topic, number, max(0, end - position), age_ms / 1000)
