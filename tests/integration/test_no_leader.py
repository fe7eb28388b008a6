"""One partition has no leader: all others go on, and it does as soon as it has one."""

import asyncio
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from aiokafka.structs import TopicPartition
from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient, NewTopic

from streams.topics import CLOCK
from streams.transport.transaction import Transactions
from tests.chaos.run import clv
from tests.integration.job import PARTITIONS, Job
from tests.recount import log
from tests.recount.judge import PURCHASES
from tests.recount.outputs import SCORES
from tests.servers.kafka import Kafka, SecondKafka, brokers
from tests.servers.redis import Redis

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.slow]

LAST = PARTITIONS - 1
OTHERS = range(LAST)
WAIT_S_MAX = 25.0
"""Less than the 40 to 60 s for which aiokafka and the worker wait for a leader."""


class Cluster:
    """A job on two brokers, of which the second has nothing yet."""

    def __init__(self, first: Kafka, second: SecondKafka, job: Job) -> None:
        self.first, self.second, self.job = first, second, job

    def place_last(self, topics: Iterable[str]) -> None:
        """Put the last partition of these topics, which are empty, on the second broker."""
        admin = AdminClient({"bootstrap.servers": self.first.bootstrap})
        names = list(topics)
        for future in admin.delete_topics(names, operation_timeout=30).values():
            future.result()
        while set(names) & admin.list_topics(timeout=10).topics.keys():
            time.sleep(0.1)
        replicas = [[1]] * LAST + [[SecondKafka.node]]
        made = [NewTopic(name, PARTITIONS, replica_assignment=replicas) for name in names]
        for future in admin.create_topics(made).values():
            future.result()
        clv(self.job.env, "topics", "apply")  # their settings

    def lose(self) -> None:
        """Kill the second broker, and wait until the first one knows."""
        self.second.kill()
        deadline_s = time.monotonic() + 30
        while brokers(self.first.bootstrap) != {1}:
            assert time.monotonic() < deadline_s
            time.sleep(0.1)

    def ends(self, topic: str) -> list[int]:
        """Where the partitions that have a leader end."""
        ends = log.committed_ends(self.first.bootstrap, {topic: LAST})
        return [ends[topic, number] for number in OTHERS]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Kafka() as first, Redis(aof=True) as redis:
        job = Job(first, redis, tmp_path)
        asyncio.run(_begin(first.bootstrap))
        with SecondKafka(first) as second:
            try:
                yield Cluster(first, second, job)
            finally:
                job.worker.kill()


async def _begin(bootstrap: str) -> None:
    """Let Kafka make its own topics, while there is one broker to put them on."""
    transactions = Transactions("begin-0", "begin", {"bootstrap_servers": bootstrap})
    await transactions.open()
    await transactions.commit([], {TopicPartition(PURCHASES, 0): 0})
    await transactions.close()


@pytest.fixture
def lines(tmp_path: Path) -> list[bytes]:
    """Events of which each partition gets more than a first batch may have."""
    target = tmp_path / "events.jsonl"
    size = "--events 24000 --customers 800 --days 500 --seed 7"
    clv({}, "simulate", *size.split(), "--output", str(target))
    return target.read_bytes().splitlines()


def test_a_partition_that_cannot_be_committed_to_keeps_no_other_waiting(
    cluster: Cluster, lines: list[bytes]
) -> None:
    cluster.place_last([SCORES])
    job = cluster.job
    job.publish(lines)
    cluster.lose()
    job.worker.start()
    job.wait_for("recovered")
    deadline_s = time.monotonic() + WAIT_S_MAX
    while (told := applied(cluster))[:LAST] != cluster.ends(PURCHASES):
        assert time.monotonic() < deadline_s, told
        time.sleep(0.2)
    assert told[LAST] < 0, "nothing was committed of the last one"
    cluster.second.start()
    job.settle()
    job.stop()
    _, found = job.recount()
    assert not found, str(found)


def applied(cluster: Cluster) -> list[int]:
    """What the group was told of each partition of the purchases."""
    client = AdminClient({"bootstrap.servers": cluster.first.bootstrap})
    places = [Place(PURCHASES, number) for number in range(PARTITIONS)]
    asked = ConsumerGroupTopicPartitions(cluster.job.env["CLV_GROUP"], places)
    (told,) = client.list_consumer_group_offsets([asked]).values()
    return [place.offset for place in told.result().topic_partitions]


def test_time_goes_on_where_there_is_a_leader(cluster: Cluster, lines: list[bytes]) -> None:
    cluster.place_last([PURCHASES, CLOCK])
    job = cluster.job
    job.publish(lines[:4000])
    job.worker.start()
    job.wait_for("recovered")
    job.settle()
    cluster.lose()
    before = cluster.ends(CLOCK)
    deadline_s = time.monotonic() + WAIT_S_MAX
    while any(now < then + 20 for now, then in zip(cluster.ends(CLOCK), before, strict=True)):
        assert job.worker.running, job.worker.last_words()
        assert time.monotonic() < deadline_s, (before, cluster.ends(CLOCK))
        time.sleep(0.2)
    cluster.second.start()
    job.publish(lines[4000:8000])
    job.settle()
    job.stop()
    _, found = job.recount()
    assert not found, str(found)
