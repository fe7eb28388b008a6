"""Sending to Redis: a connection that is closing counts as closed, and a cancellation as one.

Between the end of a connection and the moment in which redis-py hears of it, a command is still
written. Some event loops drop it in silence, and reading the reply fails; uvloop raises a
RuntimeError and Python 3.13's an AttributeError, which nobody takes for a Redis that is away. And
redis-py sends by `asyncio.wait_for`, which until Python 3.12 swallows a cancellation that comes
when the sending has just been done: who computes between two commands is then hardly ever
cancelled. Importing this module makes the one the error that redis-py has for a lost connection,
and lets the other pass, in all of the process.
"""

import asyncio
from typing import Any, Final

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as ConnectionLost

_CLOSED: Final = "the handler is closed"  # in uvloop's own words

_send: Final = AbstractConnection.send_packed_command


async def _send_if_open(self: Any, *args: Any, **kwargs: Any) -> None:
    task = asyncio.current_task()
    cancelled = task.cancelling() if task is not None else 0
    if self._writer is not None and self._writer.is_closing():
        await self.disconnect(nowait=True)
        raise ConnectionLost("Connection closed by server.")
    try:
        await _send(self, *args, **kwargs)
    except RuntimeError as error:  # it ended in the turn before `asyncio.wait_for` began
        if _CLOSED not in str(error):
            raise
        raise ConnectionLost(f"Connection closed by server: {error}") from error
    if task is not None and task.cancelling() > cancelled:
        # As redis-py does where it hears of it: who comes next would read this one's reply.
        await self.disconnect(nowait=True)
        raise asyncio.CancelledError


AbstractConnection.send_packed_command = _send_if_open  # type: ignore[method-assign]
