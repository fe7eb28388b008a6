"""A run may end in the midst of any fault of a server; what is judged then, is a sound one."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from redis import Redis as RedisClient

from tests.chaos import broker_faults, redis_faults
from tests.chaos.broker_faults import CHANGELOG
from tests.chaos.faults import FAULTS, Fault, fault_name, impossible
from tests.chaos.world import World
from tests.recount.outputs import SCORES, TIER_CHANGES
from tests.servers.kafka import Kafka, create_topics
from tests.servers.redis import Redis

TOPICS = (CHANGELOG, SCORES, TIER_CHANGES)
OF_SERVERS = [
    fault for fault in FAULTS if fault.__module__ in (broker_faults.__name__, redis_faults.__name__)
]


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Kafka, Redis]]:
    with Kafka() as kafka, Redis(aof=True) as redis:
        create_topics(kafka.bootstrap, dict.fromkeys(TOPICS, 1))
        yield kafka, redis


def accepted(kafka: Kafka) -> int:
    """Records that the broker takes, of megabytes together for each topic."""
    errors: list[object] = []
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "message.timeout.ms": 20_000})
    for topic in TOPICS:
        for _ in range(10):
            producer.produce(topic, bytes(300_000), on_delivery=lambda e, _: errors.append(e))
    assert producer.flush(30) == 0
    return errors.count(None)


@pytest.mark.kafka
@pytest.mark.redis
@pytest.mark.slow
@pytest.mark.parametrize("fault", OF_SERVERS, ids=fault_name)
def test_a_server_is_sound_after_its_fault(
    servers: tuple[Kafka, Redis], fault: Fault, tmp_path: Path
) -> None:
    if fault in impossible():
        pytest.skip(impossible()[fault])
    kafka, redis = servers
    world = World(kafka, redis, random.Random(1), tmp_path, {}, ["sleep", "600"])
    try:
        # Sends are refused only where a worker is at work.
        world.slots[0].start()
        world.slots[0].reached.add("recovered")
        assert fault(world)
        world.heal()
        assert accepted(kafka) == 30
        with RedisClient.from_url(redis.url()) as client:
            client.set("large", bytes(4_000_000))
    finally:
        world.slots[0].kill()
