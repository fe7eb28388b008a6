"""One partition, its keepers and what outlives them, without Kafka."""

import asyncio
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from models.events import Decoder
from models.policy import Policy
from models.releases import Releases
from models.silent_step import silence_together
from models.step import step_together
from sinks.metrics import Metrics
from sinks.record import Output
from sinks.redis import RedisScores
from sinks.topics import OutputTopics
from streams import ticks
from streams.dead_letters import DeadLetterLimit
from streams.readiness import Readiness
from streams.scorekeeper import Scorekeeper, Shared
from streams.together import Together
from streams.topics import PURCHASES
from streams.transport.received import Seen
from tests.streams.test_intake import NOON_MS, PARTITIONS, record, residents

CHANGELOG, NUMBER = "clv-state-changelog", 1
DAY_MS = 86_400_000

ANN, BEA = residents(NUMBER, 2)


class Partition:
    """What outlives a keeper: the changelog and all other outputs, as they were committed."""

    def __init__(self, sink: RedisScores) -> None:
        self.changelog: list[Any] = []
        self.outputs: dict[str, list[Any]] = {}
        self.offset = -1
        self.away: KafkaError | None = None
        self.applied: Mapping[str, int] = {}
        self.releases = Releases(Policy().params, "EUR")
        self.metrics = Metrics(
            version="0",
            tiers=[name for name, _ in Policy().tiers],
            levels=["low", "medium", "high"],
        )
        self.shared = Shared(
            policy=Policy(),
            releases=self.releases,
            decoder=Decoder("EUR", {}, 3_600_000),
            metrics=self.metrics,
            redis=sink,
            limit=DeadLetterLimit(0.5),
            readiness=Readiness(),
            topics=OutputTopics(source="/clv"),
            partitions=PARTITIONS,
            changelog=CHANGELOG,
            wall_clock=False,
            events_together=Together(step_together),
            silence_together=Together(silence_together),
        )

    async def commit(
        self, outputs: Iterable[Output], *, hold_offsets: bool
    ) -> dict[tuple[str, int], int]:
        """What a batch's lane does: all or nothing, and then a marker."""
        assert hold_offsets, "the lane would tell the group each time"
        outputs = list(outputs)
        if self.away:
            raise self.away
        last = {}
        for output in outputs:
            if output.topic == CHANGELOG:
                for one in output.records:
                    self.offset += 1
                    kept = SimpleNamespace(key=one.key, value=one.value, offset=self.offset)
                    self.changelog.append(kept)
                last[CHANGELOG, NUMBER] = self.offset
                self.offset += 1
            else:
                self.outputs.setdefault(output.topic, []).extend(output.records)
        return last

    async def keeper(self) -> Scorekeeper:
        """A new owner."""
        lane: Any = SimpleNamespace(
            number=NUMBER,
            applied={},
            newest={},
            has_applied=self._has_applied,
            heed_successor=lambda: asyncio.sleep(0),
        )
        keeper = Scorekeeper(self.shared, lane, {})
        await keeper.prepare()
        if self.changelog:
            keeper.restore(self.changelog, 0)
        await keeper.begin(self.changelog[-1].offset if self.changelog else -1)
        return keeper

    def _has_applied(self, ends: Mapping[str, int]) -> bool:
        return all(self.applied.get(topic, 0) >= end for topic, end in ends.items())

    def batch(self, **records: list[Any]) -> Any:
        """Records by topic, as a lane hands them to the agent."""
        newest = {
            TopicPartition(f"clv.{name}", NUMBER): Seen(chunk[-1].offset, chunk[-1].timestamp)
            for name, chunk in records.items()
            if name != "clock"
        }
        return SimpleNamespace(
            records={f"clv.{name}": chunk for name, chunk in records.items()},
            newest=newest,
            offsets={tp: seen.offset + 1 for tp, seen in newest.items()},
            commit=self.commit,
        )

    async def work(self, keeper: Scorekeeper, batch: Any) -> None:
        """What the agent does."""
        intake = keeper.decode(batch)
        if intake.flags:
            result = await keeper.step(intake)
            await keeper.publish(batch, result, intake)
            keeper.remember(result)
        if (silent := await keeper.silence()) is not None:
            if silent.states:
                await keeper.publish(batch, silent)
                keeper.remember(silent)
            else:
                keeper.postpone(silent)


def tick(at_ms: int, end: int) -> Any:
    return SimpleNamespace(value=ticks.encode(ticks.Tick(at_ms, {PURCHASES: end})), timestamp=at_ms)


def purchase(offset: int, customer: str, *, days: int = 0) -> Any:
    return record(PURCHASES, offset, customer, NOON_MS + days * DAY_MS, partition=NUMBER)


def gauges(metrics: Metrics) -> list[str]:
    """What a partition adds to the gauges."""
    names = ("clv_customers{", "clv_value_minor", "clv_deadlines", "clv_state_bytes")
    return [line for line in metrics.render().decode().splitlines() if line.startswith(names)]


def score_age_s(metrics: Metrics) -> float:
    (line,) = [
        line
        for line in metrics.render().decode().splitlines()
        if line.startswith("clv_score_age_seconds ")
    ]
    return float(line.split()[1])


def judged(partition: Partition) -> float:
    samples = partition.metrics.registry.collect()
    return sum(
        sample.value
        for family in samples
        for sample in family.samples
        if sample.name == "clv_predictions_judged_total"
    )
