"""A partition's keeper: what it commits, what it remembers, and what its successor finds."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import orjson
import pytest
import redis
from aiokafka.errors import KafkaError, ProducerFenced
from aiokafka.structs import TopicPartition

from models.events import Decoder
from models.facts import TOTAL_MINOR_MAX
from models.judged_windows import WINDOW_MS, window_ends_ms
from models.policy import Policy
from models.releases import Releases
from models.silent_step import silence_together
from models.state import State, decode_summary, encode
from models.step import step_together
from sinks.metrics import Metrics
from sinks.record import Output
from sinks.redis import RedisScores
from sinks.topics import OutputTopics
from streams import dead_letters, follower, progress, states, ticks
from streams import scorekeeper as module
from streams.dead_letters import DeadLetterLimit, TooManyDeadLetters
from streams.readiness import Readiness
from streams.scorekeeper import Scorekeeper, Shared
from streams.together import Together
from streams.topics import DEAD_LETTERS, ENGAGEMENTS, PURCHASES, SCORES, TIER_CHANGES
from streams.transport.changelog import DamagedChangelog
from streams.transport.received import Seen
from tests.streams.test_intake import NOON_MS, PARTITIONS, record, residents

pytestmark = pytest.mark.redis

CHANGELOG, NUMBER = "clv-state-changelog", 1
DAY_MS = 86_400_000


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


@pytest.fixture
async def partition(redis_url: str) -> AsyncIterator[Partition]:
    sink = RedisScores(redis_url)
    yield Partition(sink)
    await sink.close()


ANN, BEA = residents(NUMBER, 2)


async def test_a_batch_is_one_transaction_and_then_in_redis(
    partition: Partition, redis_url: str
) -> None:
    keeper = await partition.keeper()
    (stranger,) = residents(NUMBER + 1, 1)
    rubbish = record(PURCHASES, 2, ANN, partition=NUMBER, value=b"{")
    batch = partition.batch(purchases=[purchase(0, ANN), purchase(1, stranger), rubbish])
    await partition.work(keeper, batch)
    await keeper.settled()
    assert [one.key for one in partition.changelog] == [progress.KEY, ANN.encode()]
    assert [one.key for one in partition.outputs[PURCHASES]] == [stranger.encode()]
    assert len(partition.outputs[DEAD_LETTERS]) == 1
    with redis.Redis.from_url(redis_url) as reader:
        assert orjson.loads(reader.get(f"clv:score:{ANN}"))["revision"] == 1
        assert int(reader.get(f"clv:mark:{NUMBER}")) == 1


async def test_what_the_facts_refuse_is_a_dead_letter_too(partition: Partition) -> None:
    keeper = await partition.keeper()
    full = encode(State(spend_minor=TOTAL_MINOR_MAX))
    keeper._states.table[ANN.encode()] = full
    rubbish = record(PURCHASES, 0, BEA, partition=NUMBER, value=b"{")
    chunk = [rubbish, purchase(1, BEA), purchase(2, ANN)]
    await partition.work(keeper, partition.batch(purchases=chunk))
    told = [dict(one.headers) for one in partition.outputs[DEAD_LETTERS]]
    assert [(one["clv-offset"], one["clv-reason"]) for one in told] == [
        (b"0", b"invalid_json"),
        (b"2", b"bad_amount"),
    ]
    assert [one.key for one in partition.outputs[SCORES]] == [BEA.encode()]
    assert keeper._states.table[ANN.encode()] == full


async def test_bad_events_of_several_batches_add_up_to_too_many(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "WINDOW_EVENTS", 4)  # of which half may be bad
    keeper = await partition.keeper()
    bad = [record(PURCHASES, number, ANN, partition=NUMBER, value=b"{") for number in range(4)]
    for one in (bad[0], bad[1], purchase(2, ANN)):
        await partition.work(keeper, partition.batch(purchases=[one]))
    written = partition.offset
    with pytest.raises(TooManyDeadLetters):
        await partition.work(keeper, partition.batch(purchases=[bad[3]]))
    assert partition.offset == written


async def test_each_batch_follows_the_one_before_in_redis(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else every batch would have all of the partition written again."""
    keeper = await partition.keeper()
    monkeypatch.setattr(partition.shared.redis, "refill", None)
    for number in range(3):
        await partition.work(keeper, partition.batch(purchases=[purchase(number, ANN)]))
    await keeper.settled()
    assert await partition.shared.redis.reflected(NUMBER) == partition.changelog[-1].offset


