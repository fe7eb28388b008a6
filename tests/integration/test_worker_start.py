"""What keeps a worker from starting is said in one sentence that says what to do."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streams.embedded.child import free_port
from streams.transport.transaction import TRANSACTION_TIMEOUT_MS
from tests.servers.kafka import Kafka

CLV = [sys.executable, "-m", "streams.cli.main"]


def environment(**settings: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CLV_")}
    return clean | {"CLV_METRICS_PORT": "0"} | settings


def ends(**settings: str) -> tuple[int, list[str]]:
    """Exit status, and what was said on stderr, log lines left out."""
    done = subprocess.run(
        [*CLV, "worker"], env=environment(**settings), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    return done.returncode, [s for s in done.stderr.splitlines() if s.startswith("clv: ")]


@contextmanager
def running(log: Path, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*CLV, "worker"], env=environment(**settings), stdout=file, stderr=file
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(log: Path, text: str, seconds_max: float = 40) -> str:
    deadline = time.monotonic() + seconds_max
    while time.monotonic() < deadline:
        if text in (said := log.read_text()):
            return said
        time.sleep(0.1)
    pytest.fail(f"{text!r} was not said:\n{log.read_text()}")


def test_wrong_setting() -> None:
    status, said = ends(CLV_TIERS="gold:5,silver:1")
    assert status == 2
    assert len(said) == 1
    assert "CLV_TIERS" in said[0]


def test_mistyped_setting() -> None:
    status, said = ends(CLV_REDDIS_URL="redis://localhost")
    assert status == 2
    assert "CLV_REDIS_URL" in said[0]


def test_port_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        status, said = ends(CLV_METRICS_PORT=str(taken.getsockname()[1]))
    assert status == 1
    assert len(said) == 1
    assert "CLV_METRICS_PORT" in said[0]


def test_no_topics(own_kafka, redis_url: str) -> None:
    status, said = ends(CLV_KAFKA_BOOTSTRAP=own_kafka.bootstrap, CLV_REDIS_URL=redis_url)
    assert status == 1
    assert len(said) == 1
    assert "clv topics apply" in said[0]
    settings = environment(CLV_KAFKA_BOOTSTRAP=own_kafka.bootstrap)
    subprocess.run([*CLV, "topics", "apply"], env=settings, check=True, capture_output=True)
    status, said = ends(
        CLV_KAFKA_BOOTSTRAP=own_kafka.bootstrap, CLV_REDIS_URL=redis_url, CLV_PARTITIONS="8"
    )
    assert status == 1
    assert len(said) == 1
    assert "CLV_PARTITIONS=4" in said[0]


@pytest.mark.kafka
def test_a_kafka_that_allows_no_such_transactions(redis_url: str) -> None:
    """Waiting does not help: it would refuse each lane's producer for ever."""
    properties = {"transaction.max.timeout.ms": str(TRANSACTION_TIMEOUT_MS - 1)}
    with Kafka(properties=properties) as short:
        settings = environment(CLV_KAFKA_BOOTSTRAP=short.bootstrap, CLV_REDIS_URL=redis_url)
        subprocess.run([*CLV, "topics", "apply"], env=settings, check=True, capture_output=True)
        status, said = ends(CLV_KAFKA_BOOTSTRAP=short.bootstrap, CLV_REDIS_URL=redis_url)
        assert status == 1
        assert len(said) == 1
        assert f"set transaction.max.timeout.ms={TRANSACTION_TIMEOUT_MS}" in said[0]
        command = [*CLV, "topics", "accept", "clv.purchases"]
        done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert said[0] in done.stderr


def test_waits_for_kafka(redis_url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    nobody = f"127.0.0.1:{free_port()}"
    with running(log, CLV_KAFKA_BOOTSTRAP=nobody, CLV_REDIS_URL=redis_url) as process:
        said = wait_for(log, nobody)
        assert process.poll() is None
        assert re.search(r"Kafka does not answer at .*CLV_KAFKA_BOOTSTRAP", said)


def test_waits_for_redis_and_goes_on(
    kafka, own_redis, unique: Callable[[str], str], tmp_path: Path
) -> None:
    group, log = unique("start"), tmp_path / "log"
    settings = {
        "CLV_KAFKA_BOOTSTRAP": kafka.bootstrap,
        "CLV_REDIS_URL": own_redis.url(0),
        "CLV_GROUP": group,
    }
    subprocess.run(
        [*CLV, "topics", "apply"], env=environment(**settings), check=True, capture_output=True
    )
    own_redis.stop()
    with running(log, **settings) as process:
        wait_for(log, "Redis")
        assert process.poll() is None
        own_redis.start()
        wait_for(log, "ready with 0 keys")
        process.terminate()
        assert process.wait(20) == 0


def test_second_worker_of_one_instance_is_told(
    kafka, redis_url: str, unique: Callable[[str], str], tmp_path: Path
) -> None:
    settings = {
        "CLV_KAFKA_BOOTSTRAP": kafka.bootstrap,
        "CLV_REDIS_URL": redis_url,
        "CLV_GROUP": unique("twice"),
        "CLV_INSTANCE": "one",
    }
    subprocess.run(
        [*CLV, "topics", "apply"], env=environment(**settings), check=True, capture_output=True
    )
    first, second = tmp_path / "first", tmp_path / "second"
    with running(first, **settings) as process:
        wait_for(first, "lane 3: ready")
        with running(second, **settings):
            wait_for(second, "lane 3: ready")
            process.wait(30)
            assert process.returncode == 1
            assert "CLV_INSTANCE=one" in first.read_text()


def generations(log: Path) -> list[str]:
    return re.findall(r"generation \d+: partition numbers .*", log.read_text())


def test_a_killed_worker_gets_its_partitions_back_and_disturbs_nobody(
    kafka, redis_url: str, unique: Callable[[str], str], tmp_path: Path
) -> None:
    """Within its session, and without a rebalance: so one that is killed often makes progress."""
    settings = {
        "CLV_KAFKA_BOOTSTRAP": kafka.bootstrap,
        "CLV_REDIS_URL": redis_url,
        "CLV_GROUP": unique("killed"),
    }
    subprocess.run(
        [*CLV, "topics", "apply"], env=environment(**settings), check=True, capture_output=True
    )
    other = tmp_path / "other"
    with running(other, **settings, CLV_INSTANCE="other"):
        wait_for(other, "lane 3: ready")
        for life in range(3):
            log = tmp_path / f"life-{life}"
            with running(log, **settings, CLV_INSTANCE="killed"):  # ends by kill -9
                wait_for(log, "ready with 0 keys")
                if life == 0:
                    wait_for(other, "(2 kept)")
                    owned, before = generations(log), generations(other)
                assert generations(log) == owned
        assert generations(other) == before
