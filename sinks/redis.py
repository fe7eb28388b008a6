"""Scores, ranks and marks in Redis: what look-ups read.

The keys are in `sinks.redis_keys`.

A batch is written in transactions of at most `CUSTOMERS_MAX` customers (`sinks.redis_portions`),
for Redis serves nobody else meanwhile; `sinks.redis_mark` says why readers still never see an older
score after a newer one, and nothing stays missing. A transaction is WATCH and MULTI rather than a
script: Redis copies each argument of a script twice, which costs it as much again as the writing.
"""

import itertools
import logging
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Final, cast

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from sinks import redis_closing  # noqa: F401  before the first connection
from sinks.redis_errors import address, explain, tls_hint
from sinks.redis_keys import RedisKeys
from sinks.redis_link import IncompleteTransaction, Link, link, pack
from sinks.redis_many import packed_mset, packed_zadd
from sinks.redis_mark import Attempt, Mark, UnreadableMark
from sinks.redis_portions import NOTHING, Scored, next_portion, portions
from sinks.sink import Answer, Committed, Unavailable, Unusable

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 5.0
CONFLICTS_MAX: Final = 10


class MarkAhead(Unusable):
    """Redis reflects a changelog offset that the changelog has not reached.

    Attributes:
        partition: number of the partition.
        stored: offset that Redis reflects.
        mark: offset that the changelog ends with, as far as the caller knows.
    """

    def __init__(self, partition: int, stored: int, mark: int, where: str, prefix: str) -> None:
        super().__init__(
            f"Redis at {where} reflects partition {partition} up to changelog offset {stored}, "
            f"and the changelog ends at {mark}: the topics were created anew, or another "
            f"installation writes here too; delete the keys {prefix}* and start again, or choose "
            "another CLV_REDIS_PREFIX."
        )
        self.partition = partition
        self.stored = stored
        self.mark = mark


