"""Which failures of Redis are waited for, and which are said and end the worker."""

import pytest
from redis import exceptions

from sinks.redis_errors import address, explain
from sinks.sink import Unavailable, Unusable

WHERE = "cache:6379/0"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (exceptions.ConnectionError("Error 111 connecting to cache:6379."), "connection"),
        (ConnectionResetError("Connection reset by peer"), "connection"),
        (exceptions.MaxConnectionsError("Too many connections"), "connection"),
        (exceptions.TimeoutError("Timeout reading from cache:6379"), "timeout"),
        (TimeoutError(), "timeout"),
        (exceptions.BusyLoadingError("Redis is loading the dataset in memory"), "loading"),
        (exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'"), "oom"),
        (exceptions.ResponseError("OOM command not allowed"), "oom"),
        (exceptions.ReadOnlyError("You can't write against a read only replica."), "readonly"),
        (exceptions.ClusterDownError("The cluster is down"), "clusterdown"),
        (exceptions.MasterDownError("Link with MASTER is down"), "masterdown"),
        (exceptions.TryAgainError(), "tryagain"),
        (exceptions.ResponseError("MISCONF Redis is configured to save RDB snapshots"), "misconf"),
        (exceptions.ResponseError("NOREPLICAS Not enough good replicas to write."), "noreplicas"),
        (exceptions.ResponseError("BUSY Redis is busy running a script."), "busy"),
    ],
)
def test_what_may_pass_is_waited_for(error: Exception, code: str) -> None:
    found = explain(error, WHERE)
    assert isinstance(found, Unavailable)
    assert found.code == code
    assert WHERE in str(found)
    assert found.pause_s >= 0.1


def test_whoever_waits_for_redis_learns_what_to_do() -> None:
    away = explain(exceptions.ConnectionError("Error 111 connecting to cache:6379."), WHERE)
    assert "start it, or set CLV_REDIS_URL" in str(away)


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (exceptions.AuthenticationError("invalid username-password pair"), "CLV_REDIS_URL"),
        (exceptions.ResponseError("NOAUTH Authentication required."), "CLV_REDIS_URL"),
        (exceptions.NoPermissionError("this user has no permissions"), "CLV_REDIS_URL"),
        (exceptions.MovedError("3999 127.0.0.1:6381"), "single server"),
        (exceptions.ClusterCrossSlotError("Keys in request don't hash to the same slot"), "single"),
        (exceptions.ResponseError("WRONGTYPE Operation against a key"), "delete that key"),
        (exceptions.ResponseError("ERR unknown command"), "unknown command"),
        (exceptions.ResponseError(""), "answers"),
    ],
)
def test_what_does_not_pass_is_said(error: Exception, remedy: str) -> None:
    found = explain(error, WHERE)
    assert isinstance(found, Unusable)
    assert remedy in str(found)
    assert str(found).endswith(".")


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("redis://user:s3cret@cache/0", "cache:6379/0"),
        ("rediss://:s3cret@cache:6380/2?ssl_cert_reqs=none", "cache:6380/2"),
        ("redis://cache", "cache:6379"),
        ("unix://user:s3cret@/run/redis.sock?db=1", "/run/redis.sock"),
    ],
)
def test_an_address_has_no_secrets(url: str, where: str) -> None:
    assert address(url) == where