async def test_a_redis_that_was_emptied_while_nothing_came_has_all_again(
    partition: Partition, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In as many portions as it takes."""
    monkeypatch.setattr(states, "REFILL_CUSTOMERS", 2)
    monkeypatch.setattr(follower, "LOOK_S", 0.0)
    keeper = await partition.keeper()
    for number, who in enumerate(residents(NUMBER, 5)):
        await partition.work(keeper, partition.batch(purchases=[purchase(number, who)]))
    await keeper.settled()
    newest = {one.key.decode(): one.value for one in partition.outputs[SCORES]}
    with redis.Redis.from_url(redis_url) as reader:
        reader.flushdb()
        await keeper.look()
        assert {who: reader.get(f"clv:score:{who}") for who in newest} == newest
        assert reader.zcard("clv:rank:total") == reader.zcard("clv:rank:risk") == len(newest) == 5
    assert await partition.shared.redis.reflected(NUMBER) == partition.changelog[-1].offset


async def test_the_changelog_holds_the_offsets_of_all_inputs(partition: Partition) -> None:
    """The group may know them a second later, or never."""
    keeper = await partition.keeper()
    engagements = TopicPartition(ENGAGEMENTS, NUMBER)
    keeper._lane.applied, keeper._lane.newest = {engagements: 7}, {engagements: Seen(5, 8_000)}
    await partition.work(keeper, partition.batch(purchases=[purchase(0, ANN), purchase(1, BEA)]))
    successor = Scorekeeper(partition.shared, keeper._lane, {})
    successor.restore(partition.changelog, 0)
    assert successor.offsets() == {PURCHASES: 2, ENGAGEMENTS: 7}
    newest = purchase(1, BEA)
    assert successor.newest() == {PURCHASES: (1, newest.timestamp), ENGAGEMENTS: (5, 8_000)}


async def test_a_transaction_that_fails_leaves_everything_as_it_was(partition: Partition) -> None:
    keeper = await partition.keeper()
    await partition.work(keeper, partition.batch(purchases=[purchase(0, ANN)]))
    table, now_ms = dict(keeper._states.table), keeper.now_ms
    partition.away = KafkaError("away")
    with pytest.raises(KafkaError):
        await partition.work(keeper, partition.batch(purchases=[purchase(1, ANN, days=1)]))
    assert (keeper._states.table, keeper.now_ms) == (table, now_ms)


@pytest.mark.parametrize(("error", "counted"), [(KafkaError("away"), 1), (ProducerFenced(), 0)])
async def test_what_kafka_takes_and_what_it_does_not_is_measured(
    partition: Partition, error: KafkaError, counted: int
) -> None:
    """Who was fenced ends: that is no fault of the topics."""
    keeper = await partition.keeper()
    await partition.work(keeper, partition.batch(purchases=[purchase(0, ANN)]))
    partition.away = error
    with pytest.raises(KafkaError):
        await partition.work(keeper, partition.batch(purchases=[purchase(1, ANN, days=1)]))
    value = partition.metrics.registry.get_sample_value
    failed = value("clv_sink_errors_total", {"sink": "topics", "error": "unavailable"})
    assert (value("clv_sink_seconds_count", {"sink": "topics"}), failed) == (1, counted)


async def test_a_successor_goes_on_as_if_nothing_had_happened(
    partition: Partition, redis_url: str
) -> None:
    first = await partition.keeper()
    await partition.work(first, partition.batch(purchases=[purchase(0, ANN), purchase(1, BEA)]))
    await first.settled()
    before = gauges(partition.metrics)
    await first.end()
    assert gauges(partition.metrics) != before
    second = await partition.keeper()
    assert second._states.table == first._states.table
    assert second.now_ms == first.now_ms
    assert len(second._states.schedule) == len(first._states.schedule)
    assert gauges(partition.metrics) == before
    await partition.work(second, partition.batch(purchases=[purchase(2, ANN, days=1)]))
    await second.settled()
    with redis.Redis.from_url(redis_url) as reader:
        assert orjson.loads(reader.get(f"clv:score:{ANN}"))["revision"] == 2
        assert int(reader.get(f"clv:mark:{NUMBER}")) == partition.changelog[-1].offset


@pytest.mark.parametrize("portion", [1, 100])
async def test_a_successor_writes_what_its_predecessor_no_longer_could(
    partition: Partition, redis_url: str, monkeypatch: pytest.MonkeyPatch, portion: int
) -> None:
    """Killed between a commit and Redis: all that is newer than Redis, and nothing else."""
    first = await partition.keeper()
    await partition.work(first, partition.batch(purchases=[purchase(0, ANN), purchase(1, BEA)]))
    await first.settled()
    monkeypatch.setattr(first._follower, "follow", lambda *_: None)
    (cid,) = set(residents(NUMBER, 3)) - {ANN, BEA}
    for number, who in enumerate([BEA, cid, BEA], 2):
        await partition.work(first, partition.batch(purchases=[purchase(number, who, days=1)]))
    newest = {one.key.decode(): one.value for one in partition.outputs[SCORES]}
    second = Scorekeeper(partition.shared, first._lane, {})
    await second.prepare()
    for at in range(0, len(partition.changelog), portion):
        second.restore(partition.changelog[at : at + portion], 0)
    with redis.Redis.from_url(redis_url) as reader:
        assert {who: reader.get(f"clv:score:{who}") == newest[who] for who in newest} == {
            ANN: True,
            BEA: False,
            cid: False,
        }
        reader.set(f"clv:score:{ANN}", b"as it was")
        await second.begin(partition.changelog[-1].offset)
        found = {who: reader.get(f"clv:score:{who}") for who in newest}
        assert found == newest | {ANN: b"as it was"}
        assert int(reader.get(f"clv:mark:{NUMBER}")) == partition.changelog[-1].offset


async def test_who_was_taken_out_is_nobody_to_the_successor(
    partition: Partition, redis_url: str
) -> None:
    """As grafana/RUNBOOK.md has it, "Take a customer out": a tombstone, and Redis by hand."""
    first = await partition.keeper()
    await partition.work(first, partition.batch(purchases=[purchase(0, ANN), purchase(1, BEA)]))
    await first.settled()
    await first.end()
    partition.offset += 1
    tombstone = SimpleNamespace(key=ANN.encode(), value=None, offset=partition.offset)
    partition.changelog.append(tombstone)
    with redis.Redis.from_url(redis_url) as reader:
        reader.delete(f"clv:score:{ANN}")
        second = await partition.keeper()
        assert list(second._states.table) == [BEA.encode()]
        assert reader.get(f"clv:score:{ANN}") is None
        await partition.work(second, partition.batch(purchases=[purchase(2, ANN, days=1)]))
        await second.settled()
        again = orjson.loads(reader.get(f"clv:score:{ANN}"))
        assert (again["revision"], again["orders"]) == (1, 1)


def gauges(metrics: Metrics) -> list[str]:
    """What a partition adds to the gauges."""
    names = ("clv_customers{", "clv_value_minor", "clv_deadlines", "clv_state_bytes")
    return [line for line in metrics.render().decode().splitlines() if line.startswith(names)]


async def test_a_deadline_that_nobody_looks_at_grows_old(partition: Partition) -> None:
    """Time is held, or ticks do not come: the gauge must say so by itself."""
    partition.shared = dataclasses.replace(partition.shared, wall_clock=True)
    keeper = await partition.keeper()
    assert score_age_s(partition.metrics) == 0
    long_ago_ms = NOON_MS - 60 * DAY_MS
    await partition.work(
        keeper,
        partition.batch(purchases=[record(PURCHASES, 0, ANN, long_ago_ms, partition=NUMBER)]),
    )
    assert score_age_s(partition.metrics) > 30 * DAY_MS / 1000
    now_ms = int(time.time() * 1000)
    await partition.work(keeper, partition.batch(clock=[tick(now_ms, 0)]))
    assert score_age_s(partition.metrics) == 0
    await keeper.end()


async def test_a_clock_that_goes_back_by_days_refuses_no_event(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a machine that starts with no clock of its own: the partition knows better."""
    partition.shared = dataclasses.replace(partition.shared, wall_clock=True)
    first = await partition.keeper()
    await partition.work(first, partition.batch(purchases=[purchase(0, ANN)]))
    await first.end()
    wrong_s = NOON_MS / 1000 - 30 * 86_400
    monkeypatch.setattr("streams.ticks.time", SimpleNamespace(time=lambda: wrong_s))
    second = await partition.keeper()
    later = [purchase(1, ANN, days=1), purchase(2, BEA, days=3_000)]
    await partition.work(second, partition.batch(purchases=later))
    (letter,) = partition.outputs[DEAD_LETTERS]
    assert dict(letter.headers)["clv-offset"] == b"2"
    await second.end()


async def test_a_tick_with_nothing_due_tells_the_next_deadline_exactly(
    partition: Partition,
) -> None:
    """The schedule first knows the hour of a deadline: that hour's beginning is no deadline."""
    partition.shared = dataclasses.replace(partition.shared, wall_clock=True)
    keeper = await partition.keeper()
    await partition.work(keeper, partition.batch(purchases=[purchase(0, ANN)]))
    deadline_s = decode_summary(keeper._states.table[ANN.encode()]).deadline_s
    hour_s = keeper._states.schedule.earliest_s()
    assert hour_s is not None
    assert hour_s + 2 < deadline_s
    partition.metrics._clock = lambda: hour_s + 2
    await partition.work(keeper, partition.batch(clock=[tick((hour_s + 1) * 1000, 0)]))
    assert score_age_s(partition.metrics) == 0
    partition.metrics._clock = lambda: deadline_s + 7
    assert score_age_s(partition.metrics) == 7
    await keeper.end()


def score_age_s(metrics: Metrics) -> float:
    (line,) = [
        line
        for line in metrics.render().decode().splitlines()
        if line.startswith("clv_score_age_seconds ")
    ]
    return float(line.split()[1])


async def test_silence_speaks_only_when_all_that_a_tick_knew_is_applied(
    partition: Partition,
) -> None:
    keeper = await partition.keeper()
    # Gold at first; two years of silence are more than any tier survives.
    big = record(
        PURCHASES,
        0,
        ANN,
        partition=NUMBER,
        value=orjson.dumps(
            {
                "type": "purchase",
                "id": "o",
                "customer_id": ANN,
                "occurred_at": NOON_MS,
                "amount_minor": 60_000,
                "currency": "EUR",
            }
        ),
    )
    await partition.work(keeper, partition.batch(purchases=[big]))
    partition.applied = {PURCHASES: 1}
    later_ms = NOON_MS + 730 * DAY_MS
    await partition.work(keeper, partition.batch(clock=[tick(later_ms, 2)]))
    assert len(partition.outputs[TIER_CHANGES]) == 1
    assert keeper.now_ms == NOON_MS
    partition.applied = {PURCHASES: 2}
    await partition.work(keeper, partition.batch())
    assert keeper.now_ms == later_ms
    assert len(partition.outputs[TIER_CHANGES]) == 2
    # Time does not go back, whatever a worker with a slow clock or a late event says.
    await partition.work(keeper, partition.batch(clock=[tick(NOON_MS, 2)]))
    await partition.work(keeper, partition.batch(purchases=[purchase(1, BEA)]))
    assert keeper.now_ms == later_ms
    assert (await partition.keeper()).now_ms == later_ms


async def test_more_than_one_batch_may_take_is_left_to_the_next(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DUE_MAX", 1)
    keeper = await partition.keeper()
    await partition.work(keeper, partition.batch(purchases=[purchase(0, ANN), purchase(1, BEA)]))
    written = len(partition.changelog)
    await partition.work(keeper, partition.batch(clock=[tick(NOON_MS + 730 * DAY_MS, 0)]))
    assert keeper.is_due()
    batches = 1
    while keeper.is_due():
        batches += 1
        await partition.work(keeper, partition.batch())
    assert batches == 3
    silent = [one.key for one in partition.changelog[written:] if one.key != progress.KEY]
    assert sorted(silent) == sorted([ANN.encode(), BEA.encode()])


async def test_a_value_that_is_no_state_is_named(partition: Partition) -> None:
    partition.changelog = [SimpleNamespace(key=b"ann", value=b"\xc1", offset=0)]
    with pytest.raises(DamagedChangelog) as damaged:
        await partition.keeper()
    assert (damaged.value.topic, damaged.value.key) == (CHANGELOG, b"ann")


async def test_who_was_overtaken_while_it_took_over_is_told_so(
    partition: Partition, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis is then ahead of the changelog as it was read, and yet nothing is wrong with it."""
    keeper = await partition.keeper()
    await partition.work(keeper, partition.batch(purchases=[purchase(0, ANN)]))
    await keeper.settled()
    read = list(partition.changelog)

    async def heed_successor() -> None:
        raise ProducerFenced

    lane: Any = SimpleNamespace(number=NUMBER, applied={}, newest={}, heed_successor=heed_successor)
    late = Scorekeeper(partition.shared, lane, {})
    await late.prepare()
    late.restore(read, 0)
    await partition.work(keeper, partition.batch(purchases=[purchase(1, BEA)]))
    await keeper.settled()
    with pytest.raises(ProducerFenced):
        await late.begin(read[-1].offset)


async def test_gauges_go_also_when_the_end_is_broken_off(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = await partition.keeper()
    await partition.work(keeper, partition.batch(purchases=[purchase(0, ANN)]))
    await keeper.settled()
    monkeypatch.setattr(keeper._follower, "end", lambda: asyncio.sleep(3600))
    assert any(not line.endswith(" 0.0") for line in gauges(partition.metrics))
    ending = asyncio.create_task(keeper.end())
    await asyncio.sleep(0)
    ending.cancel()
    await asyncio.wait({ending})
    assert all(line.endswith(" 0.0") for line in gauges(partition.metrics))


async def test_what_is_committed_as_the_partition_goes_is_the_next_owners(
    partition: Partition,
) -> None:
    keeper = await partition.keeper()
    batch = partition.batch(purchases=[purchase(0, ANN)])
    result = await keeper.step(intake := keeper.decode(batch))
    await keeper.publish(batch, result, intake)
    await keeper.end()  # before the agent comes to its turn
    keeper.remember(result)
    assert keeper._follower._writing is None
    assert all(line.endswith(" 0.0") for line in gauges(partition.metrics))


async def test_a_prediction_is_judged_once_whoever_owns_the_partition(
    partition: Partition,
) -> None:
    """An aborted batch counts nothing; an owner that comes after judges what is open, once."""
    began_ms = window_ends_ms([ANN.encode()], np.array([NOON_MS])).item()
    ended = tick(began_ms + WINDOW_MS, 1)
    partition.applied = {PURCHASES: 1}
    keeper = await partition.keeper()
    await partition.work(keeper, partition.batch(purchases=[purchase(0, ANN)]))
    await partition.work(keeper, partition.batch(clock=[tick(began_ms, 1)]))
    await keeper.end()
    partition.away = KafkaError("away")
    with pytest.raises(KafkaError):
        await partition.work(await partition.keeper(), partition.batch(clock=[ended]))
    assert judged(partition) == 0
    partition.away = None
    for _ in range(2):
        keeper = await partition.keeper()
        await partition.work(keeper, partition.batch(clock=[ended]))
        await keeper.end()
        assert judged(partition) == 1


def judged(partition: Partition) -> float:
    samples = partition.metrics.registry.collect()
    return sum(
        sample.value
        for family in samples
        for sample in family.samples
        if sample.name == "clv_predictions_judged_total"
    )
