"""Makes the ticks: one for each partition number that this worker holds, each interval."""

import asyncio
import logging
import time

from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from streams import kafka, ticks
from streams.scorekeeper import keepers
from streams.settings import Settings
from streams.topics import CLOCK, INPUTS
from streams.transport.app import LaneApp

log = logging.getLogger(__name__)


def wall_ms() -> int:
    """Now, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def _newest_event_ms(app: LaneApp) -> int:
    return max((keeper.now_ms for keeper in keepers(app)), default=0)


async def make_ticks(app: LaneApp, settings: Settings) -> None:
    """Publish ticks until cancelled.

    With `CLV_CLOCK=events` they tell the newest time that any partition has reached, and there
    are none while it stands. A tick that could not be published is no loss: the next one knows
    more.
    """
    told: dict[int, int] = {}
    async with kafka.producer(settings, enable_idempotence=False, acks=1, linger_ms=0) as producer:
        while True:
            await asyncio.sleep(settings.tick_interval_seconds)
            now_ms = wall_ms() if settings.clock == "wall" else _newest_event_ms(app)
            numbers = [n for n, lane in app.lanes.items() if lane.ready and told.get(n) != now_ms]
            if now_ms == 0 or not numbers:
                continue
            try:
                inputs = [TopicPartition(topic, n) for n in numbers for topic in INPUTS]
                ends = await app.consumer.ends(inputs)
                for number in numbers:
                    tick = ticks.Tick(
                        now_ms, {topic: ends[TopicPartition(topic, number)] for topic in INPUTS}
                    )
                    await producer.send(CLOCK, ticks.encode(tick), partition=number)
                    told[number] = now_ms
            except KafkaError as error:
                log.warning("no tick: %s", error)
