"""Redis follows in order, at most one batch behind, and heals, on a real server."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import orjson
import pytest
import redis
from aiokafka.errors import ProducerFenced

from models.policy import Policy
from models.rescore import rescore
from sinks import redis_portions as portions_module
from sinks.metrics import Metrics
from sinks.redis import MarkAhead, RedisScores
from sinks.redis_portions import Scored
from sinks.sink import Answer, Committed, Unavailable, Unusable
from streams import follower as module
from streams.follower import Follower
from streams.readiness import Readiness
from tests.sinks.batches import Shop

pytestmark = pytest.mark.redis


class Owner:
    """A worker's part: the table, and what it asks of its follower."""

    def __init__(self, sink: RedisScores, shop: Shop) -> None:
        self.shop, self.readiness, self.readable = shop, Readiness(), 0
        self.refilled: list[set[bytes]] = []
        metrics = Metrics(version="0", tiers=[], levels=[])
        self.overtaken = False
        self.follower = Follower(
            sink, metrics, self.readiness, shop.partition, self._refill, self._heed_successor
        )

    async def _heed_successor(self) -> None:
        if self.overtaken:
            raise ProducerFenced

    def _refill(self, customers: Iterable[bytes] | None = None) -> Iterator[Scored]:
        states = self.shop.states
        wanted = list(states if customers is None else customers)
        self.refilled.append(set(wanted))
        for customer in wanted:
            ((_, score, total, risk),) = rescore(Policy(), [(customer, states[customer])])
            yield Scored([(customer, score)], [(customer, total, risk)])

    def _seen(self) -> None:
        self.readable += 1

    async def buys(self, *customers: str) -> None:
        """One batch, as the agent does it."""
        await self.follower.settled()
        self.follower.follow(self.shop.buy(*customers), self._seen)


@pytest.fixture
def database(redis_url: str) -> Iterator[Any]:
    client = redis.Redis.from_url(redis_url)
    yield client
    client.close()


@pytest.fixture
async def sink(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RedisScores]:
    monkeypatch.setattr(module, "END_S_MAX", 0.05)
    monkeypatch.setattr(module, "BACKOFF_S_MAX", 0.01)
    scores = RedisScores(redis_url)
    yield scores
    await scores.close()


def revisions(database: Any) -> dict[str, int]:
    """Revision of each customer's score."""
    keys = database.keys("clv:score:*")
    return {
        key.decode().removeprefix("clv:score:"): orjson.loads(database.get(key))["revision"]
        for key in keys
    }


def mark(database: Any) -> int:
    return int(database.get("clv:mark:0"))


async def test_batches_are_written_in_order_and_each_is_told_readable(
    sink: RedisScores, database: Any
) -> None:
    owner = Owner(sink, Shop())
    await owner.follower.align(-1)
    for customers in (["a"], ["a", "b"], ["a"]):
        await owner.buys(*customers)
    await owner.follower.settled()
    assert revisions(database) == {"a": 3, "b": 1}
    assert mark(database) == owner.shop.mark
    assert owner.readable == 3


