"""Faust's consumer, replaced by one that begins and ends lanes as the group decides.

It runs on the app's own event loop. Faust's fetcher, flow control, acknowledgements and
offset commits are not used: offsets travel in the lanes' transactions.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

import aiokafka
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.structs import TopicPartition
from faust.types import TP, ConsumerMessage

from streams.transport import (  # before the first connection
    closing,  # noqa: F401
    header_names,  # noqa: F401
    heartbeat,  # noqa: F401
)
from streams.transport.batch import Batch
from streams.transport.brokers import until_brokers
from streams.transport.feed import KafkaFeed
from streams.transport.inert import InertConsumer
from streams.transport.lane import Lane
from streams.transport.stopping import stop
from streams.transport.transaction import is_passing

log = logging.getLogger(__name__)

FETCH_WAIT_MS = 10
"""How long the broker holds a fetch that finds nothing. While it does, partitions of the same
broker that fall empty meanwhile are not asked for: this bounds what that costs in latency."""

FETCH_BYTES_MIN, FETCH_BYTES_MAX = 1 << 20, 16 << 20
SENT_AHEAD_BYTES_MAX = 192 << 20
"""What Kafka may send ahead in all, where a backlog waits in every partition of every input."""

SESSION_TIMEOUT_MS = 12_000
HEARTBEAT_MS = 2_000
REBALANCE_TIMEOUT_MS = 60_000
NEVER_MS = 10**12
"""aiokafka makes a worker that fetches nothing for some time leave its group, and lets it join
again only when it has fetched: never, where it has no partitions, or waits for Redis."""

HEED_S = 1.0
"""How often the group is asked whether something went wrong that nobody has been told."""

RETRY_S = 1.0
DRAIN_S_MAX = 15.0
"""How long a rebalance waits for a batch in flight; well below the rebalance timeout."""


def fetch_bytes_max(logs: int) -> int:
    """What is fetched of one log at a time: of few much, so that they can give full batches.

    Args:
        logs: how many a worker may have to read, one for each partition of each input.
    """
    return max(FETCH_BYTES_MIN, min(FETCH_BYTES_MAX, SENT_AHEAD_BYTES_MAX // logs))


class InstanceTakenError(Exception):
    """Another member of the group has this worker's instance id."""


