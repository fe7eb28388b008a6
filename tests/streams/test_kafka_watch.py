"""What `/readyz` and the log say of Kafka while a worker runs."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.protocol.metadata import MetadataRequest_v5

from streams import kafka_watch
from streams.kafka import KafkaAway, KafkaRefused
from streams.readiness import Readiness
from streams.settings import Settings
from streams.topic_admin import WrongTopics
from streams.topic_ids import NO_ID, TopicsRequest
from streams.topics import ENGAGEMENTS, PURCHASES, SCORES


class Topics:
    """What an admin client tells of topics, by their number of partitions, and some by an id."""

    def __init__(self, partitions: dict[str, int], ids: dict[str, bytes] | None = None) -> None:
        self._partitions, self._ids = partitions, ids or {}

    async def _send_request(self, request: TopicsRequest) -> Any:
        asked = request.build(MetadataRequest_v5)
        assert not asked.allow_auto_topic_creation
        told = [one for one in await self.describe_topics() if one["topic"] in asked.topics]
        return SimpleNamespace(to_object=lambda: {"topics": told})

    async def describe_topics(self) -> list[dict[str, Any]]:
        return [
            {"topic": name, "partitions": [None] * count, "error_code": 0}
            | ({"id": self._ids[name]} if name in self._ids else {})
            for name, count in self._partitions.items()
        ]


async def watched(
    monkeypatch: pytest.MonkeyPatch,
    *answers: dict[str, int],
    partitions: int,
    ids: Sequence[bytes] = (),
) -> asyncio.Task[None]:
    """A watch over topics that has asked so many times, or has ended; purchases have these ids."""
    left, known = list(answers), list(ids)

    @asynccontextmanager
    async def admin(_settings: Any) -> AsyncIterator[Any]:
        told = {PURCHASES: known.pop(0)} if known else {}
        yield Topics(left.pop(0) if len(left) > 1 else left[0], told)

    monkeypatch.setattr(kafka_watch.kafka, "admin", admin)
    monkeypatch.setattr(kafka_watch, "ASK_S", 0)
    watching = asyncio.create_task(kafka_watch.watch(Settings(partitions=partitions), Readiness()))
    for _ in range(20):
        await asyncio.sleep(0)
    return watching


async def test_an_input_that_has_got_more_partitions_ends_the_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half of the customers' events would wait where nobody reads, and silence be believed."""
    before = {PURCHASES: 4, ENGAGEMENTS: 4}
    watching = await watched(monkeypatch, before, {**before, PURCHASES: 8}, partitions=4)
    with pytest.raises(WrongTopics, match=r"have 8 partitions and must have 4 \(clv.purchases\)"):
        await watching


async def test_an_input_that_is_away_or_has_an_id_at_last_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    topics = {PURCHASES: 4, ENGAGEMENTS: 4}
    ids = [NO_ID, b"one", NO_ID, b"one"]
    watching = await watched(monkeypatch, topics, partitions=4, ids=ids)
    assert not watching.done()
    watching.cancel()


async def test_an_input_that_was_made_anew_ends_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have been away and have grown between two fetches."""
    topics = {PURCHASES: 4, ENGAGEMENTS: 4}
    watching = await watched(monkeypatch, topics, partitions=4, ids=[b"old", b"old", b"new"])
    with pytest.raises(WrongTopics, match="was deleted and made anew under this worker"):
        await asyncio.wait_for(watching, 2)


@pytest.mark.parametrize(
    "partitions",
    [{PURCHASES: 4, ENGAGEMENTS: 4, SCORES: 9}, {PURCHASES: 4}, {PURCHASES: 2, ENGAGEMENTS: 4}],
)
async def test_what_is_gone_for_a_moment_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, partitions: dict[str, int]
) -> None:
    """Nor does an output, where nobody's events wait."""
    watching = await watched(monkeypatch, partitions, partitions=4)
    assert not watching.done()
    watching.cancel()


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
    async def admin(_settings: Any) -> AsyncIterator[Any]:
        told.append(readiness.verdict()[1][0])
        if not answers:
            await asyncio.sleep(3600)
        if (trouble := answers.pop(0)) is not None:
            raise trouble
        yield Topics({})

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