async def test_each_reason_to_wait_is_said_once(
    sink: RedisScores, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A Redis that is started again on a full disk answers, and takes nothing."""
    owner = Owner(sink, Shop())
    await owner.follower.align(-1)
    write = sink.write
    troubles = ["connection"] * 3 + ["misconf"] * 3 + ["connection"]

    async def at_last(batch: Any) -> Any:
        if troubles:
            code = troubles.pop(0)
            raise Unavailable(f"Redis has {code}", code=code, pause_s=0.001)
        return await write(batch)

    monkeypatch.setattr(sink, "write", at_last)
    with caplog.at_level("INFO", logger="streams.follower"):
        await owner.buys("a")
        await owner.follower.settled()
    assert caplog.messages == [
        "partition 0 waits: Redis has connection",
        "partition 0 waits: Redis has misconf",
        "partition 0 goes on: Redis answers",
    ]


async def test_the_next_batch_waits_while_redis_is_away(
    sink: RedisScores, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = Owner(sink, Shop())
    await owner.follower.align(-1)
    write, away = sink.write, True

    async def sometimes(batch: Any) -> Any:
        if away:
            raise Unavailable("Redis is away", code="connection", pause_s=0.001)
        return await write(batch)

    monkeypatch.setattr(sink, "write", sometimes)
    await owner.buys("a")
    second = asyncio.create_task(owner.buys("a"))
    await asyncio.sleep(0.05)
    assert not second.done()
    assert owner.shop._events == 1
    assert "redis: Redis is away" in owner.readiness.verdict()[1]
    away = False
    await second
    await owner.follower.settled()
    assert revisions(database) == {"a": 2}
    assert "redis: Redis is away" not in owner.readiness.verdict()[1]


async def test_an_emptied_redis_is_filled_by_the_next_batch(
    sink: RedisScores, database: Any
) -> None:
    owner = Owner(sink, Shop())
    await owner.follower.align(-1)
    await owner.buys("a", "b")
    await owner.follower.settled()
    database.flushdb()
    await owner.buys("b")
    await owner.follower.settled()
    assert revisions(database) == {"a": 1, "b": 2}


async def test_an_emptied_redis_is_filled_without_a_batch(
    sink: RedisScores, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = Owner(sink, Shop())
    await owner.follower.align(-1)
    await owner.buys("a")
    await owner.follower.settled()
    database.flushdb()
    await owner.follower.look(owner.shop.mark)  # not yet time
    assert revisions(database) == {}
    monkeypatch.setattr(module, "LOOK_S", 0.0)
    await owner.follower.look(owner.shop.mark)
    assert revisions(database) == {"a": 1}


async def test_the_next_owner_writes_only_what_was_not_written(
    sink: RedisScores, database: Any
) -> None:
    owner = Owner(sink, Shop())
    await owner.follower.align(-1)
    await owner.buys("a", "b")
    await owner.follower.settled()
    reflected = await owner.follower.reflected()
    owner.shop.buy("b")  # committed, and the worker died before it was written
    successor = Owner(sink, owner.shop)
    await successor.follower.catch_up(reflected, owner.shop.mark, {b"b"})
    assert revisions(database) == {"a": 1, "b": 2}
    assert mark(database) == owner.shop.mark
    assert successor.refilled == [{b"b"}]


async def test_a_redis_emptied_during_the_recovery_is_filled_with_all(
    sink: RedisScores, database: Any
) -> None:
    owner = Owner(sink, Shop())
    await owner.follower.align(-1)
    await owner.buys("a", "b")
    await owner.follower.settled()
    reflected = await owner.follower.reflected()
    owner.shop.buy("b")
    database.flushdb()
    await owner.follower.catch_up(reflected, owner.shop.mark, {b"b"})
    assert revisions(database) == {"a": 1, "b": 2}


async def overtake(zombie: Owner, successor: Owner) -> Committed:
    """A customer buys once with either; the first batch is committed, and not yet written."""
    shop = zombie.shop
    await zombie.follower.align(-1)
    stale = shop.buy("a")
    await successor.follower.align(shop.mark)
    await successor.buys("a")
    await successor.follower.settled()
    return stale


async def test_a_worker_that_wakes_up_overwrites_nothing(
    sink: RedisScores, redis_url: str, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, other = Shop(), RedisScores(redis_url)
    zombie, successor = Owner(sink, shop), Owner(other, shop)
    stale = await overtake(zombie, successor)
    zombie.follower.follow(stale, zombie._seen)
    await zombie.follower.settled()
    monkeypatch.setattr(module, "LOOK_S", 0.0)
    await zombie.follower.look(stale.mark)  # and does not end it: the group will tell
    assert revisions(database) == {"a": 2}
    assert zombie.readable == 0
    with pytest.raises(MarkAhead):
        await zombie.follower.align(stale.mark)
    await other.close()


async def test_a_worker_that_wakes_up_fills_no_redis_that_was_emptied_meanwhile(
    sink: RedisScores, redis_url: str, database: Any
) -> None:
    """There is no mark any more that would refuse it, and readers have seen newer scores."""
    shop, other = Shop(), RedisScores(redis_url)
    zombie, successor = Owner(sink, shop), Owner(other, shop)
    stale = await overtake(zombie, successor)
    database.flushdb()
    zombie.overtaken = True
    zombie.follower.follow(stale, zombie._seen)
    with pytest.raises(ProducerFenced):
        await zombie.follower.settled()
    assert revisions(database) == {}
    await successor.follower.align(shop.mark)
    assert revisions(database) == {"a": 2}
    await other.close()


async def test_what_no_waiting_mends_is_raised_by_the_next_batch(
    sink: RedisScores, database: Any
) -> None:
    owner = Owner(sink, Shop())
    await owner.follower.align(-1)
    database.set("clv:mark:0", "rubbish")
    await owner.buys("a")
    with pytest.raises(Unusable, match="rubbish"):
        await owner.buys("a")


@pytest.mark.parametrize("broken_off", [False, True])
async def test_letting_go_does_not_wait_for_long(
    sink: RedisScores, monkeypatch: pytest.MonkeyPatch, broken_off: bool
) -> None:
    owner = Owner(sink, Shop())
    await owner.follower.align(-1)

    async def never(_batch: Any) -> Any:
        await asyncio.sleep(3600)

    monkeypatch.setattr(sink, "write", never)
    await owner.buys("a")
    await asyncio.sleep(0)
    writing = owner.follower._writing
    assert writing is not None
    ending = asyncio.create_task(owner.follower.end())
    if broken_off:  # by a rebalance
        await asyncio.sleep(0)
        ending.cancel()
    await asyncio.wait({ending, writing}, timeout=1)
    assert writing.cancelled()


async def test_who_looks_stops_when_the_partition_goes(
    sink: RedisScores, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = Owner(sink, Shop())
    await owner.follower.align(-1)

    async def away(*_: Any) -> Any:
        raise Unavailable("Redis is away", code="connection", pause_s=0.001)

    monkeypatch.setattr(module, "LOOK_S", 0.0)
    monkeypatch.setattr(sink, "reflects", away)
    looking = asyncio.create_task(owner.follower.look(owner.shop.mark))
    await asyncio.sleep(0.05)
    assert not looking.done()
    assert "redis: Redis is away" in owner.readiness.verdict()[1]
    await owner.follower.end()
    await asyncio.wait({looking}, timeout=1)
    assert looking.cancelled()
    # Nobody here needs Redis any more: the worker is as ready as it can be.
    assert "redis: Redis is away" not in owner.readiness.verdict()[1]


async def test_who_waits_to_look_does_not_look_once_the_partition_has_gone(
    sink: RedisScores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would hold its agent for as long as Redis is away, and the worker seem not to be ready."""
    monkeypatch.setattr(module, "LOOK_S", 0.0)
    monkeypatch.setattr(module, "END_S_MAX", 5.0)
    owner, writes, looks = Owner(sink, Shop()), asyncio.Event(), []

    async def slowly(_batch: Any) -> Answer:
        await writes.wait()
        return Answer.WRITTEN

    async def reflects(*_: Any) -> bool:
        looks.append("looked")
        return True

    monkeypatch.setattr(sink, "write", slowly)
    monkeypatch.setattr(sink, "reflects", reflects)
    await owner.buys("anna")
    looking = asyncio.create_task(owner.follower.look(owner.shop.mark))
    await asyncio.sleep(0)
    ending = asyncio.create_task(owner.follower.end())
    await asyncio.sleep(0)
    writes.set()
    await asyncio.wait({looking, ending})
    assert owner.readable == 1
    assert not looks


async def test_a_redis_emptied_while_all_is_written_is_filled_all_the_same(
    sink: RedisScores, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "YIELD_S_MIN", 0.001)
    monkeypatch.setattr(portions_module, "CUSTOMERS_MAX", 1)
    shop = Shop()
    shop.buy(*"abcde")
    owner = Owner(sink, shop)

    async def emptied_once(chunks: Iterable[Scored]) -> AsyncIterator[Scored]:
        for number, chunk in enumerate(chunks):
            if number == 3 and len(owner.refilled) == 1:
                database.flushdb()
            yield chunk

    refill = owner._refill
    owner.follower._refill = lambda customers=None: emptied_once(refill(customers))
    await owner.follower.align(shop.mark)
    assert revisions(database) == dict.fromkeys("abcde", 1)
    assert mark(database) == shop.mark
    assert len(owner.refilled) == 2


async def test_two_who_write_all_of_the_same_come_to_an_end(
    sink: RedisScores, redis_url: str, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "YIELD_S_MIN", 0.02)
    monkeypatch.setattr(portions_module, "CUSTOMERS_MAX", 10)
    shop = Shop()
    shop.buy(*(f"c{n}" for n in range(200)))
    other = RedisScores(redis_url)
    both = [Owner(sink, shop), Owner(other, shop)]
    for owner in both:
        refill = owner._refill
        owner.follower._refill = lambda customers=None, refill=refill: _slowly(refill(customers))
    async with asyncio.timeout(30):
        await asyncio.gather(*(owner.follower.align(shop.mark) for owner in both))
    assert revisions(database) == {f"c{n}": 1 for n in range(200)}
    assert mark(database) == shop.mark
    await other.close()


async def _slowly(chunks: Iterable[Scored]) -> AsyncIterator[Scored]:
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk


async def test_a_redis_that_stays_ahead_of_its_only_writer_is_told(
    sink: RedisScores, database: Any
) -> None:
    owner = Owner(sink, Shop())
    await owner.follower.align(-1)
    await owner.buys("a")
    await owner.follower.settled()
    database.set("clv:mark:0", "1000000")  # by another installation, or from a backup
    await owner.buys("a")
    await owner.buys("a")  # and yet another commit succeeded: nobody has taken over
    with pytest.raises(MarkAhead, match="CLV_REDIS_PREFIX"):
        await owner.follower.settled()
