"""Where the inputs of each partition number end: asked of all at once, and none waits for another.

Kafka is asked several times a second, so of all numbers together. One whose leader is away is
repeated by aiokafka until it times out, and all of the answer waits: such a number is then asked
alone, until it answers again.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from streams.topics import INPUTS

ANSWER_S_MAX: Final = 5.0
"""A full batch holds the event loop for a second or so: less would be a false alarm."""

ALONE_S_MAX: Final = 0.5
"""How long those that answer alone are waited for at once: that is a matter of milliseconds."""

RETRY_S: Final = 1.0


class Asked(Protocol):
    """Who knows where logs end, as aiokafka's consumer does."""

    async def end_offsets(self, partitions: list[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Of each of these."""
        ...


class InputEnds:
    """Asks for them.

    Args:
        asked: started, and not closed before this.
    """

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._alone: dict[int, asyncio.Task[dict[str, int]]] = {}

    @property
    def silent(self) -> list[int]:
        """Partition numbers that have not answered since they were asked alone."""
        return sorted(number for number, task in self._alone.items() if not task.done())

    async def of(self, numbers: Iterable[int]) -> dict[int, dict[str, int]]:
        """By number and topic, the offset behind the last record, of those that answer now."""
        self._take_answers()  # which may be old by now: they only tell that there are some again
        asked = [number for number in numbers if number not in self._alone]
        if not asked:
            return {}
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                return await self._ask(asked)
        except (KafkaError, TimeoutError):  # whose fault it is, it does not tell
            for number in asked:
                self._alone[number] = asyncio.create_task(self._until_it_answers(number))
            await asyncio.wait([self._alone[number] for number in asked], timeout=ALONE_S_MAX)
            return self._take_answers()

    def _take_answers(self) -> dict[int, dict[str, int]]:
        done = [number for number, task in self._alone.items() if task.done()]
        return {number: self._alone.pop(number).result() for number in done}

    async def _ask(self, numbers: Iterable[int]) -> dict[int, dict[str, int]]:
        places = [TopicPartition(topic, number) for number in numbers for topic in INPUTS]
        ends = await self._asked.end_offsets(places)
        found: dict[int, dict[str, int]] = {}
        for tp in places:
            found.setdefault(tp.partition, {})[tp.topic] = ends[tp]
        return found

    async def _until_it_answers(self, number: int) -> dict[str, int]:
        while True:
            try:
                return (await self._ask([number]))[number]
            except KafkaError:
                await asyncio.sleep(RETRY_S)

    async def aclose(self) -> None:
        """Ask no more."""
        for task in self._alone.values():
            task.cancel()
        await asyncio.gather(*self._alone.values(), return_exceptions=True)
        self._alone.clear()
