"""Whether publishers are silent, or dead: what a missing purchase proves.

A customer is silent only if a purchase would have been seen. A topic in which nothing is left to
read says nothing about a publisher that died: so the worker asks Kafka, now and then, how many
records came to each topic, all partitions together, in each of the last few periods. Nothing is
kept, so that a worker that starts knows as much as one that has been there for long.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from streams import kafka
from streams.settings import PREFIX, Settings
from streams.topics import ENGAGEMENTS, INPUTS, PURCHASES
from streams.trouble_log import TroubleLog

log = logging.getLogger(__name__)

PERIODS: Final = 8
"""How far back is looked, in units of the setting: after so long, a topic has been given up."""

EXPECTED_MIN: Final = 20.0
"""Records that its own rate must have led to expect in the silence. A shop that sells less is
not held up by a quiet day, and chance alone makes no such silence."""

_CHECK_S: Final = 60.0
_CHECKS_A_PERIOD: Final = 4
_RETRY_S: Final = 5.0

_DRAIN_SHARE: Final = 1 / 48
"""Of a period: how long time is still held back once a topic speaks again, for what waited at its
publisher comes first, and late. Half an hour of a day."""


def is_dead(arrivals: Mapping[str, Sequence[int]]) -> bool:
    """Whether the purchases' publisher seems to be dead while others go on.

    Of engagements nothing is believed that their absence could make wrong.

    Args:
        arrivals: by topic, records that came in each of the last periods, the newest first.
    """
    bought = arrivals[PURCHASES]
    silent = next((period for period, count in enumerate(bought) if count), len(bought))
    if not 0 < silent < len(bought) or not arrivals[ENGAGEMENTS][0]:
        return False
    a_period = sum(bought) / (len(bought) - silent)
    return a_period * silent >= EXPECTED_MIN


class PublisherWatch:
    """Asks Kafka while it runs.

    Args:
        settings: where Kafka is, and what silence is suspicious.
        now_ms: the time of day, epoch ms.
        told: called after each answer with the topic whose publisher may be dead, and whether
            time is held back because of it.

    Attributes:
        holds: whether time must not be believed now; also until the first answer.
    """

    def __init__(
        self,
        settings: Settings,
        now_ms: Callable[[], int],
        told: Callable[[str, bool], None] = lambda _topic, _held: None,
    ) -> None:
        self._settings, self._now_ms, self._told = settings, now_ms, told
        self._period_ms = settings.publisher_silence_ms
        self._dead = False
        self._held_until_ms = 0
        self.holds = self._period_ms > 0

    async def run(self) -> None:
        """Until cancelled. Where Kafka does not answer, the last verdict stands."""
        if not self.holds:
            return
        wait_s = min(_CHECK_S, self._period_ms / 1000 / _CHECKS_A_PERIOD)
        trouble = TroubleLog(log, "it can be told again whether publishers live")
        while True:
            try:
                async with kafka.consumer(self._settings) as consumer:
                    while True:
                        now_ms = self._now_ms()
                        self.judge(await self._arrivals(consumer, now_ms), now_ms)
                        trouble.worked()
                        await asyncio.sleep(wait_s)
            except (KafkaError, kafka.KafkaAway) as error:
                trouble.failed(f"cannot tell whether publishers live: {error}")
                await asyncio.sleep(_RETRY_S)

    def judge(self, arrivals: Mapping[str, Sequence[int]], now_ms: int) -> None:
        """Take what came, and hold time back or let it go.

        Args:
            arrivals: see `is_dead`.
            now_ms: when they were counted, epoch ms.
        """
        was, self._dead = self._dead, is_dead(arrivals)
        if self._dead and not was:
            log.warning(
                "nothing has come to %s for %.1f h or more, while %s goes on: its publisher seems "
                "to be dead, and no silence is believed until it speaks (%sPUBLISHER_SILENCE=0s "
                "turns this off)",
                PURCHASES,
                self._period_ms / 3_600_000,
                ENGAGEMENTS,
                PREFIX,
            )
        elif was and not self._dead:
            self._held_until_ms = now_ms + int(self._period_ms * _DRAIN_SHARE)
            log.warning("%s speaks again, or was given up: time goes on soon", PURCHASES)
        self.holds = self._dead or now_ms < self._held_until_ms
        self._told(PURCHASES, self.holds)

    async def _arrivals(self, consumer: Any, now_ms: int) -> dict[str, list[int]]:
        places = [TopicPartition(t, n) for t in INPUTS for n in range(self._settings.partitions)]
        later = await consumer.end_offsets(places)
        found: dict[str, list[int]] = {topic: [] for topic in INPUTS}
        for period in range(1, PERIODS + 1):
            since_ms = now_ms - period * self._period_ms
            first = await consumer.offsets_for_times(dict.fromkeys(places, since_ms))
            earlier = {tp: first[tp].offset if first[tp] else later[tp] for tp in places}
            for topic in INPUTS:
                found[topic].append(
                    sum(later[tp] - earlier[tp] for tp in places if tp.topic == topic)
                )
            later = earlier
        return found
