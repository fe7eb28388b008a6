"""A connection to Redis that is closing counts as closed.

Between the end of a connection and the moment in which redis-py hears of it, a command is still
written. asyncio drops it in silence, and reading the reply fails; uvloop raises a RuntimeError,
which nobody takes for a Redis that is away. Importing this module makes it the error that redis-py
has for a lost connection, in all of the process.
"""

from typing import Any, Final

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as ConnectionLost

_CLOSED: Final = "the handler is closed"  # in uvloop's own words

_send: Final = AbstractConnection.send_packed_command


async def _send_if_open(self: Any, *args: Any, **kwargs: Any) -> None:
    try:
        await _send(self, *args, **kwargs)
    except RuntimeError as error:
        if _CLOSED not in str(error):
            raise
        raise ConnectionLost(f"Connection closed by server: {error}") from error


AbstractConnection.send_packed_command = _send_if_open  # type: ignore[method-assign]
