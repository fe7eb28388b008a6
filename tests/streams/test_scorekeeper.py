"""A partition's keeper: what it commits, what it remembers, and what its successor finds."""

import orjson
import pytest
import redis
from aiokafka.errors import KafkaError, ProducerFenced
from aiokafka.structs import TopicPartition

from models.facts import TOTAL_MINOR_MAX
from models.state import State, encode
from streams import dead_letters, follower, progress, states
from streams.dead_letters import TooManyDeadLetters
from streams.scorekeeper import Scorekeeper
from streams.topics import DEAD_LETTERS, ENGAGEMENTS, PURCHASES, SCORES
from streams.transport.received import Seen
from tests.streams.one_partition import ANN, BEA, NUMBER, Partition, purchase
from tests.streams.test_intake import record, residents

pytestmark = pytest.mark.redis


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
