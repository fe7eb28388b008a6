"""Whether Kafka answers, asked now and then, for `/readyz`; and whether inputs are as they were.

A worker that has nothing to do sends nothing that could fail, and aiokafka repeats in silence what
fails while it has. So a question is put to the brokers beside the work: a new connection each
time, for one that is kept says nothing of a broker that stands still.
"""

import asyncio
import logging
from typing import Final

from streams import kafka, topic_admin
from streams.readiness import Readiness
from streams.settings import Settings

log = logging.getLogger(__name__)

ASK_S: Final = 5.0
ANSWER_S_MAX: Final = 5.0
"""A full batch holds the event loop for a second or so: less would be a false alarm."""

NAME: Final = "kafka"


async def watch(settings: Settings, readiness: Readiness) -> None:
    """Keep `readiness` true until cancelled; a change is one line of the log.

    Raises:
        WrongTopics: one has got more partitions, or is another topic of its name.
    """
    said: str | None = None
    ids: dict[str, bytes] = {}
    while True:
        trouble = await _trouble(settings, ids)
        if trouble is None:
            readiness.answers(NAME)
        else:
            readiness.away(NAME, trouble)
        if trouble is None and said is not None:
            log.info("Kafka answers again at %s", settings.kafka_bootstrap)
        elif trouble is not None and trouble != said:
            log.warning("Kafka %s; waits for it", trouble)
        said = trouble
        await asyncio.sleep(ASK_S)


async def _trouble(settings: Settings, ids: dict[str, bytes]) -> str | None:
    """What keeps us from Kafka; None where a broker tells who is there."""
    try:
        async with asyncio.timeout(ANSWER_S_MAX), kafka.admin(settings) as client:
            await topic_admin.hold_unchanged(settings, client, ids)
            return None
    except kafka.KafkaRefused as refused:  # a password or a certificate that is no longer good
        return str(refused).removeprefix("Kafka ").rstrip(".")
    except (kafka.KafkaAway, TimeoutError):
        return f"does not answer at {settings.kafka_bootstrap}"
