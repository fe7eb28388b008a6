"""One connection to Redis for one call: optimistic transactions of packed commands.

redis-py's own pipelines look at every argument in Python, which costs more than all the rest of
a write. Its connections and their pool are used as they are.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import hiredis
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError, ResponseError

from sinks.redis_errors import explain

Command = tuple[bytes | str | int, ...]

# hiredis' own annotation means a tuple of one.
pack: Final = cast(Callable[[Command], bytes], hiredis.pack_command)
"""A command as it goes over the wire."""

_MULTI: Final = pack((b"MULTI",))
_EXEC: Final = pack((b"EXEC",))
_UNWATCH: Final = pack((b"UNWATCH",))


class Link:
    """A connection that nobody else uses meanwhile."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._watching = False

    async def watch(self, key: bytes) -> bytes | None:
        """A key's value, of which the next transaction makes sure that it has not changed."""
        value: bytes | None = (await self._ask(self._look(key)))[-1]
        self._watching = True
        return value

    async def commit(
        self, commands: Sequence[bytes], then_watch: bytes | None = None
    ) -> tuple[bool, bytes | None]:
        """Run commands at once and together, unless a watched key has changed.

        Args:
            commands: at least one, packed.
            then_watch: a key to watch for the next transaction, in the same round trip.

        Returns:
            Whether they ran, and the value of `then_watch`.

        Raises:
            ResponseError: Redis refused a command; then none of them ran, or, where one was wrong
                for the type of its key (`IncompleteTransaction`), all the others.
        """
        packed = [_MULTI, *commands, _EXEC]
        look = self._look(then_watch) if then_watch is not None else []
        self._watching = False
        replies = await self._ask([*packed, *look])
        self._watching = bool(look)
        executed = replies[len(packed) - 1]
        if executed is None:
            return False, replies[-1] if look else None
        for reply in executed:
            if isinstance(reply, ResponseError):
                raise IncompleteTransaction(str(reply)) from reply
        return True, replies[-1] if look else None

    async def release(self) -> None:
        """Watch nothing any more, as the connection goes back to the pool."""
        if self._watching:
            self._watching = False
            await self._ask([_UNWATCH])

    async def disconnect(self) -> None:
        """Leave no answer on the way that the next user would take for its own."""
        await self._connection.disconnect(nowait=True)

    @staticmethod
    def _look(key: bytes) -> list[bytes]:
        return [pack((b"WATCH", key)), pack((b"GET", key))]

    async def _ask(self, packed: list[bytes]) -> list[Any]:
        """Send commands in one go and take all of their answers; the first error is raised."""
        await self._connection.send_packed_command(packed)
        replies: list[Any] = []
        refused: ResponseError | None = None
        for _ in packed:
            try:
                replies.append(await self._connection.read_response())
            except ResponseError as error:
                refused = refused or error
                replies.append(error)
        if refused is not None:
            raise refused
        return replies


class IncompleteTransaction(ResponseError):
    """A command of a transaction failed and the others ran: Redis does not roll back."""


@asynccontextmanager
async def link(pool: ConnectionPool, where: str) -> AsyncIterator[Link]:
    """A connection for the time of one call.

    Raises:
        Unavailable: Redis is away, or cannot write now.
        Unusable: it never will, as it is set up.
    """
    try:
        connection = await pool.get_connection()  # type: ignore[no-untyped-call]
        this = Link(connection)
        try:
            yield this
            await this.release()
        except BaseException:
            # Whatever went wrong, a new connection has no transaction open and nothing unread.
            await this.disconnect()
            raise
        finally:
            await pool.release(connection)
    except (RedisError, OSError) as error:
        raise explain(error, where) from error
