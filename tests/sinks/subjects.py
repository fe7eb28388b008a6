"""Each sink as the contract suite sees it: written to like any other, read like its readers do.

Redis is a `Sink` of its own. Output topics and metrics are written by a partition's lane, the
former within the batch's transaction: here they are driven in the same way, by the mark.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Protocol

import orjson
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition
from redis.asyncio import Redis as Reader

from models.policy import Policy
from sinks.metrics import Metrics
from sinks.redis import RedisScores
from sinks.sink import Answer, Committed, Sink, Unavailable
from sinks.topics import OutputTopics
from streams.report import Report
from streams.transport.transaction import Transactions
from tests.servers.kafka import Kafka, RunningKafka, create_topics_async
from tests.servers.redis import Redis

COMMIT_S_MAX = 6.0

Seen = Mapping[str, object]


class Subject(Protocol):
    """A sink under test, its dependency and its readers."""

    @property
    def sink(self) -> Sink: ...

    async def prepare(self) -> None:
        """What the worker does when it takes an empty partition over."""
        ...

    async def seen(self) -> Seen:
        """All that readers can tell about it."""
        ...

    async def away(self) -> None: ...

    async def back(self) -> None: ...


class RedisSubject:
    """The sink for look-ups."""

    def __init__(self, server: Redis, prefix: str) -> None:
        self._server, self._prefix = server, prefix
        self.sink = RedisScores(server.url(), prefix, timeout_s=2.0)

    async def prepare(self) -> None:
        if not await self.sink.reflects(0, -1):
            assert await self.sink.refill(0, -1, []) is Answer.WRITTEN

    async def seen(self) -> Seen:
        async with Reader.from_url(self._server.url()) as reader:
            keys = [key async for key in reader.scan_iter(f"{self._prefix}score:*")]
            ranks = {
                name: await reader.zrange(f"{self._prefix}rank:{name}", 0, -1, withscores=True)
                for name in ("total", "risk")
            }
            return {key.decode(): await reader.get(key) for key in keys} | ranks

    async def away(self) -> None:
        self._server.kill()

    async def back(self) -> None:
        self._server.start()


class TransactionalTopics:
    """Writes like a lane: what is committed already is not committed again."""

    def __init__(self, bootstrap: str, group: str, topics: OutputTopics) -> None:
        self._bootstrap, self._group, self._topics = bootstrap, group, topics
        self.input = f"{group}-input"
        self._input = TopicPartition(self.input, 0)
        self._transactions: Transactions | None = None
        self._mark = -1

    async def open(self) -> None:
        connection = {"bootstrap_servers": self._bootstrap}
        transactions = Transactions(f"{self._group}-0", self._group, connection)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap, group_id=self._group, enable_auto_commit=False
        )
        try:
            await transactions.open()
            await consumer.start()
            self._mark = (await consumer.committed(self._input) or 0) - 1
        except KafkaError as error:
            await transactions.close()
            raise Unavailable(str(error)) from error
        finally:
            await consumer.stop()
        self._transactions = transactions

    async def write(self, batch: Committed) -> Answer:
        if self._transactions is None:
            await self.open()
        assert self._transactions is not None
        if batch.mark < self._mark:
            return Answer.NEWER
        if batch.mark > self._mark:
            outputs = self._topics.of(batch.step, batch.partition)
            commit = self._transactions.commit(outputs, {self._input: batch.mark + 1})
            try:
                await asyncio.wait_for(commit, COMMIT_S_MAX)
            except (KafkaError, TimeoutError) as error:
                await self.close()
                raise Unavailable(f"Kafka: {error!r}") from error
            self._mark = batch.mark
        return Answer.WRITTEN

    async def close(self) -> None:
        transactions, self._transactions = self._transactions, None
        if transactions is not None:
            await transactions.close()


class TopicsSubject:
    """The output topics, read as subscribers that read committed do."""

    def __init__(self, server: Kafka | RunningKafka, run: str) -> None:
        self._server, self._run = server, run
        self._topics = OutputTopics(f"scores.{run}", f"tiers.{run}", f"churn.{run}")
        self.sink = TransactionalTopics(server.bootstrap, f"group.{run}", self._topics)

    async def prepare(self) -> None:
        topics = [*self._names, self.sink.input]
        await create_topics_async(self._server.bootstrap, dict.fromkeys(topics, 1))
        await self.sink.open()

    async def seen(self) -> Seen:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._server.bootstrap,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            partitions = [TopicPartition(name, 0) for name in self._names]
            consumer.assign(partitions)
            ends = await self._ends(partitions)
            values: dict[str, list[bytes | None]] = {name: [] for name in self._names}
            limit_s = time.monotonic() + 30
            while left := [tp for tp in partitions if await consumer.position(tp) < ends[tp]]:
                shown = {tp.topic: (consumer.last_stable_offset(tp), ends[tp]) for tp in left}
                assert time.monotonic() < limit_s, f"shown of what was committed: {shown}"
                for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                    values[tp.topic] += [record.value for record in records]
        finally:
            await consumer.stop()
        return dict(values)

    async def _ends(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Where the topics end, with what is committed and is yet to be marked as such.

        A commit is answered before its markers are written: a reader of what is committed is
        told an end before them. They come at once, after a crash as soon as the broker leads its
        partitions again; Kafka 4.3.0 to 4.4.0 may forget them then, for good (KAFKA-20734).
        """
        consumer = AIOKafkaConsumer(bootstrap_servers=self._server.bootstrap)
        await consumer.start()
        try:
            ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
            return ends
        finally:
            await consumer.stop()

    async def away(self) -> None:
        assert isinstance(self._server, Kafka)
        self._server.kill()

    async def back(self) -> None:
        assert isinstance(self._server, Kafka)
        await asyncio.to_thread(self._server.start)

    @property
    def _names(self) -> tuple[str, str, str]:
        return self._topics.scores, self._topics.tier_changes, self._topics.churn_changes


class ReportedMetrics:
    """Reports like a lane: each committed batch once."""

    def __init__(self, metrics: Metrics) -> None:
        self._report = Report(metrics, 0, wall_clock=False)
        self._mark = -1

    async def open(self) -> None: ...

    async def write(self, batch: Committed) -> Answer:
        if batch.mark < self._mark:
            return Answer.NEWER
        if batch.mark > self._mark:
            self._mark = batch.mark
            self._report.batch(0.01, batch.step, None)
        return Answer.WRITTEN

    async def close(self) -> None: ...


class MetricsSubject:
    """The population and the changes, as a scrape shows them."""

    def __init__(self) -> None:
        policy = Policy()
        self._metrics = Metrics(
            version="0", tiers=policy.tier_names, levels=policy.level_names, clock=lambda: 0.0
        )
        self.sink = ReportedMetrics(self._metrics)

    async def prepare(self) -> None: ...

    async def seen(self) -> Seen:
        return {
            f"{sample.name}{sorted(sample.labels.items())}": sample.value
            for family in self._metrics.collect()
            if not family.name.startswith("clv_batch")
            for sample in family.samples
        }

    async def away(self) -> None: ...

    async def back(self) -> None: ...


def revisions(seen: Seen) -> dict[str, int]:
    """The newest revision of each customer that readers of scores see."""
    newest: dict[str, int] = {}
    for value in seen.values():
        for json in value if isinstance(value, list) else [value]:
            if isinstance(json, bytes) and b'"revision":' in json:
                score = orjson.loads(json)
                newest[score["customer_id"]] = score["revision"]
    return newest
