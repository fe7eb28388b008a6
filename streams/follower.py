"""Redis follows a partition: in order, at most one batch behind, and healed where it fell back."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Final, Protocol, TypeVar

from sinks.metrics import Metrics
from sinks.redis import MarkAhead, RedisScores
from sinks.redis_portions import Scored
from sinks.sink import Answer, Committed, Unavailable
from streams.readiness import Readiness

log = logging.getLogger(__name__)

BACKOFF_S_MAX: Final = 2.0
END_S_MAX: Final = 3.0
YIELD_S_MIN, YIELD_S_MAX = 0.1, 60.0
"""How long one who writes all may stand back for another one who does; longer each time."""

LOOK_S: Final = 5.0
"""How often a partition without writes looks whether Redis still has its scores."""

T = TypeVar("T")


class Refill(Protocol):
    """Gives scores as they were published, in portions."""

    def __call__(self, customers: Iterable[bytes] | None = None) -> Iterable[Scored]:
        """Those of these customers, or all of the partition's."""
        ...


class Follower:
    """Writes one partition's committed scores to Redis.

    `settled` is awaited before the next commit, so that a Redis that is away stops consumption.
    """

    def __init__(
        self,
        redis: RedisScores,
        metrics: Metrics,
        readiness: Readiness,
        partition: int,
        refill: Refill,
        heed_successor: Callable[[], Awaitable[None]],
    ) -> None:
        """Nothing is written before `catch_up`.

        Args:
            redis: the sink.
            metrics: of the worker.
            readiness: of the worker: not ready while Redis is away.
            partition: whose scores these are.
            refill: gives its scores again.
            heed_successor: raises where another worker has gone on with the partition.
        """
        self._redis, self._metrics, self._readiness = redis, metrics, readiness
        self._partition, self._refill = partition, refill
        self._heed_successor = heed_successor
        self._log = logging.LoggerAdapter(log, {"partition": partition})
        self._writing: asyncio.Task[None] | None = None
        self._looked_s = 0.0
        self._refused = self._ended = False

    async def reflected(self) -> int | None:
        """Before the changelog is read: the offset that Redis has followed to; None: unknown."""
        return await self._patiently(lambda: self._redis.reflected(self._partition))

    async def catch_up(
        self, reflected: int | None, mark: int, unwritten: Collection[bytes]
    ) -> None:
        """After the changelog was read: write what is newer than `reflected`, or all if need be.

        Args:
            reflected: what `reflected` said.
            mark: offset that the changelog ends with.
            unwritten: customers with states newer than `reflected`.
        """
        if reflected is not None and reflected < mark:
            answer = await self._patiently(
                lambda: self._redis.refill(
                    self._partition, mark, self._refill(unwritten), prior=reflected
                )
            )
            if answer is Answer.WRITTEN:
                return
        await self.align(mark)

    async def align(self, mark: int) -> None:
        """Write all again unless Redis reflects the changelog up to `mark`."""
        self._looked_s = time.monotonic()
        if not await self._patiently(lambda: self._redis.reflects(self._partition, mark)):
            await self._write_all(mark)

    def follow(self, batch: Committed, readable: Callable[[], None]) -> None:
        """Begin to write a committed batch; `readable` is called when it can be looked up."""
        assert self._writing is None, "the batch before is still being written"
        self._looked_s = time.monotonic()
        self._writing = asyncio.create_task(self._write(batch, readable))

    async def settled(self) -> None:
        """Wait for the write under way; raises what went wrong with it."""
        writing = self._writing
        if writing is not None:
            await writing
            if self._writing is writing:
                self._writing = None

    async def look(self, mark: int) -> None:
        """Now and then: a Redis that was emptied while nothing was written gets all again."""
        if time.monotonic() - self._looked_s >= LOOK_S:
            await self.settled()
            if self._ended:  # meanwhile
                return
            # As a write, so that it ends with the partition.
            self._writing = asyncio.create_task(self._look(mark))
            await self.settled()

    async def _look(self, mark: int) -> None:
        try:
            await self.align(mark)
        except MarkAhead:
            self._log.warning(
                "partition %d: Redis is ahead; another worker has it", self._partition
            )

    async def end(self) -> None:
        """Finish in a moment, or leave it to the next owner, who finds the mark behind."""
        self._ended = True
        writing, self._writing = self._writing, None
        if writing is not None:
            try:
                await asyncio.wait({writing}, timeout=END_S_MAX)
            finally:
                writing.cancel()

    async def _write(self, batch: Committed, readable: Callable[[], None]) -> None:
        begun_s = time.perf_counter()
        answer = await self._patiently(lambda: self._redis.write(batch))
        if answer is Answer.BEHIND:
            self._log.warning(
                "partition %d: Redis has lost scores; writes all again", self._partition
            )
            answer = await self._write_all(batch.mark)
        self._metrics.sink(self._redis.name, time.perf_counter() - begun_s)
        if answer is Answer.WRITTEN:
            self._refused = False
            readable()
            return
        self._log.warning("partition %d: another worker has written on", self._partition)
        if self._refused:
            # A commit lies between the two: nobody has taken over, and Redis is ahead of us.
            await self._patiently(lambda: self._redis.reflects(self._partition, batch.mark))
        self._refused = True

    async def _write_all(self, mark: int) -> Answer:
        """Write all; where it is lost in the middle, again.

        A Redis that was emptied cannot tell who is overtaken, and would take scores that are older
        than those it has shown. The changelog can: what it had shown is committed there.

        Redis was emptied once more, or somebody else writes all of the same: a worker that does
        not know yet that its partition was taken over. Each would undo what the other has begun,
        so both stand back, each for another time.
        """
        wait_s = YIELD_S_MIN
        while True:
            await self._heed_successor()
            answer = await self._patiently(
                lambda: self._redis.refill(self._partition, mark, self._refill())
            )
            if answer is not Answer.BEHIND:
                return answer
            await asyncio.sleep(random.uniform(0, wait_s))  # noqa: S311
            wait_s = min(2 * wait_s, YIELD_S_MAX)
            if await self._patiently(lambda: self._redis.reflected(self._partition)) == mark:
                return Answer.WRITTEN

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Repeat while Redis is away, for as long as it takes: the input waits meanwhile."""
        wait_s = 0.0
        said: set[str] = set()
        while True:
            try:
                result = await attempt()
            except Unavailable as away:
                if away.code not in said:  # a Redis that comes back may be full, or still loading
                    said.add(away.code)
                    self._log.warning("partition %d waits: %s", self._partition, away)
                self._metrics.sink_error(self._redis.name, away.code)
                self._readiness.away(self._redis.name, str(away))
                wait_s = min(max(2 * wait_s, away.pause_s), BACKOFF_S_MAX)
                try:
                    await asyncio.sleep(wait_s)
                except asyncio.CancelledError:
                    self._readiness.answers(self._redis.name)  # or others will say so again
                    raise
            else:
                self._readiness.answers(self._redis.name)
                if wait_s:
                    self._log.info("partition %d goes on: Redis answers", self._partition)
                return result
