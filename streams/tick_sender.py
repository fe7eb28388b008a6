"""Sends ticks: of each partition one at a time, and no partition waits for another's."""

import asyncio
from typing import Any, NamedTuple

from aiokafka.errors import KafkaError

from models.releases import Released
from streams.topics import CLOCK


class News(NamedTuple):
    """What a tick tells beside the ends of inputs.

    Attributes:
        at_ms: time at its making, epoch milliseconds.
        newest: the newest parameters.
    """

    at_ms: int
    newest: Released


class Heard(NamedTuple):
    """What became of ticks that were under way.

    Attributes:
        taken: how many Kafka has taken.
        failed: why not, of one that it has not; None where it has taken all.
    """

    taken: int
    failed: KafkaError | None


class TickSender:
    """The ticks under way.

    Args:
        producer: of aiokafka's, started.
        told: by partition number, what Kafka has taken last; kept by whoever sends again later.
    """

    def __init__(self, producer: Any, told: dict[int, News]) -> None:
        self._producer, self._told = producer, told
        self._under_way: dict[int, tuple[News, asyncio.Future[Any]]] = {}

    def hear(self) -> Heard:
        """What became of ticks since this was asked last."""
        taken, failed = 0, None
        for number, (news, sent) in list(self._under_way.items()):
            if not sent.done():
                continue
            del self._under_way[number]
            match sent.exception():
                case None:
                    self._told[number] = news
                    taken += 1
                case KafkaError() as error:
                    failed = error
                case error:
                    raise error
        return Heard(taken, failed)

    def wants(self, number: int, news: News) -> bool:
        """Whether a partition is to be told: what it was told last is another, and was taken.

        While time stands no later tick knows more: so the last one must have been taken.
        """
        return number not in self._under_way and self._told.get(number) != news

    async def send(self, number: int, news: News, tick: bytes) -> None:
        """Send one that is wanted."""
        sent = await self._producer.send(CLOCK, tick, partition=number)
        # At the end nobody hears of it any more, and asyncio need not complain.
        sent.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._under_way[number] = news, sent