class RedisScores:
    """The sink that look-ups read from.

    Calls for one partition come one at a time; partitions are independent of each other.

    Attributes:
        where: address of the server, without credentials.
        warning: what is wrong with how Redis is set up, a sentence; None when nothing is. Known
            from `open` on.
    """

    name: Final = "redis"

    def __init__(self, url: str, prefix: str = "clv:", *, timeout_s: float = TIMEOUT_S) -> None:
        """Nothing is connected before the first call.

        Args:
            url: `redis://`, `rediss://` or `unix://`, with user and password if need be.
            prefix: of every key.
            timeout_s: after so long without an answer Redis counts as away, in seconds.
        """
        self._url = url  # with the password: never shown
        self.where = address(url)
        self.warning: str | None = None
        self._prefix = prefix
        self._keys = RedisKeys(prefix)
        self._instance = secrets.token_hex(6)
        self._calls = itertools.count()
        self._pool: ConnectionPool = ConnectionPool.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            # Who calls repeats, and must know meanwhile that Redis is away.
            retry=Retry(NoBackoff(), 0),
        )
        self._client = Redis(connection_pool=self._pool)

    async def open(self) -> None:
        """Reach Redis, and look how it is set up.

        Raises:
            Unavailable: Redis is away.
            Unusable: it refuses us, or the ranks' keys hold something else.
        """
        try:
            memory = await self._client.info("memory")
            for key in (self._keys.total, self._keys.risk):
                await self._client.zcard(key)
        except (RedisError, OSError) as error:
            found, hint = explain(error, self.where), tls_hint(error, self._url)
            if isinstance(found, Unavailable) and hint is not None:
                found = Unavailable(f"{found}: {hint}", code=found.code, pause_s=found.pause_s)
            raise found from error
        policy = memory.get("maxmemory_policy", "noeviction")
        self.warning = None
        # Scores never expire, so a policy of volatile keys leaves them alone.
        if policy.startswith("allkeys"):
            self.warning = (
                f"Redis at {self.where} has maxmemory-policy {policy} and deletes scores when it "
                "is full, without anybody noticing: set it to noeviction."
            )
            log.warning(self.warning)

    async def ping(self) -> None:
        """Ask for an answer.

        Raises:
            Unavailable, Unusable: there is none.
        """
        try:
            await self._client.ping()
        except (RedisError, OSError) as error:
            raise explain(error, self.where) from error

    async def close(self) -> None:
        """Close all connections."""
        try:
            await self._pool.disconnect()
        except (RedisError, OSError) as error:
            log.debug("closing the connections to Redis at %s: %s", self.where, error)

    async def reflects(self, partition: int, mark: int) -> bool:
        """Whether Redis holds all of a partition's scores up to a changelog offset.

        Called when a partition is taken over, and now and then while nothing is written, so that
        a Redis that was emptied is noticed. Where it does not, `refill`.

        Raises:
            MarkAhead: it holds newer ones. Either the topics were created anew, or another worker
                has taken the partition over since: who calls may look at the changelog's end.
            Unavailable, Unusable: see `sinks.sink`.
        """
        stored = await self._stored(partition)
        if stored.highest is not None and stored.highest > mark:
            raise MarkAhead(partition, stored.highest, mark, self.where, self._prefix)
        return stored.done == mark

    async def reflected(self, partition: int) -> int | None:
        """The changelog offset up to which all of a partition's scores are here; None: unknown.

        Raises:
            Unavailable, Unusable: see `sinks.sink`.
        """
        return (await self._stored(partition)).done

    async def _stored(self, partition: int) -> Mark:
        key = self._keys.mark(partition)
        try:
            return self._parse(key, cast(bytes | None, await self._client.get(key)))
        except (RedisError, OSError) as error:
            raise explain(error, self.where) from error

    async def write(self, batch: Committed) -> Answer:
        """Write a batch's scores and ranks, and move the partition's mark.

        Raises:
            Unavailable, Unusable: see `sinks.sink`.
        """
        step = batch.step
        if batch.mark == batch.prior_mark and not step.scores:
            return Answer.WRITTEN
        attempt = Attempt(self._writer(), batch.prior_mark, batch.mark)
        scored = Scored(step.scores, step.ranks)
        return await self._write(batch.partition, attempt, portions([scored]))

    async def refill(
        self,
        partition: int,
        mark: int,
        chunks: Iterable[Scored] | AsyncIterable[Scored],
        prior: int | None = None,
    ) -> Answer:
        """Write all of a partition's scores, whatever is there, or all newer than `prior`.

        The mark moves at the end. Meanwhile nothing else of the partition may be written.

        Args:
            partition: its number.
            mark: changelog offset that the table reflects, -1 where it is empty.
            chunks: the table's scores as they were published, in pieces of any size.
            prior: offset up to which Redis had all of them (`reflected`); None: all are in chunks.

        Returns:
            WRITTEN; NEWER where another worker has gone on; BEHIND where Redis lost what it had
            since `prior` was asked for, or in the middle: begin again, with all.

        Raises:
            Unavailable: begin again, with all chunks.
            Unusable: see `sinks.sink`.
        """
        return await self._write(partition, Attempt(self._writer(), prior, mark), portions(chunks))

    async def _write(self, partition: int, attempt: Attempt, left: AsyncIterator[Scored]) -> Answer:
        key = self._keys.mark(partition)
        position = conflicts = 0
        async with link(self._pool, self.where) as redis:
            stored = self._parse(key, await redis.watch(key))
            portion, following = await next_portion(left) or NOTHING, await next_portion(left)
            commands = self._commands(portion)
            while True:
                answer = attempt.judge(stored, position)
                if answer is not Answer.WRITTEN:
                    return answer
                end, last = position + len(portion.scores), following is None
                mark = attempt.after(stored, end, last=last)
                written, seen = await self._commit(redis, key, mark, commands, again=not last)
                if written and following is None:
                    return Answer.WRITTEN
                if written and following is not None:
                    position, portion, following = end, following, await next_portion(left)
                    commands = self._commands(portion)
                else:
                    conflicts += 1
                    if conflicts > CONFLICTS_MAX:
                        raise Unavailable(
                            f"Redis at {self.where}: others keep writing {key.decode()}",
                            code="conflict",
                        )
                stored = self._parse(key, await redis.watch(key) if last else seen)

    async def _commit(
        self, redis: Link, key: bytes, mark: Mark, commands: list[bytes], *, again: bool
    ) -> tuple[bool, bytes | None]:
        try:
            return await redis.commit(
                [*commands, pack((b"SET", key, mark.encode()))], then_watch=key if again else None
            )
        except IncompleteTransaction:
            # The mark has moved although something is missing: without one, all is written again.
            await redis.commit([pack((b"DEL", key))])
            raise

    def _commands(self, portion: Scored) -> list[bytes]:
        """What writes these scores: three commands, however many customers."""
        scores, ranks = portion
        if not scores:
            return []
        assert len(scores) == len(ranks), "each score has its ranks"
        return [
            packed_mset(self._keys.score, scores),
            packed_zadd(self._keys.total, [(customer, total) for customer, total, _ in ranks]),
            packed_zadd(self._keys.risk, [(customer, at_risk) for customer, _, at_risk in ranks]),
        ]

    def _parse(self, key: bytes, stored: bytes | None) -> Mark:
        try:
            return Mark.parse(stored)
        except UnreadableMark as error:
            raise Unusable(
                f"Redis at {self.where} holds {error} under {key.decode()}, which is no mark: "
                "delete that key, or choose another CLV_REDIS_PREFIX."
            ) from error

    def _writer(self) -> str:
        return f"{self._instance}-{next(self._calls)}"