class LaneConsumer(InertConsumer):
    """Subscribes, and follows rebalances with lanes.

    Attributes:
        lanes: the numbers that this worker owns.
        joined: whether the group has given it its partitions, be they none.
        feed: what its lanes are fed by; made at the start.
    """

    consumer_stopped_errors = (aiokafka.errors.ConsumerStoppedError,)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lanes: dict[int, Lane] = {}
        self._instance: str | None = self.app.conf.consumer_group_instance_id or None
        self._generation, self._member = -1, ""
        self.joined = False
        self._closing = self._parted = False
        self._kafka: aiokafka.AIOKafkaConsumer = None
        self.feed: KafkaFeed = None  # type: ignore[assignment]  # from its start on
        self._watching: list[asyncio.Task[None]] = []

    # -- life ---------------------------------------------------------------------------------

    async def on_start(self) -> None:
        """Connect; partitions come after `subscribe`."""
        settings = self.app.lane_settings
        self._kafka = aiokafka.AIOKafkaConsumer(
            **settings.connection,
            group_id=settings.group,
            group_instance_id=self._instance,
            # Equal partition counts and the range assignor give a member the same numbers of
            # every topic.
            partition_assignment_strategy=[RangePartitionAssignor],
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=fetch_bytes_max(
                len(settings.inputs) * self.app.conf.topic_partitions
            ),
            fetch_max_wait_ms=FETCH_WAIT_MS,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
            max_poll_interval_ms=NEVER_MS,
        )
        self.feed = KafkaFeed(self._kafka, settings.records_max, self._deliver)
        while True:  # Kafka was there when the topics were verified, and may be away again
            try:
                await self._kafka.start()
                break
            except aiokafka.errors.KafkaConnectionError as away:
                log.warning("%s (tries again in %.1f s)", away, RETRY_S)
                await asyncio.sleep(RETRY_S)
        await until_brokers(self._kafka._client)  # noqa: SLF001
        self._watching = [
            asyncio.create_task(self._heed()),
            asyncio.create_task(self.feed.turns.pace.watch()),
        ]

    async def on_stop(self) -> None:
        """Finish what is in flight, then leave the group."""
        await self.release()
        self._stop_watching()
        if self._kafka is not None:
            await stop(self._kafka)

    async def release(self) -> bool:
        """Finish and let go of every lane.

        Returns:
            Whether each ended in order, and none in the middle of a batch.
        """
        self._closing = True
        lanes = list(self.lanes.values())
        await self._drain()
        await self._close(set(self.lanes))
        return not any(lane.cut_off for lane in lanes)

    async def abandon(self) -> None:
        """Commit nothing more, and leave the group at once."""
        self._closing = True
        self._stop_watching()
        await self._close(set(self.lanes))
        await stop(self._kafka)

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Join the group."""
        self._kafka.subscribe(topics=sorted(topics), listener=Rebalance(self))

    # -- rebalances ---------------------------------------------------------------------------

    async def _drain(self) -> None:
        lanes = list(self.lanes.values())
        goes_on = await asyncio.gather(*(lane.drain(DRAIN_S_MAX) for lane in lanes))
        broken = [lane for lane, whole in zip(lanes, goes_on, strict=True) if not whole]
        # A shutdown may have come in between, and closed them itself.
        await self._close({lane.number for lane in broken if self.lanes.get(lane.number) is lane})

    async def _close(self, numbers: set[int]) -> None:
        """Let go of these numbers, all at once: Redis or Kafka may make each take seconds."""
        await asyncio.gather(*(self.lanes.pop(number).close() for number in numbers))

    async def assign(self, assigned: set[TP], generation: int, member: str) -> None:
        """Begin new lanes, go on with kept ones, close the rest.

        A lane is kept only over a rebalance that this worker took part in: had a generation
        passed without it, another worker may have owned and changed the partition meanwhile.
        In the same generation nobody has: the worker asked again, as when Kafka was away.

        Raises:
            InstanceTakenError: in the same generation the group knows this worker by another id.
        """
        if self._closing:
            return
        if generation == self._generation and member != self._member:
            # No rebalance, and yet this worker had to begin anew: a static member was replaced.
            raise InstanceTakenError(self._instance)
        numbers, parted = self._numbers(assigned)
        if parted:
            log.error(
                "partition numbers %s were assigned without some of their topics, and wait: do all "
                "inputs have the same number of partitions? See `clv topics check`",
                sorted(parted),
            )
        kept = numbers & set(self.lanes) if 0 <= generation - self._generation <= 1 else set()
        self._generation, self._member, self.joined = generation, member, not parted
        self._parted = bool(parted)
        await self._close(set(self.lanes) - kept)
        if self._closing:  # meanwhile
            return
        for number in sorted(numbers):
            if number not in self.lanes:
                self.lanes[number] = self.app.new_lane(number, self.feed)
            self.lanes[number].start().add_done_callback(self._lane_ended)
        log.info(
            "generation %d: partition numbers %s (%d kept)",
            generation,
            sorted(numbers),
            len(kept),
        )

    def _numbers(self, assigned: set[TP]) -> tuple[set[int], set[int]]:
        """Partition numbers of which all inputs were assigned, and of which some were.

        The latter may have an owner in each of two workers, who would fence each other.
        """
        inputs = self.app.lane_settings.inputs
        numbers = {tp.partition for tp in assigned}
        whole = {n for n in numbers if all(TP(topic, n) in assigned for topic in inputs)}
        return whole, numbers - whole

    async def _heed(self) -> None:
        """Hear of the group's errors also while no lane fetches: until then aiokafka waits."""
        coordinator = self._kafka._coordinator  # noqa: SLF001
        while True:
            await asyncio.sleep(HEED_S)
            if self._parted:  # aiokafka looks for a topic that is missing every five minutes
                self._kafka._client.force_metadata_update()  # noqa: SLF001
            try:
                coordinator.check_errors()
            except aiokafka.errors.KafkaError as error:
                if coordinator._coordination_task.done() or not is_passing(error):  # noqa: SLF001
                    self.app.fail(error)
                    return
                log.warning("%s: %s; joins its group again", type(error).__name__, error)
                # Else a heartbeat that has failed for good would not begin again.
                coordinator.request_rejoin()
            except asyncio.CancelledError as error:  # not this task's, which awaits nothing there
                cancelled = RuntimeError("aiokafka's part in the group was cancelled")
                cancelled.__cause__ = error
                self.app.fail(cancelled)
                return

    def _stop_watching(self) -> None:
        for task in self._watching:
            task.cancel()

    def _lane_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.app.fail(error)

    async def _deliver(self, batch: Batch) -> None:
        """Hand a batch to the agent, through Faust's conductor."""
        # Faust needs some message around it: of which topic and offset means nothing to us.
        tp = TP(self.app.lane_settings.inputs[0], batch.lane.number)
        await self.callback(
            ConsumerMessage(
                *tp, 0, 0.0, 0, None, None, batch, None, 0, 0, tp,
                generation_id=self.app.consumer_generation_id,
            )
        )  # fmt: skip

    def assignment(self) -> set[TP]:
        """The partitions held now."""
        if self._kafka is None:
            return set()
        return {TP(tp.topic, tp.partition) for tp in self._kafka.assignment()}


class Rebalance(aiokafka.abc.ConsumerRebalanceListener):
    """Called by aiokafka inside a rebalance, before it goes on."""

    def __init__(self, consumer: LaneConsumer) -> None:
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """A rebalance begins: finish the batches in flight."""
        try:
            await self._consumer.app.rebalance_begins()
            await self._consumer._drain()  # noqa: SLF001
        except Exception as error:  # noqa: BLE001  aiokafka would only log it
            self._consumer.app.fail(error)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """A rebalance ends with these partitions."""
        consumer = self._consumer
        coordinator = consumer._kafka._coordinator  # noqa: SLF001
        generation, member = coordinator.generation, coordinator.member_id
        try:
            tps = {TP(tp.topic, tp.partition) for tp in assigned}
            await consumer.app.rebalance_ends(tps, generation)
            await consumer.assign(tps, generation, member)
        except Exception as error:  # noqa: BLE001  aiokafka would only log it
            consumer.app.fail(error)
