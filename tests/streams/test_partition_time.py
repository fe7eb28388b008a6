"""A partition's time: when silence speaks, and what comes due."""

import dataclasses
import time
from types import SimpleNamespace

import orjson
import pytest

from models.state import decode_summary
from streams import progress
from streams import scorekeeper as module
from streams.topics import DEAD_LETTERS, PURCHASES, TIER_CHANGES
from tests.streams.one_partition import (
    ANN,
    BEA,
    DAY_MS,
    NUMBER,
    Partition,
    purchase,
    score_age_s,
    tick,
)
from tests.streams.test_intake import NOON_MS, record

pytestmark = pytest.mark.redis


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
