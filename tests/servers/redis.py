"""A real Redis server on a TCP port of its own.

with Redis() as redis:
    client = redis_client(redis.url(db=3))
    redis.kill(); redis.start()      # same port; the data only with `aof=True`
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from streams.embedded.child import LOOPBACK
from streams.embedded.redis import ServerMissingError, answers, find_server
from tests.servers.server import Server, UnavailableError

DATABASES = 1024


class Redis(Server):
    """One server, without persistence unless asked for."""

    name = "redis"
    ready_seconds_max = 20.0

    def __init__(
        self,
        config: Mapping[str, str] | None = None,
        *,
        aof: bool = False,
        directory: Path | None = None,
    ) -> None:
        """Prepares a server.

        Args:
            config: settings by name, as in redis.conf (`{"maxmemory": "1mb"}`).
            aof: whether each write is on disk before it is answered.
            directory: data folder; by default a temporary one, removed at the end.
        """
        super().__init__(directory)
        self._config = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "dir": str(self.directory),
            "databases": str(DATABASES),
            "save": "",
            "appendonly": "yes" if aof else "no",
            "appendfsync": "always",
            **(config or {}),
        }

    def url(self, db: int = 0) -> str:
        """What clients are given."""
        return f"redis://{self.address}/{db}"

    def _command(self) -> Sequence[str]:
        try:
            server = find_server()
        except ServerMissingError as missing:
            raise UnavailableError(str(missing)) from None
        options = [word for name, value in self._config.items() for word in (f"--{name}", value)]
        return [server, *options]

    def _answers(self) -> bool:
        return answers(self.port)
