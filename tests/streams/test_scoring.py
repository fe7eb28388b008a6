"""A partition changes over to other parameters, and its successors too, wherever one is killed."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import msgspec
import orjson
import pytest
import redis

from models.parameters import CDNOW
from models.releases import Releases
from models.score import Score
from sinks.redis import RedisScores
from streams import progress, ticks
from streams import scorekeeper as module
from streams.scorekeeper import Scorekeeper
from streams.topics import SCORES, TIER_CHANGES
from tests.streams.one_partition import DAY_MS, NUMBER, Partition, purchase
from tests.streams.test_intake import NOON_MS, residents

pytestmark = pytest.mark.redis

# Everyone is worth a hundred times as much: silver at the least.
RICH = replace(CDNOW, v=150_000.0, version="rich", currency="EUR")
WHO = residents(NUMBER, 7)


class Changing(Partition):
    """With the worker's knowledge of parameters."""

    def publish(self, at_ms: int = 1_000, **changed: Any) -> None:
        document = replace(RICH, **changed).to_json()
        self.releases.take(orjson.dumps(document), at_ms)

    def tick(self, at_ms: int, version: str, params_at_ms: int = 1_000) -> Any:
        made = ticks.Tick(at_ms, {}, version, params_at_ms)
        return self.batch(clock=[SimpleNamespace(value=ticks.encode(made), timestamp=at_ms)])

    def versions(self) -> dict[str, str]:
        """By customer, the version of the newest score."""
        newest = {one.key.decode(): one.value for one in self.outputs[SCORES]}
        return {who: msgspec.json.decode(v, type=Score).model_version for who, v in newest.items()}

    def by_model(self) -> Counter[str]:
        """Tier changes by the model, by customer."""
        told = [orjson.loads(one.value) for one in self.outputs[TIER_CHANGES]]
        return Counter(one["customer_id"] for one in told if one["cause"] == "model")


@pytest.fixture
async def partition(redis_url: str) -> AsyncIterator[Changing]:
    sink = RedisScores(redis_url)
    yield Changing(sink)
    await sink.close()


async def opened(partition: Changing) -> Scorekeeper:
    """A keeper with seven customers, each with one small purchase."""
    keeper = await partition.keeper()
    bought = [purchase(at, who) for at, who in enumerate(WHO)]
    await partition.work(keeper, partition.batch(purchases=bought))
    return keeper


async def finish(partition: Changing, keeper: Scorekeeper) -> int:
    """Empty batches, as the lane hands them out while something is due."""
    batches = 0
    while keeper.is_due():
        batches += 1
        assert batches < 50, "it never ends"
        await partition.work(keeper, partition.batch())
    await keeper.settled()
    return batches


def served(redis_url: str) -> dict[str, bytes]:
    with redis.Redis.from_url(redis_url) as reader:
        return {who: reader.get(f"clv:score:{who}") for who in WHO}


