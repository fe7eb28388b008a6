"""A command to a Redis whose connection has just ended fails as one to a Redis that is away."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any
from unittest.mock import Mock

import pytest
import uvloop
from redis.asyncio import Connection
from redis.exceptions import ConnectionError as ConnectionLost

import sinks.redis_closing  # noqa: F401  what is tested

TURNS_MAX = 5


async def _listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def _ask(connection: Connection) -> None:
    await connection.send_packed_command([b"PING\r\n"])
    await connection.read_response()


async def _ask_after(turns: int) -> None:
    """Send a command so many turns of the event loop after the end of the connection."""
    server = await asyncio.start_server(_listen, "127.0.0.1", 0)
    async with server:
        connection = Connection(
            host="127.0.0.1", port=server.sockets[0].getsockname()[1], protocol=2, driver_info=None
        )
        await connection.connect()
        connection._writer.transport.abort()
        for _ in range(turns):
            await asyncio.sleep(0)
        with pytest.raises(ConnectionLost):
            await _ask(connection)
        assert not connection.is_connected


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
@pytest.mark.parametrize("turns", range(TURNS_MAX + 1))
def test_an_ended_connection_is_away_from_the_first_moment_on(
    run: Callable[[Coroutine[Any, Any, None]], None], turns: int
) -> None:
    run(_ask_after(turns))


async def test_a_bug_is_no_redis_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Connection()
    monkeypatch.setattr(connection, "check_health", _not_written_yet)
    connection._reader = connection._writer = Mock()
    connection._writer.is_closing.return_value = False
    with pytest.raises(NotImplementedError):
        await connection.send_packed_command([b"PING\r\n"])


async def _not_written_yet() -> None:
    raise NotImplementedError


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="asyncio.wait_for swallows none any more")
async def test_a_cancellation_is_none_less_for_coming_when_a_command_is_sent() -> None:
    server = await asyncio.start_server(_listen, "127.0.0.1", 0)
    async with server:
        connection = Connection(
            host="127.0.0.1", port=server.sockets[0].getsockname()[1], protocol=2, driver_info=None
        )
        await connection.connect()
        sent = 0

        async def keep_sending() -> None:
            nonlocal sent
            while sent < 200:
                await connection.send_packed_command([b"PING\r\n"])
                sent += 1

        for turns in range(6):
            sent = 0
            sending = asyncio.create_task(keep_sending())
            for _ in range(turns):
                await asyncio.sleep(0)
            sending.cancel()
            await asyncio.wait({sending}, timeout=5)
            assert sending.cancelled(), turns
            # Replies that nobody has read go with their connection.
            assert not sent or not connection.is_connected
            await connection.connect()
        await connection.disconnect()
