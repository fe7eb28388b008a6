"""A lane: one partition number of all inputs, its part of the table, its transactions.

One batch is in flight per lane; lanes run side by side. A lane that fails in a way that may
pass lets go of everything and takes its number over afresh, just as a new owner would: there is
one way to begin, and it is always the careful one.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable, Mapping

from aiokafka.errors import ProducerFenced
from aiokafka.structs import TopicPartition

from sinks.record import Output
from streams.transport.batch import Batch
from streams.transport.changelog import DamagedChangelog, read_changelog
from streams.transport.commits import Commits
from streams.transport.position import Position
from streams.transport.received import Seen
from streams.transport.roles import Feed, Keeper, KeeperFactory, LaneSettings
from streams.transport.table import StateTable
from streams.transport.transaction import PASSING, is_passing
from streams.transport.turns import Place

log = logging.getLogger(__name__)

BACKOFF_S_MIN, BACKOFF_S_MAX = 0.1, 5.0
CLOSE_S_MAX = 1.0
TELL_S_MAX = 1.0

FIRST_EVENTS = 100
GROWTH = 10
"""A lane that begins takes few events, and after each batch more: one that can commit nothing, as
without a leader, has no place in work that others wait for, however much has come for it."""


class Lane:
    """Owns one partition number from taking it over until letting go."""

    def __init__(
        self,
        number: int,
        settings: LaneSettings,
        feed: Feed,
        table: StateTable,
        keeper: KeeperFactory,
    ) -> None:
        self.number = number
        self._log = logging.LoggerAdapter(log, {"partition": number})
        self._position = Position(number, settings, feed)
        self._commits = Commits(number, settings, feed)
        self._telling = asyncio.Lock()  # a shutdown may drain in the midst of a rebalance
        self._in_hand: Batch | None = None
        self._place: Place | None = None  # of what is in hand
        self._events_max = FIRST_EVENTS
        self.ready = False
        self.recovering = False
        self.cut_off = False  # in the middle of a batch
        self._settings, self._feed, self._table = settings, feed, table
        self._keeper_factory = keeper
        self.keeper: Keeper | None = None
        self._fetching = self._draining = False
        self._backoff_s = BACKOFF_S_MIN
        self._task: asyncio.Task[None] | None = None

    @property
    def applied(self) -> dict[TopicPartition, int]:
        """By input, the next offset to apply."""
        return self._position.applied

    @property
    def newest(self) -> dict[TopicPartition, Seen]:
        """By input, the last record applied, where it is known."""
        return self._position.newest

    # -- life ---------------------------------------------------------------------------------

    def start(self) -> asyncio.Task[None]:
        """Take over, or go on after a rebalance that left the number here."""
        self._draining = False
        self._task = asyncio.create_task(self._run(), name=f"lane {self.number}")
        return self._task

    async def drain(self, timeout_s: float) -> bool:
        """Finish the batch in flight and pause.

        Returns:
            Whether the lane may go on later from where it is. One that was still taking over,
            or did not finish in time, may not: what became of its transaction is unknown.
        """
        self._draining = True
        task = self._task
        if task is None:
            return False
        if self._fetching or not self.ready:
            task.cancel()
        await asyncio.wait({task}, timeout=timeout_s)
        if not task.done():
            self._log.warning("lane %d: the batch in flight did not end in time", self.number)
            self.cut_off = True
            task.cancel()
            await asyncio.wait({task}, timeout=timeout_s)
            self.ready = False
        async with self._telling:
            if self.ready:
                await self._tell_now()
        return self.ready

    async def _tell_now(self) -> None:
        """So that a worker that was stopped in order leaves no lag behind that is none."""
        try:
            async with asyncio.timeout(TELL_S_MAX):
                await self._commits.tell(now=True)
        except (*PASSING, TimeoutError) as error:
            self._log.warning("lane %d: the group was not told: %r", self.number, error)
            self.ready = False  # what became of the transaction is unknown

    async def close(self) -> None:
        """Let go of the number for good, in the middle of a batch if need be."""
        self._draining = True
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=CLOSE_S_MAX)
        await self._let_go()
        self._table.drop(self.number)

    async def _run(self) -> None:
        while not self._draining:
            try:
                await self._live()
            except asyncio.CancelledError as error:
                if self._draining:
                    return
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise
                # A lane that ends so would end unseen.
                raise RuntimeError("something that the lane waited for was cancelled") from error

    async def _live(self) -> None:
        """Work until told to pause; after what may pass, be ready to take over afresh."""
        try:
            if not self.ready:
                await self._take_over()
            await self._work()
        except Exception as error:
            self.ready = False
            if isinstance(error, DamagedChangelog):
                with contextlib.suppress(*PASSING):  # then it is told without the place
                    await error.locate(self._settings.connection)
            if not await self._may_pass(error):
                self._tell_where(error)
                raise
            self._log.warning(
                "lane %d: %s: %s; takes over afresh in %.1f s",
                self.number,
                type(error).__name__,
                error,
                self._backoff_s,
            )
            await self._let_go()
            await asyncio.sleep(self._backoff_s)
            self._backoff_s = min(2 * self._backoff_s, BACKOFF_S_MAX)
            # Who lost the number without knowing it would fence its new owner. The rebalance
            # that is to come closes this lane.
            while not await self._feed.is_member():
                await asyncio.sleep(self._backoff_s)

    def _tell_where(self, error: Exception) -> None:
        """So that a record that ends the worker each time can be found."""
        records = self._in_hand.records if self._in_hand is not None else {}
        spans = [f"{name} {c[0].offset} to {c[-1].offset}" for name, c in records.items() if c]
        within = f" within offsets {', '.join(spans)}" if spans else ""
        self._log.error("lane %d: ends by %s%s", self.number, type(error).__name__, within)

    async def _may_pass(self, error: Exception) -> bool:
        """Whether taking over afresh may help.

        The broker fences not only whose number was taken over, but also whose transaction was
        open for too long, as when the broker itself was away. The group knows which it was.
        """
        if isinstance(error, ProducerFenced):
            return await self._feed.is_member()
        return is_passing(error)

    async def _take_over(self) -> None:
        """Fence the last owner, then read the table, then the offsets: in this order."""
        await self._let_go()
        self.recovering, self._events_max = True, FIRST_EVENTS
        settings, number = self._settings, self.number
        await self._commits.open()
        self._table.drop(number)
        self.keeper = self._keeper_factory(self, self._table.partition(number))
        await self.keeper.prepare()
        mark, end = await read_changelog(
            settings.connection, settings.changelog, number, self.keeper.restore
        )
        # The group may still tell offsets from before the last transaction: the broker applies
        # those a moment after its marker. The changelog was read behind that marker.
        known = self.keeper.offsets()
        starts = await self._feed.starts(self._position.inputs)
        self._position.applied = {
            tp: max(start.offset, known.get(tp.topic, 0)) for tp, start in starts.items()
        }
        newest = self.keeper.newest()
        self._position.newest = {
            tp: newest[tp.topic] for tp in self._position.inputs if tp.topic in newest
        }
        self._commits.begin(end, starts, self._position.applied)
        await self.keeper.begin(mark)
        self._heed_draining()
        self.recovering, self.ready = False, True
        self._log.info(
            "lane %d: ready with %d keys, changelog at %d",
            number,
            len(self._table.partition(number)),
            mark,
        )

    def _heed_draining(self) -> None:
        """A client may have swallowed the cancellation by which the lane was told.

        Until Python 3.12 `asyncio.wait_for` does, where what it waits for has just been done.
        """
        if self._draining:
            raise asyncio.CancelledError

    async def _let_go(self) -> None:
        self.ready = self.recovering = False
        self._commits.cancel()
        keeper, self.keeper = self.keeper, None
        if keeper is not None:
            await keeper.end()
        await self._commits.close()

    # -- work ---------------------------------------------------------------------------------

    async def _work(self) -> None:
        self._in_hand = None
        self._fetching = True
        try:
            self._heed_draining()  # to rewind is to move the number's next owner, too
            await self._position.rewind()
        finally:
            self._fetching = False
        while not self._draining:
            await self._work_once()
            await self._commits.tell()

    async def _work_once(self) -> None:
        """One batch, if there is something to do; nothing of it outlasts this call."""
        self._fetching = True
        try:
            await self._feed.turns.room()
            wanted = self._position.wanted()
            due = self.keeper is not None and self.keeper.is_due()
            most = min(self._feed.turns.pace.events, self._events_max)
            fetched = await self._feed.fetch(wanted, most, patiently=not due)
            if self._position.is_doubtful():
                await self._position.rewind()  # what has come comes again
                return
        finally:
            self._fetching = False
        records = await self._position.take(fetched, time.monotonic())
        self._commits.passed(await self._position.pass_over(records))
        if records or due:
            self._in_hand = batch = Batch(self, records)
            await self._work_on(batch)
            self._position.applied.update(batch.offsets)
            self._position.newest.update(batch.newest)
            self._in_hand = None
            self._backoff_s = BACKOFF_S_MIN
            self._events_max = min(self._events_max * GROWTH, self._settings.records_max)

    async def _work_on(self, batch: Batch) -> None:
        events = sum(map(len, batch.records.values()))
        async with contextlib.AsyncExitStack() as turn:
            self._fetching = True  # a rebalance need not wait for a turn
            try:
                self._place = await turn.enter_async_context(self._feed.turns.take(events))
            finally:
                self._fetching = False
            await self._feed.deliver(batch)
            await batch.finished()

    async def commit(
        self,
        outputs: Iterable[Output],
        offsets: Mapping[TopicPartition, int],
        *,
        hold_offsets: bool = False,
    ) -> dict[tuple[str, int], int]:
        """See `Commits.commit`."""
        assert self._place is not None, "a batch in work has a place"
        async with self._place.waiting():
            return await self._commits.commit(outputs, offsets, hold_offsets=hold_offsets)

    async def heed_successor(self) -> None:
        """Look whether the changelog has gone on without this lane.

        Raises:
            ProducerFenced: it has: then another worker has taken the number over.
        """
        await self._commits.heed_successor()

    def passed(self, offsets: Mapping[TopicPartition, int]) -> None:
        """A batch is done, and the group not told: its offsets go with a later commit."""
        self._commits.passed(offsets)

    def progress(self, topic: str) -> tuple[int, int | None]:
        """The next offset to commit, and the Kafka timestamp of its record where that is here."""
        tp = TopicPartition(topic, self.number)
        if self._in_hand is not None and (records := self._in_hand.records.get(topic)):
            return records[0].offset, records[0].timestamp
        return self._position.passed(tp), self._position.oldest_ms(tp)

    def has_applied(self, ends: Mapping[str, int]) -> bool:
        """Whether everything before these end offsets, by topic, has been applied."""
        return self._position.has_applied(ends)
