"""What a lane asks Kafka for: records, offsets, and whether its number is still its own."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

import aiokafka
from aiokafka.structs import TopicPartition

from streams.transport.batch import Batch
from streams.transport.pace import Pace
from streams.transport.roles import Start
from streams.transport.turns import Turns

POLL_MS = 100
"""How long a lane waits for records before it looks up."""

FRESH_MS = 15
"""How long a lane that was at work waits for what has come since its records were fetched."""

PLENTY = 10
"""This part of a full batch is plenty: then throughput counts, and its latency is its own."""

STALL_S = 10.0
"""A worker that has asked for nothing in so long stood still, or waited for something. Meanwhile a
log may have become another one: Kafka answers for it as for the old one, once it is long enough."""

ASK_S = 0.5
"""How often the group is asked something again that its coordinator did not answer."""


class KafkaFeed:
    """The feed of all lanes of a worker (see `streams.transport.roles.Feed`).

    Args:
        kafka: a consumer of aiokafka's, in a group.
        records_max: most records that lanes have in work together.
        deliver: hands a batch to the agent.
    """

    def __init__(
        self,
        kafka: aiokafka.AIOKafkaConsumer,
        records_max: int,
        deliver: Callable[[Batch], Coroutine[Any, Any, None]],
    ) -> None:
        self._kafka = kafka
        self.turns = Turns(Pace(records_max))
        self._plenty = records_max // PLENTY
        self.deliver = deliver
        self.stalls = 0
        self._asked_s = time.monotonic()

    async def fetch(
        self, tps: list[TopicPartition], records_max: int, *, patiently: bool
    ) -> dict[TopicPartition, list[Any]]:
        """What has come, up to `records_max`; where it may wait, after a moment of silence.

        aiokafka fetches a partition's next records as soon as its last ones are taken, and holds
        them while those are worked on. What came meanwhile would wait for a whole batch more: so
        it is asked for, too, unless there is plenty to do.
        """
        fetched = await self._records(tps, 0, records_max)
        if not patiently:
            return fetched
        if not fetched:
            return await self._records(tps, POLL_MS, records_max)
        count = sum(map(len, fetched.values()))
        if count < min(self._plenty, records_max):
            for tp, chunk in (await self._records(tps, FRESH_MS, records_max - count)).items():
                fetched.setdefault(tp, []).extend(chunk)
        return fetched

    async def _records(
        self, tps: list[TopicPartition], timeout_ms: int, records_max: int
    ) -> dict[TopicPartition, list[Any]]:
        self._notice_stall()
        found: dict[TopicPartition, list[Any]] = await self._kafka.getmany(
            *tps, timeout_ms=timeout_ms, max_records=records_max
        )
        self._notice_stall()
        return found

    def _notice_stall(self) -> None:
        now_s = time.monotonic()
        self.stalls += now_s - self._asked_s > STALL_S
        self._asked_s = now_s

    async def starts(self, tps: list[TopicPartition]) -> dict[TopicPartition, Start]:
        """The committed offset of each, or its earliest where nothing is committed yet."""
        coordinator = self._kafka._coordinator  # noqa: SLF001
        # Not `committed`, which asks for one after the other, and leaves out what stands with it.
        committed = await coordinator.fetch_committed_offsets(tps)
        starts = {
            tp: Start.of(one.offset, one.metadata)
            for tp, one in committed.items()
            if one.offset >= 0
        }
        if fresh := [tp for tp in tps if tp not in starts]:
            earliest = await self._kafka.beginning_offsets(fresh)
            starts |= {tp: Start(offset, 0) for tp, offset in earliest.items()}
        return starts

    async def earliest(self, tp: TopicPartition) -> int:
        """Where the log begins."""
        offsets: dict[TopicPartition, int] = await self._kafka.beginning_offsets([tp])
        return offsets[tp]

    async def ends(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Where each log ends now, for a reader of committed records."""
        offsets: dict[TopicPartition, int] = await self._kafka.end_offsets(list(tps))
        return offsets

    def end(self, tp: TopicPartition) -> int:
        """Where a log ended at its last fetch; -1 while unknown."""
        known: int | None = self._kafka.last_stable_offset(tp)
        return -1 if known is None else known

    def rewind(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Fetch from here next, whatever was fetched before."""
        for tp, offset in offsets.items():
            self._kafka.seek(tp, offset)

    async def is_member(self) -> bool:
        """Whether the group counts this worker in, so that nobody else has its numbers."""
        coordinator = self._kafka._coordinator  # noqa: SLF001
        while coordinator.member_id:  # aiokafka forgets it as soon as the group has
            with contextlib.suppress(aiokafka.errors.KafkaError):
                if await coordinator._do_heartbeat():  # noqa: SLF001
                    return True
            await asyncio.sleep(ASK_S)  # unless it was forgotten: the coordinator is away
        return False

    def reached(self, tp: TopicPartition) -> int:
        """The next offset that will be delivered; -1 while unknown."""
        subscription = self._kafka._subscription.subscription  # noqa: SLF001
        assignment = subscription.assignment if subscription is not None else None
        state = assignment.state_value(tp) if assignment is not None else None
        return state.position if state is not None and state.has_valid_position else -1