async def test_a_tick_names_them_and_everyone_changes_over_in_portions(
    partition: Changing, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DUE_MAX", 2)
    keeper = await opened(partition)
    partition.publish()
    assert not keeper.is_due()  # to have them is not enough: a tick must say so
    await partition.work(keeper, partition.tick(NOON_MS + 1_000, "rich"))
    assert Counter(partition.versions().values()) == {CDNOW.version: 5, "rich": 2}
    # Events go on meanwhile, by the new parameters, and their customers change over first.
    left = [who for who in WHO if partition.versions()[who] != "rich"]
    await partition.work(keeper, partition.batch(purchases=[purchase(9, left[-1], days=1)]))
    assert partition.versions()[left[-1]] == "rich"
    assert await finish(partition, keeper) > 0
    assert set(partition.versions().values()) == {"rich"}
    assert partition.by_model() == dict.fromkeys(WHO, 1)
    newest = {one.key.decode(): one.value for one in partition.outputs[SCORES]}
    assert served(redis_url) == newest
    text = partition.metrics.render().decode()
    assert 'clv_model_info{model="mbg-nbd+gamma-gamma",version="rich"} 1.0' in text
    assert 'version="cdnow' not in text
    assert "clv_model_pending_customers 0.0" in text


async def test_named_before_they_are_here_they_are_waited_for(partition: Changing) -> None:
    keeper = await opened(partition)
    await partition.work(keeper, partition.tick(NOON_MS + 1_000, "rich"))
    assert not keeper.is_due()
    await partition.work(keeper, partition.batch(purchases=[purchase(9, WHO[0], days=1)]))
    assert set(partition.versions().values()) == {CDNOW.version}
    partition.publish()  # the feed has them now, and no other tick comes
    assert keeper.is_due()
    await finish(partition, keeper)
    assert set(partition.versions().values()) == {"rich"}


@pytest.mark.parametrize("commits", range(1, 6))
async def test_a_successor_goes_on_where_the_last_owner_was_killed(
    partition: Changing, redis_url: str, monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    """Whatever it knows itself: not even the topic has the parameters any more."""
    monkeypatch.setattr(module, "DUE_MAX", 2)
    first = await opened(partition)
    partition.publish()
    await partition.work(first, partition.tick(NOON_MS + 1_000, "rich"))
    for _ in range(commits - 1):
        await partition.work(first, partition.batch())
    done = [who for who, version in partition.versions().items() if version == "rich"]
    await first.settled()
    partition.releases = Releases(CDNOW, "EUR")
    partition.shared = replace(partition.shared, releases=partition.releases)
    with redis.Redis.from_url(redis_url) as writer:
        writer.flushall()
    second = await partition.keeper()
    # Redis was emptied: those who are left are written as they were published, too.
    newest = {one.key.decode(): one.value for one in partition.outputs[SCORES]}
    assert served(redis_url) == newest
    assert second.now_ms == first.now_ms
    written = len(partition.outputs[SCORES])
    await finish(partition, second)
    assert set(partition.versions().values()) == {"rich"}
    assert partition.by_model() == dict.fromkeys(WHO, 1)
    assert len(partition.outputs[SCORES]) - written == len(WHO) - len(done)  # and nobody twice


async def test_a_successor_scores_by_what_the_partition_had_reached(partition: Changing) -> None:
    first = await opened(partition)
    partition.publish()
    await partition.work(first, partition.tick(NOON_MS + 1_000, "rich"))
    await finish(partition, first)
    partition.releases = Releases(CDNOW, "EUR")
    partition.shared = replace(partition.shared, releases=partition.releases)
    second = await partition.keeper()
    assert not second.is_due()
    # It knows less than the last owner did: its ticks take nothing back.
    await partition.work(second, partition.tick(NOON_MS + 2_000, CDNOW.version, 0))
    await partition.work(second, partition.batch(purchases=[purchase(9, WHO[0], days=1)]))
    await finish(partition, second)
    assert set(partition.versions().values()) == {"rich"}


async def test_back_to_earlier_ones_and_forth_again(partition: Changing) -> None:
    keeper = await opened(partition)
    for at, version in ((1, "rich"), (2, "poor"), (3, "rich")):
        partition.publish(at, version=version, v=1_544.0 if version == "poor" else RICH.v)
        moment = partition.tick(NOON_MS + at * DAY_MS, version, at)
        await partition.work(keeper, moment)
        await finish(partition, keeper)
        assert set(partition.versions().values()) == {version}
    told = [orjson.loads(one.value) for one in partition.outputs[TIER_CHANGES]]
    assert len({one["id"] for one in told}) == len(told) == 4 * len(WHO)


async def test_the_same_parameters_published_once_more_give_nobody_a_new_score(
    partition: Changing,
) -> None:
    keeper = await opened(partition)
    partition.publish(1)
    await partition.work(keeper, partition.tick(NOON_MS + 1_000, "rich", 1))
    await finish(partition, keeper)
    written = len(partition.outputs[SCORES])
    partition.publish(2)
    await partition.work(keeper, partition.tick(NOON_MS + 2_000, "rich", 2))
    assert not keeper.is_due()
    assert len(partition.outputs[SCORES]) == written


async def test_what_was_due_before_is_told_by_the_earlier_parameters(partition: Changing) -> None:
    """Two years of silence first, and then the model: each with its own cause."""
    keeper = await opened(partition)
    partition.publish()
    await partition.work(keeper, partition.tick(NOON_MS + 730 * DAY_MS, "rich"))
    await finish(partition, keeper)
    told = [orjson.loads(one.value) for one in partition.outputs["clv.churn-risk"]]
    silent = [one for one in told if one["cause"] == "silence"]
    assert {one["model_version"] for one in silent} == {CDNOW.version}
    assert {one["customer_id"] for one in silent} == set(WHO)
    assert set(partition.versions().values()) == {"rich"}


async def test_whoever_scores_by_them_waits_for_none(
    partition: Changing, caplog: pytest.LogCaptureFixture
) -> None:
    """As after a start with another file: a tick of the run before is still to be read."""
    await opened(partition)
    partition.releases = Releases(RICH, "EUR")
    partition.shared = replace(partition.shared, releases=partition.releases)
    second = await partition.keeper()
    await partition.work(second, partition.tick(NOON_MS + 1_000, CDNOW.version, 0))
    assert "waits for the parameters" not in caplog.text
    await partition.work(second, partition.tick(NOON_MS + 2_000, "unheard of"))
    assert "waits for the parameters unheard of" in caplog.text
    await partition.work(second, partition.tick(NOON_MS + 3_000, "rich", 0))
    await finish(partition, second)
    assert set(partition.versions().values()) == {"rich"}


async def test_a_new_partition_begins_with_the_newest(partition: Changing) -> None:
    partition.publish()
    await opened(partition)
    assert set(partition.versions().values()) == {"rich"}


async def test_states_of_an_older_program_change_over_from_what_the_worker_was_started_with(
    partition: Changing,
) -> None:
    await opened(partition)
    kept = next(one for one in partition.changelog if one.key == progress.KEY)
    old = progress.decode(kept.value)
    kept.value = msgspec.json.encode({"now_ms": old.now_ms, "offsets": old.offsets})
    partition.publish()
    keeper = await partition.keeper()
    await partition.work(keeper, partition.tick(NOON_MS + 1_000, "rich"))
    await finish(partition, keeper)
    assert set(partition.versions().values()) == {"rich"}
    assert partition.by_model() == dict.fromkeys(WHO, 1)


async def test_the_progress_stays_small(partition: Changing) -> None:
    """It is part of every transaction."""
    keeper = await opened(partition)
    partition.publish(extent={"customers": 1, "more": "x" * 1_000})
    await partition.work(keeper, partition.tick(NOON_MS + 1_000, "rich"))
    assert max(len(o.value) for o in partition.changelog if o.key == progress.KEY) < 1_000
