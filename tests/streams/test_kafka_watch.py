"""What `/readyz` and the log say of Kafka while a worker runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from streams import kafka_watch
from streams.kafka import KafkaAway, KafkaRefused
from streams.readiness import Readiness
from streams.settings import Settings


async def test_each_trouble_is_a_line_and_a_refusal_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A certificate that ran out is no broker that is away: waiting does not help."""
    away = KafkaAway("Kafka does not answer at localhost:9092: start it.")
    expired = KafkaRefused(
        "Kafka at localhost:9092 shows a certificate that has expired: renew it."
    )
    answers: list[KafkaAway | None] = [None, away, away, expired, expired, None]
    told: list[str] = []
    readiness = Readiness()

    @asynccontextmanager
    async def admin(_settings: Any) -> AsyncIterator[None]:
        told.append(readiness.verdict()[1][0])
        if not answers:
            await asyncio.sleep(3600)
        if (trouble := answers.pop(0)) is not None:
            raise trouble
        yield

    monkeypatch.setattr(kafka_watch.kafka, "admin", admin)
    monkeypatch.setattr(kafka_watch, "ASK_S", 0)
    with caplog.at_level("INFO", logger="streams.kafka_watch"):
        watching = asyncio.create_task(kafka_watch.watch(Settings(), readiness))
        async with asyncio.timeout(5):
            while len(told) < 7:
                await asyncio.sleep(0)
        watching.cancel()
    refused = "at localhost:9092 shows a certificate that has expired: renew it"
    assert caplog.messages == [
        "Kafka does not answer at localhost:9092; waits for it",
        f"Kafka {refused}; waits for it",
        "Kafka answers again at localhost:9092",
    ]
    assert f"kafka: {refused}" in told
    assert "kafka: does not answer at localhost:9092" in told
    assert told[-1] == "waits for its dependencies"
