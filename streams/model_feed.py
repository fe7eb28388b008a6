"""Reads all of `clv.model-params`, outside any group: what every worker knows of parameters."""

import asyncio
import logging
from typing import Any, Final

from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from models.parameters import InvalidParameters
from models.releases import Releases
from sinks.metrics import Metrics
from streams import kafka
from streams.settings import Settings
from streams.topics import MODEL_PARAMS

log = logging.getLogger(__name__)

_PLACE: Final = TopicPartition(MODEL_PARAMS, 0)
_POLL_MS: Final = 1_000
RETRY_S: Final = 2.0


class ModelFeed:
    """Keeps a worker's releases up with their topic, while it runs.

    Attributes:
        releases: what is known.
        caught_up: set once everything was read that was on the topic at the start.
    """

    def __init__(self, settings: Settings, metrics: Metrics, releases: Releases) -> None:
        self._settings, self._metrics = settings, metrics
        self.releases = releases
        self.caught_up = asyncio.Event()
        self._next_offset: int | None = None

    async def run(self) -> None:
        """Read until cancelled. While Kafka is away, what is known holds."""
        while True:
            try:
                await self._read()
            except (KafkaError, kafka.KafkaAway) as error:
                log.warning("no news of parameters: %s", error)
                await asyncio.sleep(RETRY_S)

    async def _read(self) -> None:
        async with kafka.consumer(self._settings) as consumer:
            consumer.assign([_PLACE])
            if self._next_offset is not None:
                consumer.seek(_PLACE, self._next_offset)
            end = (await consumer.end_offsets([_PLACE]))[_PLACE]
            while True:
                if await consumer.position(_PLACE) >= end:
                    self.caught_up.set()
                fetched = await consumer.getmany(_PLACE, timeout_ms=_POLL_MS)
                for record in fetched.get(_PLACE, []):
                    self.take(record)
                    self._next_offset = record.offset + 1

    def take(self, record: Any) -> None:
        """Add a record's parameters to what is known; those that cannot be used are told."""
        if record.value is None:  # withdrawn: who is scored by them stays so
            return
        try:
            released = self.releases.take(record.value, record.timestamp)
        except InvalidParameters as refusal:
            self._metrics.model_refused()
            log.error(  # noqa: TRY400 - the sentence says it all
                "the parameters at offset %d of %s are refused: %s; customers are scored by %s",
                record.offset,
                MODEL_PARAMS,
                refusal,
                self.releases.newest.params.version,
            )
        else:
            log.info("the newest parameters are %s", released.params.version)
