"""The request that tells topics' ids is one that Kafka takes, and an old one answers without."""

from collections.abc import Callable

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from streams.embedded.broker import EmbeddedBroker
from streams.topic_ids import NO_ID, TopicsRequest
from tests.servers.kafka import Kafka, create_topics_async


async def asked(bootstrap: str, *names: str) -> dict[str, tuple[int, int, bytes]]:
    """By topic, error, number of partitions and id."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        told = await client._send_request(TopicsRequest(list(names)))
    finally:
        await client.close()
    return {
        one["topic"]: (one["error_code"], len(one["partitions"]), one.get("id", NO_ID))
        for one in told.to_object()["topics"]
    }


async def test_kafka_tells_an_id_and_makes_no_topic(
    kafka: Kafka, unique: Callable[[str], str]
) -> None:
    there, not_there = unique("there"), unique("not-there")
    await create_topics_async(kafka.bootstrap, {there: 3})
    for _ in range(2):
        told = await asked(kafka.bootstrap, there, not_there)
        error, partitions, known = told[there]
        assert (error, partitions) == (0, 3)
        assert len(known) == 16
        assert known != NO_ID
        assert told[not_there] == (3, 0, NO_ID)  # UNKNOWN_TOPIC_OR_PARTITION


async def test_the_demos_broker_never_tells_another() -> None:
    with EmbeddedBroker() as broker:
        broker.create(["there"])
        told = [(await asked(broker.bootstrap, "there"))["there"][2] for _ in range(3)]
        broker.create(["there", "more"])
        told.append((await asked(broker.bootstrap, "there"))["there"][2])
        assert len(set(told)) == 1


@pytest.mark.parametrize(("newest", "version"), [(8, 5), (12, 12), (13, 12)])
def test_the_newest_version_that_both_know_is_used(newest: int, version: int) -> None:
    prepared = TopicsRequest(["a"]).prepare({3: (0, newest)})
    assert version == prepared.API_VERSION
    assert not prepared.allow_auto_topic_creation
