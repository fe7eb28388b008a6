"""Makes the ticks: one for each partition number that this worker holds, each interval."""

import asyncio
import logging
import time
from contextlib import aclosing

from aiokafka.errors import KafkaError

from models.releases import Releases
from sinks.metrics import Metrics
from streams import kafka, ticks
from streams.input_ends import InputEnds
from streams.publisher_silence import PublisherWatch
from streams.scorekeeper import keepers
from streams.settings import Settings
from streams.tick_sender import Heard, News, TickSender
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
    tick that could not be published is no loss: the next one knows more. No partition waits for
    another's, as where one has no leader.
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
    told: dict[int, News] = {}
    trouble = TroubleLog(log, "ticks are made again")
    while True:
        try:
            arguments = {"enable_idempotence": False, "acks": 1, "linger_ms": 0}
            async with (
                kafka.producer(settings, **arguments) as producer,
                # What waits behind somebody's open transaction is there, though nobody may read it.
                kafka.consumer(settings, isolation_level="read_uncommitted") as asker,
                aclosing(InputEnds(asker)) as inputs,
            ):
                sender = TickSender(producer, told)
                while True:
                    await asyncio.sleep(settings.tick_interval_seconds)
                    # First the time, then the ends: what came before this time is before them.
                    now_ms = wall_ms() if settings.clock == "wall" else _newest_event_ms(app)
                    ends = await inputs.of(n for n, lane in app.lanes.items() if lane.ready)
                    _report_lag(app, metrics, ends)
                    _tell(trouble, sender.hear(), inputs.silent)
                    if now_ms > 0 and (watch is None or not watch.holds):
                        await _send(sender, ends, News(now_ms, releases.newest))
        except (KafkaError, kafka.KafkaAway) as error:
            trouble.failed(f"no ticks: {error}")
            await asyncio.sleep(RETRY_S)


async def _send(sender: TickSender, ends: dict[int, dict[str, int]], news: News) -> None:
    for number, known in ends.items():
        if sender.wants(number, news):
            tick = ticks.Tick(news.at_ms, known, news.newest.params.version, news.newest.at_ms)
            await sender.send(number, news, ticks.encode(tick))


def _tell(trouble: TroubleLog, heard: Heard, silent: list[int]) -> None:
    if heard.failed is not None:
        trouble.failed(f"no ticks: {heard.failed}")
    elif silent:
        trouble.failed(
            f"no ticks for partition numbers {silent}: Kafka does not tell where their inputs end"
        )
    elif heard.taken:
        trouble.worked()


def _end(app: LaneApp, task: asyncio.Task[None]) -> None:
    """Nothing may end unseen."""
    if not task.cancelled() and (error := task.exception()) is not None:
        app.fail(error)


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
