"""A request to a broker whose connection has just ended fails as one to a broker that is away."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import uvloop
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

import streams.transport.closing  # noqa: F401  what is tested

TURNS_MAX = 5
"""After so many turns of the event loop aiokafka itself knows of the end."""


class Connection(AIOKafkaConnection):
    """To a server that answers nothing, not even which versions it speaks."""

    async def _do_version_lookup(self) -> None:
        self._versions = {MetadataRequest.API_KEY: (0, 5)}


async def _listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


Ask = Callable[[AIOKafkaConnection], Awaitable[Any]]


async def _ask_after(turns: int, ask: Ask) -> None:
    """Ask a broker so many turns of the event loop after the end of the connection."""
    server = await asyncio.start_server(_listen, "127.0.0.1", 0)
    async with server:
        connection = Connection("127.0.0.1", server.sockets[0].getsockname()[1])
        await connection.connect()
        connection._writer.transport.abort()
        for _ in range(turns):
            await asyncio.sleep(0)
        with pytest.raises(KafkaConnectionError):
            await ask(connection)
        assert not connection.connected()
        connection.close()


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
@pytest.mark.parametrize(
    "ask",
    [
        lambda connection: connection.send(MetadataRequest([])),
        lambda connection: connection._send_sasl_token(b"token"),
    ],
    ids=["request", "sasl"],
)
@pytest.mark.parametrize("turns", range(TURNS_MAX + 1))
def test_an_ended_connection_is_away_from_the_first_moment_on(
    run: Callable[[Coroutine[Any, Any, None]], None], turns: int, ask: Ask
) -> None:
    run(_ask_after(turns, ask))
