"""The servers themselves: they keep port and data over a crash, freeze, and never outlive us."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import redis as client
from confluent_kafka.admin import AdminClient

from streams.embedded.child import Child, ServerFailedError
from tests.servers.kafka import Kafka, RunningKafka, answers, create_topics
from tests.servers.redis import Redis

ROOT = Path(__file__).parents[2]


def topics(bootstrap: str) -> dict[str, int]:
    found = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=10).topics
    return {name: len(topic.partitions) for name, topic in found.items()}


def test_one_broker_serves_all_tests(
    kafka: Kafka | RunningKafka, unique: Callable[[str], str]
) -> None:
    topic = unique("seen")
    create_topics(kafka.bootstrap, {topic: 3})
    create_topics(kafka.bootstrap, {topic: 3})  # a second time changes nothing
    assert topics(kafka.bootstrap)[topic] == 3


@pytest.mark.slow
def test_broker_keeps_port_and_data_over_a_crash(own_kafka: Kafka) -> None:
    create_topics(own_kafka.bootstrap, {"kept": 2}, {"kept": {"cleanup.policy": "compact"}})
    before = own_kafka.bootstrap
    own_kafka.kill()
    assert not answers(before)
    own_kafka.start()
    assert own_kafka.bootstrap == before
    assert topics(before)["kept"] == 2
    own_kafka.pause()
    assert not answers(before)
    own_kafka.resume()
    assert answers(before, seconds_max=10)


@pytest.mark.kafka
def test_a_broker_that_cannot_start_shows_its_log() -> None:
    broker = Kafka(properties={"process.roles": "dancer"})
    with pytest.raises(ServerFailedError, match="dancer"), broker:
        pass
    assert not broker.directory.exists()


def test_redis_keeps_data_over_a_crash(own_redis: Redis) -> None:
    with client.Redis.from_url(own_redis.url()) as connection:
        connection.set("a", "1")
    own_redis.kill()
    own_redis.start()
    with client.Redis.from_url(own_redis.url()) as connection:
        assert connection.get("a") == b"1"
    own_redis.pause()
    with (
        client.Redis.from_url(own_redis.url(), socket_timeout=0.2) as connection,
        pytest.raises(client.TimeoutError),
    ):
        connection.ping()
    own_redis.resume()


def test_each_test_has_its_own_database(redis_server: Redis, redis_url: str) -> None:
    with client.Redis.from_url(redis_url) as connection:
        assert connection.dbsize() == 0


@pytest.mark.redis
def test_redis_takes_settings_and_shows_its_log() -> None:
    with Redis({"maxmemory": "3mb"}) as server, client.Redis.from_url(server.url()) as connection:
        assert connection.config_get("maxmemory") == {"maxmemory": str(3 << 20)}
    with pytest.raises(ServerFailedError, match="nonsense"), Redis({"nonsense": "1"}):
        pass


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_ends_with_its_parent(tmp_path: Path, end: signal.Signals) -> None:
    start = (
        "import sys, time; from pathlib import Path; from streams.embedded.child import Child;"
        "print(Child('sleep', ['/bin/sleep', '60'], Path(sys.argv[1])).pid, flush=True);"
        "time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", start, str(tmp_path / "log")], stdout=subprocess.PIPE, cwd=ROOT
    ) as parent:
        assert parent.stdout
        sleeper = psutil.Process(int(parent.stdout.readline()))
        os.kill(parent.pid, end)
    gone, alive = psutil.wait_procs([sleeper], timeout=10)
    assert gone
    assert not alive


def test_a_server_that_never_answers_is_ended(tmp_path: Path) -> None:
    child = Child("sleep", ["/bin/sleep", "60"], tmp_path / "log")
    started_s = time.monotonic()
    with pytest.raises(ServerFailedError, match="sleep did not answer within 0 s"):
        child.wait_ready(lambda: False, seconds_max=0.2)
    assert not child.running
    assert time.monotonic() - started_s < 5
