"""A feed, transactions and a keeper in memory, and a broker's view of them, to drive a lane."""

import asyncio
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from aiokafka.structs import TopicPartition

from sinks.record import Output, Record
from streams.transport.batch import Batch
from streams.transport.lane import Lane
from streams.transport.pace import Pace
from streams.transport.received import Seen
from streams.transport.roles import LaneSettings, Start
from streams.transport.table import StateTable
from streams.transport.turns import Turns

IN, MORE, CLOCK = (TopicPartition(topic, 0) for topic in ("in", "more", "clock"))
SETTINGS = LaneSettings(
    group="g",
    inputs=("in", "more", "clock"),
    aligned=("in", "more"),
    expiring=("clock",),
    changelog="log",
    connection={},
    records_max=100,
)


class FakeRecord(SimpleNamespace):
    """As a class of Python it has weak references, which the namespace has not."""


def record(tp: TopicPartition, offset: int) -> Any:
    """A record whose timestamp is its offset."""
    return FakeRecord(
        topic=tp.topic, partition=tp.partition, offset=offset, timestamp=offset, key=b"k", value=b""
    )


class Broker:
    """Logs, committed offsets, and the epoch of the one transactional id; a `Feed`.

    `faults` are raised by the next commits, one each; `None` commits. `hold` keeps commits open.
    """

    def __init__(self) -> None:
        self.logs: dict[TopicPartition, list[Any]] = {IN: [], MORE: [], CLOCK: []}
        self.begins: dict[TopicPartition, int] = {IN: 0, MORE: 0, CLOCK: 0}
        self.markers: dict[TopicPartition, int] = {}  # where a log ends behind its last one
        self.committed: dict[TopicPartition, int] = {}
        self.notes: dict[TopicPartition, str] = {}  # that stand with those
        self.changelog: list[Any] = []
        self.changelog_end = 0
        self.held_back = 0  # so many records of it are shown to nobody
        self.positions: dict[TopicPartition, int] = {}
        self.faults: list[BaseException | None] = []
        self.member = True
        self.epoch = 0
        self.turns = Turns(Pace(200))
        self.stalls = 0
        self.commits = 0
        self.hold = asyncio.Event()
        self.hold.set()
        self.delivered: asyncio.Queue[Batch] = asyncio.Queue()
        self.fetch_lost = False

    def publish(self, tp: TopicPartition, count: int = 1, *, gap: int = 0) -> None:
        """Append records, after a gap such as transaction markers leave."""
        start = self.end(tp) + gap
        self.logs[tp].extend(record(tp, offset) for offset in range(start, start + count))

    def end_transaction(self, tp: TopicPartition) -> None:
        """Append a marker, which is never delivered."""
        self.markers[tp] = self.end(tp) + 1

    def make_anew(self, tp: TopicPartition, count: int, *, first_ms: int) -> None:
        """Another log in its place, a record each millisecond."""
        self.logs[tp] = [record(tp, offset) for offset in range(count)]
        for one in self.logs[tp]:
            one.timestamp += first_ms
        self.begins[tp] = 0
        self.markers.pop(tp, None)

    def expire(self, tp: TopicPartition, before: int) -> None:
        """Delete what the retention has passed."""
        self.begins[tp] = before
        self.logs[tp] = [one for one in self.logs[tp] if one.offset >= before]

    # -- Feed ---------------------------------------------------------------------------------

    async def fetch(
        self, tps: list[TopicPartition], records_max: int, *, patiently: bool = True
    ) -> dict[TopicPartition, list[Any]]:
        await asyncio.sleep(0.001)
        taken: dict[TopicPartition, list[Any]] = {}
        for tp in tps:
            position = max(self.positions[tp], self.begins[tp])
            left = [one for one in self.logs[tp] if one.offset >= position]
            chunk = left[:records_max]
            if chunk:
                taken[tp] = chunk
                position = chunk[-1].offset + 1
            self.positions[tp] = position if len(left) > len(chunk) else max(position, self.end(tp))
        if self.fetch_lost:  # as when a cancelled call had been handed them already
            await asyncio.sleep(3600)
        return taken

    async def deliver(self, batch: Batch) -> None:
        self.delivered.put_nowait(batch)

    async def starts(self, tps: list[TopicPartition]) -> dict[TopicPartition, Start]:
        return {
            tp: Start.of(self.committed.get(tp, self.begins[tp]), self.notes.get(tp, ""))
            for tp in tps
        }

    async def earliest(self, tp: TopicPartition) -> int:
        return self.begins[tp]

    async def ends(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        await asyncio.sleep(0)
        return {tp: self.end(tp) for tp in tps}

    def end(self, tp: TopicPartition) -> int:
        last = self.logs[tp][-1].offset + 1 if self.logs[tp] else self.begins[tp]
        return max(last, self.markers.get(tp, 0))

    def rewind(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.positions.update(offsets)

    def reached(self, tp: TopicPartition) -> int:
        return self.positions.get(tp, -1)

    async def is_member(self) -> bool:
        await asyncio.sleep(0)
        return self.member


class FakeTransactions:
    """All or nothing, and fenced by the next that is opened."""

    def __init__(self, broker: Broker) -> None:
        self._broker, self._epoch = broker, -1
        self._begun = False

    async def open(self) -> None:
        await asyncio.sleep(0)
        self._broker.epoch += 1
        self._epoch = self._broker.epoch

    async def close(self) -> None:
        await asyncio.sleep(0)

    async def commit(
        self, outputs: Iterable[Output], offsets: Mapping[TopicPartition, int], note: str
    ) -> dict[tuple[str, int], int]:
        assert not self._begun, "aiokafka has one transaction of an id at a time"
        self._begun = True
        try:
            return await self._commit(outputs, offsets, note)
        finally:
            self._begun = False

    async def _commit(
        self, outputs: Iterable[Output], offsets: Mapping[TopicPartition, int], note: str
    ) -> dict[tuple[str, int], int]:
        broker = self._broker
        await broker.hold.wait()
        fault = broker.faults.pop(0) if broker.faults else None
        if fault is not None:
            raise fault
        assert self._epoch == broker.epoch, "fenced"
        last = {}
        for output in outputs:
            broker.changelog.extend(output.records)
            last[output.topic, output.partition] = len(broker.changelog) - 1
        broker.committed.update(offsets)
        broker.notes.update(dict.fromkeys(offsets, note))
        broker.commits += 1
        return last


class Counts:
    """A keeper that only remembers what happened to it."""

    def __init__(self, lane: Lane, table: dict[bytes, bytes]) -> None:
        self.table = table
        self.mark: int | None = None
        self.ended = 0

    async def prepare(self) -> None:
        pass

    def is_due(self) -> bool:
        return False

    def offsets(self) -> dict[str, int]:
        return {}

    def newest(self) -> dict[str, Seen]:
        return {}

    def restore(self, records: list[Any], remaining: int) -> None:
        self.table.update((one.key, one.value) for one in records)

    async def begin(self, mark: int) -> None:
        self.mark = mark

    async def end(self) -> None:
        self.ended += 1


class Agent:
    """Does what the real one does: counts records, publishes the sum, remembers it.

    Attributes:
        hold_offsets: whether it says that its outputs hold the offsets.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.hold_offsets = False
        self.applied: list[tuple[str, int]] = []
        self.error: Exception | None = None
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            async with await self._broker.delivered.get() as batch:
                if self.error is not None:
                    error, self.error = self.error, None
                    raise error
                keeper = batch.lane.keeper
                assert isinstance(keeper, Counts)
                events = [one for topic in ("in", "more") for one in batch.records.get(topic, [])]
                if events:
                    total = int(keeper.table.get(b"n", b"0")) + len(events)
                    outputs = [Output("log", 0, [Record(b"n", b"%d" % total)])]
                    await batch.commit(outputs, hold_offsets=self.hold_offsets)
                    keeper.table[b"n"] = b"%d" % total
                    self.applied += [(one.topic, one.offset) for one in events]


def new_lane(broker: Broker) -> tuple[Lane, StateTable]:
    """A lane over this broker, and its table; `lane` and `commits` must be patched."""
    table = object.__new__(StateTable)
    table._partitions = {}
    return Lane(0, SETTINGS, broker, table, Counts), table


async def until(moment: Any, seconds_max: float = 2.0) -> None:
    """Wait for what the loop will bring about."""
    async with asyncio.timeout(seconds_max):
        while not moment():
            await asyncio.sleep(0.001)


def counted(broker: Broker) -> int:
    """What the changelog says."""
    return int(broker.changelog[-1].value) if broker.changelog else 0
