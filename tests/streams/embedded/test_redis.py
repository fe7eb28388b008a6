"""The demo's Redis: reachable by TCP, empty, gone at the end; one sentence where there is none."""

import shutil
import sys
from pathlib import Path

import pytest
import redis as client

from streams.embedded.redis import EmbeddedRedis, ServerMissingError, find_server


@pytest.mark.redis
def test_it_answers_by_tcp_and_is_gone_at_the_end() -> None:
    with EmbeddedRedis() as redis, client.Redis.from_url(redis.url) as connection:
        assert connection.dbsize() == 0
        connection.zadd("ranks", {"a": 1})
        assert connection.config_get("save") == {"save": ""}
        url = redis.url
    with client.Redis.from_url(url) as connection, pytest.raises(client.ConnectionError):
        connection.ping()


def test_the_server_beside_python_serves_where_none_is_on_the_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(ServerMissingError, match="install Redis"):
        find_server()
    shutil.copy("/bin/sh", tmp_path / "redis-server")
    assert find_server() == str(tmp_path / "redis-server")
