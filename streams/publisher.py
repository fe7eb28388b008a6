"""Many records to Kafka at little cost: whole batches, placed as the Java client places them."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder

_CACHED_KEYS_MAX: Final = 1_000_000
_IN_FLIGHT_MAX: Final = 256


class Record(NamedTuple):
    """What is published: `value` under `key` to `topic`, with Kafka `headers`."""

    topic: str
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


class Publisher:
    """Fills one batch per partition and sends those that are full.

    Records of one partition arrive in the order in which they were given. A record is safe only
    when `flush` has returned.

    Args:
        producer: started, idempotent.
        partitions: how many each topic has.
    """

    def __init__(self, producer: AIOKafkaProducer, partitions: dict[str, int]) -> None:
        self._producer = producer
        self._partitions = partitions
        self._hashes: dict[bytes, int] = {}
        self._filling: dict[tuple[str, int], BatchBuilder] = {}
        self._in_flight: list[asyncio.Future[Any]] = []
        self._without_key = 0

    async def publish(self, records: Iterable[Record]) -> None:
        """Take records; full batches leave, the rest waits for more or for `flush`.

        Raises:
            KafkaError: an earlier batch could not be delivered.
        """
        filling = self._filling
        for record in records:
            topic, key, value, headers = record
            place = topic, self._partition(topic, key)
            batch = filling.get(place)
            if batch is None:
                batch = filling[place] = self._producer.create_batch()
            if batch.append(timestamp=None, key=key, value=value, headers=list(headers)) is None:
                await self._send(place)
                batch = filling[place] = self._producer.create_batch()
                appended = batch.append(timestamp=None, key=key, value=value, headers=list(headers))
                assert appended is not None, "an empty batch takes any record"

    async def flush(self) -> None:
        """Send all that was taken, and wait until Kafka has it.

        Raises:
            KafkaError: something could not be delivered.
        """
        for place in tuple(self._filling):
            await self._send(place)
        delivered, self._in_flight = self._in_flight, []
        await asyncio.gather(*delivered)

    async def _send(self, place: tuple[str, int]) -> None:
        batch = self._filling.pop(place)
        batch.close()
        topic, partition = place
        future = await self._producer.send_batch(batch, topic, partition=partition)
        self._in_flight.append(future)
        if len(self._in_flight) >= _IN_FLIGHT_MAX:
            done, self._in_flight = (
                self._in_flight[: _IN_FLIGHT_MAX // 2],
                self._in_flight[_IN_FLIGHT_MAX // 2 :],
            )
            await asyncio.gather(*done)

    def _partition(self, topic: str, key: bytes | None) -> int:
        if key is None:  # in turn, as the order among records without a key means nothing
            self._without_key += 1
            return self._without_key % self._partitions[topic]
        hashed = self._hashes.get(key)
        if hashed is None:
            if len(self._hashes) >= _CACHED_KEYS_MAX:
                self._hashes.clear()
            hashed = self._hashes[key] = murmur2(key) & 0x7FFFFFFF
        return hashed % self._partitions[topic]
