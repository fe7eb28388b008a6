"""A broker on which the topics have their own names, for commands; and a partition without any."""

from collections.abc import AsyncIterator, Iterator

import pytest

from sinks.redis import RedisScores
from streams.settings import Settings
from tests.servers.kafka import Kafka
from tests.streams.one_partition import Partition


@pytest.fixture(scope="package")
def named_kafka() -> Iterator[str]:
    """Bootstrap servers of a broker without topics. Tests that use it carry the marker `kafka`."""
    with Kafka(heap_mb=512) as broker:
        yield broker.bootstrap


@pytest.fixture
def named_settings(named_kafka: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings for that broker, also in the environment, where commands find them."""
    monkeypatch.setenv("CLV_KAFKA_BOOTSTRAP", named_kafka)
    return Settings.load()


@pytest.fixture
async def partition(redis_url: str) -> AsyncIterator[Partition]:
    """A partition that keepers own one after the other."""
    sink = RedisScores(redis_url)
    yield Partition(sink)
    await sink.close()
