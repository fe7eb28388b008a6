"""Where a lane stands: what is fetched is not yet applied, and a marker is no loss."""

import asyncio

import pytest
from aiokafka.errors import KafkaTimeoutError

from streams.transport import recognition
from streams.transport.position import OffsetGapError, Position
from streams.transport.received import Seen
from streams.transport.recognition import AnotherLogError
from tests.streams.transport.fakes import CLOCK, IN, MORE, SETTINGS, Broker


@pytest.fixture
async def broker() -> Broker:
    """Ten records of one topic, and five of the other, each a millisecond after the last."""
    broker = Broker()
    broker.publish(IN, 10)
    broker.publish(MORE, 5)
    return broker


async def begun(broker: Broker) -> Position:
    position = Position(0, SETTINGS, broker)
    position.applied = {IN: 0, MORE: 0, CLOCK: 0}
    await position.rewind()
    return position


async def fetched(broker: Broker, position: Position, **most: int) -> dict[str, list[int]]:
    """What may be applied of a fetch of so many records a topic, as offsets."""
    found = {}
    for tp in position.wanted():
        found |= await broker.fetch([tp], most.get(tp.topic, 100))
    records = await position.take(found, 0.0)
    return {tp.topic: [one.offset for one in chunk] for tp, chunk in records.items()}


async def test_what_is_held_back_is_not_applied(broker: Broker) -> None:
    position = await begun(broker)
    assert await fetched(broker, position, more=2) == {"in": [0, 1], "more": [0, 1]}
    assert broker.reached(IN) == 10
    assert (position.passed(IN), position.oldest_ms(IN)) == (2, 2)
    assert (position.passed(MORE), position.oldest_ms(MORE)) == (2, None)
    assert position.has_applied({"in": 2, "more": 2})
    assert not position.has_applied({"in": 3})
    assert position.wanted() == [MORE, CLOCK]
    position.applied.update({IN: 2, MORE: 2})
    # The rest of what lagged comes, so nothing has to wait for it any more.
    assert await fetched(broker, position) == {"in": list(range(2, 10)), "more": [2, 3, 4]}
    assert position.has_applied({"in": 10, "more": 5})
    assert position.wanted() == [IN, MORE, CLOCK]


async def test_what_came_since_the_beginning_is_waited_for_too(broker: Broker) -> None:
    position = await begun(broker)
    await fetched(broker, position)
    position.applied.update({IN: 10, MORE: 5})
    broker.publish(IN)  # its timestamp is 10
    broker.publish(MORE, 2)  # 5 and 6: the other topic lags
    broker.publish(CLOCK, 20)  # waits for nobody
    ticks = list(range(20))
    assert await fetched(broker, position, more=1) == {"more": [5], "clock": ticks}
    position.applied.update({MORE: 6, CLOCK: 20})
    assert await fetched(broker, position) == {"in": [10], "more": [6]}


async def test_a_lag_is_known_before_the_first_fetch_has_told_an_end(broker: Broker) -> None:
    position = await begun(broker)
    broker.end = lambda _tp: -1  # type: ignore[method-assign]
    assert await fetched(broker, position, more=2) == {"in": [0, 1], "more": [0, 1]}


async def test_what_is_held_back_is_fetched_again_after_a_pause(broker: Broker) -> None:
    position = await begun(broker)
    await fetched(broker, position, more=2)
    position.applied.update({IN: 2, MORE: 2})
    await position.rewind()
    assert position.wanted() == [IN, MORE, CLOCK]
    assert position.passed(IN) == broker.reached(IN) == 2
    assert await fetched(broker, position) == {"in": list(range(2, 10)), "more": [2, 3, 4]}


async def test_what_was_applied_counts_also_where_the_feed_does_not_know_it_yet(
    broker: Broker,
) -> None:
    position = await begun(broker)
    position.applied[IN] = 7
    broker.positions.clear()
    assert broker.reached(IN) == -1
    assert position.has_applied({"in": 7})
    assert not position.has_applied({"in": 8})
    assert position.has_applied({"another topic": 8})


@pytest.mark.parametrize("begins", [2, 3])
async def test_a_gap_is_a_loss_where_the_log_begins_behind_it(broker: Broker, begins: int) -> None:
    position = await begun(broker)
    position.applied[IN] = 2
    broker.expire(IN, 3)
    broker.begins[IN] = begins
    broker.positions[IN] = 3
    if begins == 2:  # the offset that is missing was a transaction's marker
        assert (await fetched(broker, position))["in"][0] == 3
    else:
        with pytest.raises(OffsetGapError, match="no longer has offset 2"):
            await fetched(broker, position)


@pytest.fixture
async def done(broker: Broker) -> Position:
    """Five records of the first topic are applied, and the position is left with them."""
    position = await begun(broker)
    position.applied[IN], position.newest[IN] = 5, Seen(4, 4)
    return position


@pytest.mark.parametrize("count", [0, 3, 4, 5, 6, 200])
async def test_a_log_made_anew_is_noticed_however_long_it_is(
    broker: Broker, done: Position, count: int
) -> None:
    broker.make_anew(IN, count, first_ms=1_000)
    with pytest.raises(AnotherLogError, match="in-0 no longer holds at offset 4"):
        await done.rewind()


async def test_a_log_is_recognised_by_the_record_applied_last(
    broker: Broker, done: Position
) -> None:
    await done.rewind()
    assert broker.reached(IN) == 5
    assert (await fetched(broker, done))["in"] == [5, 6, 7, 8, 9]


@pytest.mark.parametrize("begins", [5, 7, 10])
async def test_a_record_deleted_with_its_time_need_not_be_recognised(
    broker: Broker, done: Position, begins: int
) -> None:
    broker.expire(IN, begins)
    await done.rewind()
    assert broker.reached(IN) == 5


async def test_a_record_that_compaction_took_need_not_be_recognised(
    broker: Broker, done: Position
) -> None:
    del broker.logs[IN][4]
    await done.rewind()
    assert (await fetched(broker, done))["in"] == [5, 6, 7, 8, 9]


async def test_ticks_made_anew_are_no_loss(broker: Broker, done: Position) -> None:
    done.newest[CLOCK] = Seen(7, 7)
    await done.rewind()
    assert broker.reached(CLOCK) == 0


async def test_a_log_that_does_not_answer_is_not_waited_for_without_end(
    broker: Broker, done: Position, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recognition, "ANSWER_S_MAX", 0.05)

    async def nothing(*_args: object, **_kwargs: object) -> dict[object, list[object]]:
        await asyncio.sleep(0.001)
        return {}

    monkeypatch.setattr(broker, "fetch", nothing)
    with pytest.raises(KafkaTimeoutError, match="the last record applied"):
        await done.rewind()
