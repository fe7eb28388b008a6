"""What a lane is given, and what it asks of those around it."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, Self

from aiokafka.structs import TopicPartition

from streams.transport.received import Seen
from streams.transport.turns import Turns

if TYPE_CHECKING:
    from streams.transport.batch import Batch
    from streams.transport.lane import Lane


_NOTE: Final = "changelog="


class Start(NamedTuple):
    """Where a partition begins.

    Attributes:
        offset: the next to apply.
        changelog_end: where the changelog ended when the offset was committed, or a little before;
            0 where that is unknown.
    """

    offset: int
    changelog_end: int

    @classmethod
    def of(cls, offset: int, note: str) -> Self:
        """As the group has it."""
        end = note.removeprefix(_NOTE)
        return cls(offset, int(end) if end != note and end.isdecimal() else 0)

    @staticmethod
    def note(changelog_end: int) -> str:
        """What is committed with an offset, for `of`."""
        return f"{_NOTE}{changelog_end}"


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """The same for every lane of a worker.

    Attributes:
        group: consumer group; with the partition number it makes the transactional id.
        inputs: topics that are consumed, all with the same number of partitions.
        aligned: those of them that advance together through a backlog.
        expiring: those of them whose records may be deleted unread, with nothing lost.
        changelog: topic of the table.
        connection: aiokafka's arguments to reach the broker.
        records_max: most records of one batch; on a slow machine they are fewer.
        latest_ms: epoch ms beyond which a record's stamp says nothing, as of now.
    """

    group: str
    inputs: tuple[str, ...]
    aligned: tuple[str, ...]
    changelog: str
    connection: Mapping[str, Any]
    records_max: int
    expiring: tuple[str, ...] = ()
    latest_ms: Callable[[], float] = lambda: math.inf


class Keeper(Protocol):
    """What the application keeps beside a lane, and must rebuild with it."""

    async def prepare(self) -> None:
        """The last owner is fenced, and the changelog is about to be read."""

    def restore(self, records: list[Any], remaining: int) -> None:
        """Take committed changelog records, oldest first, into the table; `remaining` are left."""

    def offsets(self) -> Mapping[str, int]:
        """By input topic, the next offset as the changelog that was read has it; none: unknown.

        Must know all that was ever committed with `hold_offsets`.
        """
        ...

    def newest(self) -> Mapping[str, Seen]:
        """By input topic, the last record applied as the changelog has it; none: unknown."""
        ...

    async def begin(self, mark: int) -> None:
        """The table is whole and reflects the changelog up to offset `mark`."""

    def is_due(self) -> bool:
        """Whether a batch is wanted although nothing has come."""
        ...

    async def end(self) -> None:
        """The lane lets go: finish what was committed, forget the rest. Never raises."""


class KeeperFactory(Protocol):
    """Makes the keeper of a lane that begins."""

    def __call__(self, lane: "Lane", table: dict[bytes, bytes]) -> Keeper:
        """A keeper for this lane and its part of the table, which is empty."""
        ...


class Feed(Protocol):
    """The consumer, as a lane sees it.

    Attributes:
        turns: of all its lanes.
        stalls: how often the worker has asked for nothing for so long that what it goes on with
            may be another log.
    """

    turns: Turns
    stalls: int

    async def fetch(
        self, tps: list[TopicPartition], records_max: int, *, patiently: bool
    ) -> dict[TopicPartition, list[Any]]:
        """What has come, up to `records_max`; where it may wait, after a moment of silence."""
        ...

    async def deliver(self, batch: "Batch") -> None:
        """Hand a batch to the agent."""
        ...

    async def starts(self, tps: list[TopicPartition]) -> dict[TopicPartition, Start]:
        """The committed offset of each, or its earliest where nothing is committed yet."""
        ...

    async def earliest(self, tp: TopicPartition) -> int:
        """Where the log begins."""
        ...

    async def ends(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Where each log ends now, for a reader of committed records."""
        ...

    def end(self, tp: TopicPartition) -> int:
        """Where a log ended at its last fetch; -1 while unknown."""
        ...

    def rewind(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Fetch from here next, whatever was fetched before."""

    async def is_member(self) -> bool:
        """Whether the group counts this worker in, so that nobody else has its numbers.

        Waits while nobody can tell.
        """
        ...

    def reached(self, tp: TopicPartition) -> int:
        """The next offset that will be delivered; -1 while unknown."""
        ...
