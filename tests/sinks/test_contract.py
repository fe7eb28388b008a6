"""What every sink promises (`sinks.sink`), held against each of them on real servers."""

import uuid
from collections.abc import AsyncIterator

import pytest

from models.step import Step
from sinks.sink import Answer, Committed, Unavailable
from tests.servers.kafka import Kafka
from tests.servers.redis import Redis
from tests.sinks.batches import NOON_MS, Shop
from tests.sinks.subjects import MetricsSubject, RedisSubject, Subject, TopicsSubject, revisions

SINKS = [
    pytest.param("redis", marks=pytest.mark.redis),
    pytest.param("topics", marks=pytest.mark.kafka),
    "metrics",
]


@pytest.fixture(params=SINKS)
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    """Each sink, on the session's servers; nothing of it is there yet."""
    run = uuid.uuid4().hex[:8]
    made: Subject
    if request.param == "redis":
        made = RedisSubject(request.getfixturevalue("redis_server"), f"{run}:")
    elif request.param == "topics":
        made = TopicsSubject(request.getfixturevalue("kafka"), run)
    else:
        made = MetricsSubject()
    await made.prepare()
    yield made
    await made.sink.close()


@pytest.fixture(params=SINKS[:2])
def server(request: pytest.FixtureRequest) -> Redis | Kafka:
    """A server that this test may kill, of each sink that has one."""
    kind = "own_redis" if request.param == "redis" else "own_kafka"
    made: Redis | Kafka = request.getfixturevalue(kind)
    return made


async def test_the_same_batch_again_changes_nothing(subject: Subject) -> None:
    batch = Shop().buy("a", "b")
    assert await subject.sink.write(batch) is Answer.WRITTEN
    seen = await subject.seen()
    assert await subject.sink.write(batch) is Answer.WRITTEN
    assert await subject.seen() == seen


async def test_batches_in_order_give_the_newest(subject: Subject) -> None:
    shop = Shop()
    for customers in (("a", "b"), ("b",), ("b", "c")):
        before = await subject.seen()
        assert await subject.sink.write(shop.buy(*customers)) is Answer.WRITTEN
        assert await subject.seen() != before
    assert revisions(await subject.seen()) in ({"a": 1, "b": 3, "c": 1}, {})


async def test_an_older_batch_is_refused_and_changes_nothing(subject: Subject) -> None:
    shop = Shop()
    older, newer = shop.buy("a", "b"), shop.buy("a")
    await subject.sink.write(older)
    await subject.sink.write(newer)
    seen = await subject.seen()
    assert await subject.sink.write(older) is Answer.NEWER
    assert await subject.seen() == seen


async def test_a_batch_without_news_shows_nowhere(subject: Subject) -> None:
    shop = Shop()
    await subject.sink.write(shop.buy("a"))
    seen = await subject.seen()
    # A tick with nothing due: no score, and in the changelog no more than the time.
    silent = Committed(0, Step(NOON_MS), shop.mark, shop.mark + 2)
    assert await subject.sink.write(silent) is Answer.WRITTEN
    unmoved = Committed(0, Step(NOON_MS), shop.mark + 2, shop.mark + 2)
    assert await subject.sink.write(unmoved) is Answer.WRITTEN
    assert await subject.seen() == seen


async def test_the_next_batch_follows_one_without_news(subject: Subject) -> None:
    shop = Shop()
    await subject.sink.write(shop.buy("a"))
    await subject.sink.write(Committed(0, Step(NOON_MS), shop.mark, shop.mark + 2))
    shop.mark += 2
    assert await subject.sink.write(shop.buy("a")) is Answer.WRITTEN


async def test_closing_twice(subject: Subject) -> None:
    await subject.sink.write(Shop().buy("a"))
    await subject.sink.close()
    await subject.sink.close()


@pytest.mark.slow
async def test_away_is_said_and_the_repetition_succeeds(server: Redis | Kafka) -> None:
    subject: Subject
    if isinstance(server, Redis):
        subject = RedisSubject(server, "clv:")
    else:
        subject = TopicsSubject(server, "own")
    await subject.prepare()
    shop = Shop()
    await subject.sink.write(shop.buy("a", "b"))
    following = shop.buy("b")
    await subject.away()
    for _ in range(2):
        with pytest.raises(Unavailable) as raised:
            await subject.sink.write(following)
        assert raised.value.pause_s > 0
    await subject.back()
    for attempt in range(5):
        try:
            answer = await subject.sink.write(following)
        except Unavailable:  # a broker that has just started may not lead everything yet
            assert attempt < 4
        else:
            break
    assert answer is Answer.WRITTEN
    assert revisions(await subject.seen()) == {"a": 1, "b": 2}
    await subject.sink.close()


def test_marks_only_grow() -> None:
    with pytest.raises(AssertionError):
        Committed(0, Step(NOON_MS), 5, 4)
    with pytest.raises(AssertionError):
        Committed(0, Step(NOON_MS), -2, 4)
