"""What a lane commits: one transaction after another, and what the group is told of them."""

import asyncio
import time
from collections.abc import Iterable, Mapping

from aiokafka.errors import ProducerFenced
from aiokafka.structs import TopicPartition

from sinks.record import Output
from streams.transport.changelog import LostChangelog
from streams.transport.roles import Feed, LaneSettings, Start
from streams.transport.settled import hold_settled
from streams.transport.transaction import Transactions
from streams.transport.untold import Untold


class Commits:
    """Of one partition number, from each taking over until letting go.

    Args:
        number: of the partition.
        settings: of the lane.
        feed: of the lane.
    """

    def __init__(self, number: int, settings: LaneSettings, feed: Feed) -> None:
        self._changelog = TopicPartition(settings.changelog, number)
        self._changelog_end = 0
        self._settings, self._feed = settings, feed
        self._untold = Untold(settings.expiring)
        self._transactions: Transactions | None = None
        self._under_way: asyncio.Task[dict[tuple[str, int], int]] | None = None

    async def open(self) -> None:
        """Fence the last owner, and see that what it committed can be read.

        Raises:
            HeldBack: Kafka does not show all of it.
        """
        group = self._settings.group
        transactional_id = f"{group}-{self._changelog.partition}"
        self._transactions = Transactions(transactional_id, group, self._settings.connection)
        await self._transactions.open()
        await hold_settled(self._settings.connection, self._changelog)

    def begin(
        self,
        changelog_end: int,
        starts: Mapping[TopicPartition, Start],
        applied: Mapping[TopicPartition, int],
    ) -> None:
        """The changelog and the group's offsets were read.

        Args:
            changelog_end: offset behind all that is in it, the last marker too.
            starts: by input, what the group knows.
            applied: by input, what the changelog knows.

        Raises:
            LostChangelog: it ends before where it was.
        """
        was = max(start.changelog_end for start in starts.values())
        if changelog_end < was:
            raise LostChangelog(self._changelog, changelog_end, was)
        self._changelog_end = changelog_end
        self._untold.begin(applied, {tp: start.offset for tp, start in starts.items()})

    async def commit(
        self,
        outputs: Iterable[Output],
        offsets: Mapping[TopicPartition, int],
        *,
        hold_offsets: bool = False,
    ) -> dict[tuple[str, int], int]:
        """One transaction with outputs and offsets.

        Args:
            outputs: by topic and partition.
            offsets: the next to apply.
            hold_offsets: whether the outputs hold these offsets, so that `Keeper.offsets` will
                give them back: then the group's own may follow later.
        """
        if self._transactions is None:
            raise asyncio.CancelledError
        told = self._untold.with_these(offsets)
        now_s = time.monotonic()
        if hold_offsets and not self._untold.is_time(now_s):
            told = {}
        outputs = list(outputs)
        new = sum(len(o.records) for o in outputs if (o.topic, o.partition) == self._changelog)
        note = Start.note(self._changelog_end + new)
        # A task of its own, so that letting go ends it wherever it hangs.
        self._under_way = asyncio.create_task(self._transactions.commit(outputs, told, note))
        last = await self._under_way
        if (mark := last.get(self._changelog)) is not None:
            self._changelog_end = mark + 2  # behind the transaction's marker
        if told:
            self._untold.told(now_s)
        else:
            self.passed(offsets)
        return last

    def passed(self, offsets: Mapping[TopicPartition, int]) -> None:
        """These were applied without a transaction: they go with a later one."""
        self._untold.passed(offsets)

    async def tell(self, *, now: bool = False) -> None:
        """Tell the group what it was not told of; unless it is to be now, at most once a second."""
        if self._untold.watched and (now or self._untold.is_time(time.monotonic())):
            await self.commit((), {})

    async def heed_successor(self) -> None:
        """Look whether the changelog has gone on without this lane.

        Raises:
            ProducerFenced: it has: then another worker has taken the number over.
        """
        if (await self._feed.ends([self._changelog]))[self._changelog] > self._changelog_end:
            raise ProducerFenced

    def cancel(self) -> None:
        """Give up what is being committed; what became of it is unknown."""
        if self._under_way is not None:
            self._under_way.cancel()

    async def close(self) -> None:
        """Leave an open transaction to the next owner, or to the broker's timeout."""
        transactions, self._transactions = self._transactions, None
        if transactions is not None:
            await transactions.close()
