"""A broker on which the topics have their own names: for commands, which know no others."""

from collections.abc import Iterator

import pytest

from streams.settings import Settings
from tests.servers.kafka import Kafka


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
