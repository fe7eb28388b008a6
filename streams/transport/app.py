"""A Faust app whose consumer feeds lanes."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

import faust
from faust.app.base import BootStrategy
from faust.transport.base import Transport
from faust.types import TP, ServiceT

from streams.transport.consumer import LaneConsumer
from streams.transport.lane import Lane
from streams.transport.roles import Feed, KeeperFactory, LaneSettings
from streams.transport.schema import BatchSchema
from streams.transport.table import LaneTableManager, StateTable

log = logging.getLogger(__name__)


class LaneBoot(BootStrategy):
    """The services of a worker, less those that lanes replace."""

    enable_kafka_producer = False
    enable_web = False

    def kafka_consumer(self) -> Iterable[ServiceT]:
        """No leader election and no replies."""
        return [self.app.consumer]


class LaneTransport(Transport):
    """Faust's transport with the lane consumer."""

    Consumer = LaneConsumer
    driver_version = "lanes over aiokafka"


class LaneApp(faust.App):
    """An app with ordinary agents and tables, fed one batch at a time per partition number."""

    BootStrategy = LaneBoot

    def __init__(
        self,
        settings: LaneSettings,
        keeper: KeeperFactory,
        *,
        partitions: int,
        instance: str | None,
    ) -> None:
        super().__init__(
            settings.group,
            broker="kafka://",  # the connection is the lane settings', not Faust's
            store="memory://",
            datadir=".",
            topic_partitions=partitions,
            topic_disable_leader=True,
            topic_allow_declare=False,
            table_standby_replicas=0,
            producer_threaded=False,
            stream_publish_on_commit=False,
            stream_wait_empty=False,
            # One message is a batch of thousands of records, and each lane has one in flight.
            stream_buffer_maxsize=partitions,
            web_enabled=False,
            consumer_group_instance_id=instance or "",
            Table=StateTable,
            TableManager=LaneTableManager,
        )
        self.lane_settings = settings
        self._keeper = keeper
        self._failed: asyncio.Future[BaseException] | None = None
        self.transport = LaneTransport([], self)

    def inputs(self) -> Any:
        """The channel of all inputs, for the agent."""
        return self.topic(
            *self.lane_settings.inputs, key_type=bytes, value_type=bytes, schema=BatchSchema()
        )

    def new_lane(self, number: int, feed: Feed) -> Lane:
        """The lane of a partition number that this worker takes over."""
        (table,) = self.tables.values()
        return Lane(number, self.lane_settings, feed, table, self._keeper)

    @property
    def lanes(self) -> dict[int, Lane]:
        """The lanes held, by partition number."""
        lanes: dict[int, Lane] = self.consumer.lanes
        return lanes

    @property
    def joined(self) -> bool:
        """Whether the group has given this worker its partitions, be they none."""
        return bool(self.consumer.joined)

    async def ready(self) -> None:
        """Wait until the group has given this worker lanes, and all of them are ready."""
        while not self.lanes or not all(lane.ready for lane in self.lanes.values()):
            await asyncio.sleep(0.05)  # lanes come, go and begin again: there is no one event

    @property
    def failed(self) -> asyncio.Future[BaseException]:
        """What ended the worker, for whoever runs the app to wait for."""
        if self._failed is None:
            self._failed = asyncio.get_running_loop().create_future()
        return self._failed

    def fail(self, error: BaseException) -> None:
        """End the worker, loudly, with nothing more committed."""
        if not self.failed.done():
            self.failed.set_result(error)

    def _create_directories(self) -> None:
        """None are needed: nothing is kept on disk."""

    async def rebalance_begins(self) -> None:
        """Nothing is delivered until it ends."""
        self.on_rebalance_start()

    async def rebalance_ends(self, assigned: set[TP], generation: int) -> None:
        """Tell Faust's agents and conductor what is theirs."""
        self.consumer_generation_id = generation
        revoked, added = self._update_assignment(assigned)
        await self.agents.on_rebalance(revoked, added)
        await self.topics.maybe_wait_for_subscriptions()
        await self.topics.on_partitions_assigned(assigned)
        # Resuming clears queues, which are empty: lanes were drained.
        self.flow_control.resume()
        self.tables.ready.set()
        await self.on_partitions_assigned.send(assigned)
        self.on_rebalance_return()
        self.on_rebalance_end()
