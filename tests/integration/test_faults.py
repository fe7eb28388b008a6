"""Workers killed where it hurts most; nothing is lost and nothing is doubled."""

import os
import random
import time
from pathlib import Path

import pytest

from tests.integration.job import Job, job, simulated

EVENTS = int(os.environ.get("CLV_TEST_EVENTS", "20000"))
CUSTOMERS = int(os.environ.get("CLV_TEST_CUSTOMERS", str(EVENTS // 20)))
KILLS = int(os.environ.get("CLV_TEST_KILLS", "6"))

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.slow]


def test_kill_nine_again_and_again(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    lines = simulated(EVENTS, CUSTOMERS, tmp_path, {})
    with job(tmp_path, CLV_BATCH_EVENTS="500") as running:
        share = len(lines) // (KILLS + 1) + 1
        for number in range(KILLS):
            running.publish(lines[number * share : (number + 1) * share])
            running.worker.start()
            # Mostly while it takes over, or soon after; now and then in the midst of work.
            running.wait_for(rng.choice(["assigned", "assigned", "recovered"]))
            time.sleep(rng.choice([0.0, 0.3, 1.0, 2.0]) * rng.random())
            running.worker.kill()
            assert running.worker.ended() is not None
        running.publish(lines[KILLS * share :])
        running.worker.start()
        running.settle()
        _, found = running.recount()
        assert not found, f"seed {seed}\n{found}"
        running.stop()


def test_dependencies_that_go_away(tmp_path: Path) -> None:
    lines = simulated(EVENTS // 2, CUSTOMERS // 2, tmp_path, {})
    with job(tmp_path) as running:
        running.worker.start()
        running.wait_for("recovered")
        fifth = len(lines) // 5
        running.publish(lines[:fifth])
        _lose_redis(running, lines[fifth : 2 * fifth])
        _lose_kafka(running)
        running.publish(lines[2 * fifth : 3 * fifth])
        running.kafka.pause()
        time.sleep(3)
        running.kafka.resume()
        running.publish(lines[3 * fifth :])
        running.settle()
        _, found = running.recount()
        assert not found, str(found)
        running.stop()


def _lose_redis(running: Job, lines: list[bytes]) -> None:
    """Redis is killed and comes back empty; the worker heals it by itself."""
    running.redis.kill()
    running.publish(lines)
    time.sleep(1)
    for file in running.redis.directory.glob("appendonlydir/*"):
        file.unlink()
    running.redis.start()


def _lose_kafka(running: Job) -> None:
    running.kafka.kill()
    time.sleep(1)
    running.kafka.start()


def test_kafka_goes_away_while_a_worker_starts(tmp_path: Path) -> None:
    lines = simulated(1_000, 100, tmp_path, {})
    with job(tmp_path) as running:
        running.publish(lines)
        running.redis.pause()  # the worker has seen Kafka, and now waits for Redis
        running.worker.start()
        _wait_for_words(running, "Redis at")
        running.kafka.kill()
        running.redis.resume()
        time.sleep(8)
        assert running.worker.running, running.worker.last_words()
        running.kafka.start()
        running.settle()
        _, found = running.recount()
        assert not found, str(found)
        running.stop()


def _wait_for_words(running: Job, words: str) -> None:
    deadline_s = time.monotonic() + 30
    while words not in running.worker.log.read_text():
        assert time.monotonic() < deadline_s, running.worker.last_words()
        time.sleep(0.1)
