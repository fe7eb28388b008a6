"""Workers killed where it hurts most; nothing is lost and nothing is doubled."""

import json
import os
import random
import threading
import time
from pathlib import Path

import pytest

from tests.chaos.workers import Slot
from tests.integration.job import PARTITIONS, Job, job, simulated
from tests.recount.murmur import partition_of

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


RUN_CPU_S, REST_S = 0.02, 0.38
"""A twentieth of a core, as on a machine that is busy, or in a container with a small share."""
RUN_S_MAX = 0.5
"""For as long it runs at most, where others have the processor meanwhile."""


def _slow_down(worker: Slot, done: threading.Event) -> None:
    while not done.is_set() and worker.running:
        used_s, until_s = worker.cpu_s + RUN_CPU_S, time.monotonic() + RUN_S_MAX
        while worker.cpu_s < used_s and time.monotonic() < until_s:
            time.sleep(0.002)
        worker.pause()
        done.wait(REST_S)
        worker.resume()


def _purchase(customer: str, number: int) -> bytes:
    fields = {
        "id": f"o-{number}", "type": "purchase", "customer_id": customer, "currency": "EUR",
        "occurred_at": 1_772_357_400_000 + number, "amount_minor": 1_000 + number % 9_000,
    }  # fmt: skip
    return json.dumps(fields).encode()


def test_a_backlog_on_a_twentieth_of_a_core(tmp_path: Path) -> None:
    """A full batch would hold the worker for longer than the group waits for it, each time anew."""
    names = (f"c-{n}" for n in range(40_000))
    here = [name for name in names if partition_of(name.encode(), PARTITIONS) == 0]
    with job(tmp_path) as running:
        running.publish(_purchase(here[n % 7_000], n) for n in range(50_000))
        running.worker.start()
        running.wait_for("assigned")
        done = threading.Event()
        slowing = threading.Thread(target=_slow_down, args=(running.worker, done))
        slowing.start()
        try:
            running.settle()
        finally:
            done.set()
            slowing.join()
        log = running.worker.log.read_text()
        assert log.count("generation ") == 1, log
        _, found = running.recount()
        assert not found, str(found)
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


FORGETFUL = {
    "transactional.id.expiration.ms": "2000",  # a week, where nobody says otherwise
    "transaction.remove.expired.transaction.cleanup.interval.ms": "500",
    "producer.id.expiration.ms": "2000",  # a day
    "producer.id.expiration.check.interval.ms": "500",
}


def test_a_worker_that_kafka_has_forgotten_goes_on(tmp_path: Path) -> None:
    """As after a week without an event: a lane's producer is no longer known."""
    lines = simulated(1_500, 100, tmp_path, {})
    with job(tmp_path, properties=FORGETFUL) as running:
        running.worker.start()
        for at in (0, 500, 1_000):
            running.publish(lines[at : at + 500])
            running.settle()
            time.sleep(6)
        assert b"takes over afresh" in running.worker.log.read_bytes(), "nothing was forgotten"
        running.stop()
        _, found = running.recount()
        assert not found, found
