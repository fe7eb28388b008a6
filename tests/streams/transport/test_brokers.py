"""A cluster that tells of no brokers, as one does while its only broker comes back."""

import asyncio

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import KafkaConnectionError

from streams import kafka
from streams.embedded.broker import EmbeddedBroker
from streams.settings import Settings
from streams.transport import brokers
from streams.transport.transaction import Transactions, is_passing


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each client begins with the answer of a broker that does not know of itself yet."""

    async def bootstrap(_client: AIOKafkaClient) -> None:
        return

    monkeypatch.setattr(AIOKafkaClient, "bootstrap", bootstrap)


@pytest.mark.usefixtures("nobody")
async def test_a_lane_takes_over_afresh() -> None:
    transactions = Transactions("g-0", "g", {"bootstrap_servers": "127.0.0.1:9"})
    with pytest.raises(KafkaConnectionError, match="no brokers") as error:
        await transactions.open()
    await transactions.close()
    assert is_passing(error.value)


@pytest.mark.usefixtures("nobody")
async def test_a_command_says_that_kafka_is_away() -> None:
    with pytest.raises(kafka.KafkaAway, match=r"does not answer at 127\.0\.0\.1:9"):
        async with kafka.producer(
            Settings(kafka_bootstrap="127.0.0.1:9"), transactional_id="replay"
        ):
            raise AssertionError("it has no broker")


async def test_other_assertions_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    client = AIOKafkaClient()
    monkeypatch.setattr(client.cluster, "brokers", lambda: {"one"})
    with pytest.raises(AssertionError, match="other"):
        async with brokers.among_brokers(client):
            raise AssertionError("other")


async def test_a_consumer_waits_for_the_first_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brokers, "ASK_S", 0.01)
    with EmbeddedBroker() as broker:
        client = AIOKafkaClient(bootstrap_servers=broker.bootstrap)
        await client.bootstrap()
        known, answers = ClusterMetadata.brokers, iter([set(), set()])
        monkeypatch.setattr(
            ClusterMetadata, "brokers", lambda cluster: next(answers, known(cluster))
        )
        asked = []
        update = client.force_metadata_update
        monkeypatch.setattr(client, "force_metadata_update", lambda: asked.append(1) or update())
        await asyncio.wait_for(brokers.until_brokers(client), 5)
        assert asked
        await client.close()
