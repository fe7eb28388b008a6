"""Deadlines: never after the truth, and no earlier than they may be."""

import msgspec
import pytest
from hypothesis import given, settings

from models.deadlines import LOOKAHEAD_DAYS
from models.events import Event
from models.policy import Policy
from models.score import Score
from models.state import decode
from tests.models.naive import Naive
from tests.models.shop import (
    DAY_MS,
    Partition,
    policies,
    purchase,
    purchase_histories,
    score_of,
    silence,
)

SECOND_MS = 1_000
# CONTRACT.md, "Out": what makes a score stale.
STALE_RISK = 0.05
STALE_SHARE = 0.1
SILENT_DAYS = 450  # longer than the windows

proof = settings(max_examples=60, derandomize=True, deadline=None, database=None)


@proof
@given(policies(), purchase_histories())
def test_valid_until_is_never_after_the_first_silent_change(
    policy: Policy, events: list[Event]
) -> None:
    partition, naive = Partition(policy), Naive(policy)
    for event in events:
        partition.one(event)
        naive.apply(event, naive.as_of_ms)
    score = msgspec.json.decode(partition.scores[b"c1"], type=Score)
    said = len(naive.changes)
    naive.silence(events[-1].at_ms + SILENT_DAYS * DAY_MS)
    silent = naive.changes[said:]
    if score.valid_until is None:
        assert not silent
        return
    state = decode(partition.table[b"c1"])
    until_ms = milliseconds(score.valid_until)
    assert state.deadline_s * SECOND_MS <= until_ms
    if silent:
        assert until_ms <= silent[0].at_ms
        refunded = any(event.kind == 1 for event in events)
        # Without refunds there is nothing to be careful about, and it is exact.
        assert refunded or silent[0].at_ms - until_ms <= SECOND_MS


# By steps of a few percent, so that some fall as a day leaves the window, and some in between.
@pytest.mark.parametrize("floor", range(2_000, 40_000, 1_500))
def test_a_fall_is_exact_whichever_day_has_to_leave_for_it(floor: int) -> None:
    """What is expected still makes up for the first days that leave, or for none."""
    policy = Policy(tiers=(("low", 0), ("high", floor)), churn_levels=(("gone", 0.999999),))
    partition, naive = Partition(policy), Naive(policy)
    for number, day in enumerate((0, 40, 80, 120, 200)):
        event = purchase(number, day)
        partition.one(event)
        naive.apply(event, naive.as_of_ms)
    said = len(naive.changes)
    naive.silence(event.at_ms + SILENT_DAYS * DAY_MS)
    until = score_of(partition).valid_until
    assert until is not None
    early_ms = naive.changes[said].at_ms - milliseconds(until)
    assert 0 <= early_ms <= SECOND_MS


def milliseconds(text: str) -> int:
    return msgspec.json.decode(f'{{"at":"{text}"}}'.encode(), type=_At).at_ms


class _At(msgspec.Struct):
    at: object

    @property
    def at_ms(self) -> int:
        from datetime import datetime

        return round(datetime.fromisoformat(str(self.at)).timestamp() * 1000)


@proof
@given(policies(), purchase_histories())
def test_what_is_published_never_goes_stale(policy: Policy, events: list[Event]) -> None:
    """Looked at whenever the deadline says so, a score stays close to the truth in between."""
    partition = Partition(policy)
    for event in events:
        partition.one(event)
    end_ms = partition.now_ms + SILENT_DAYS * DAY_MS
    looks = 0
    while (deadline_s := partition.deadlines[b"c1"]) != 0:
        before = msgspec.json.decode(partition.scores[b"c1"], type=Score)
        at_ms = max(deadline_s * SECOND_MS, partition.now_ms + 250)
        if at_ms > end_ms:
            break
        partition.take(silence(policy, partition.table.get, [b"c1"], at_ms))
        looks += 1
        after = msgspec.json.decode(partition.scores[b"c1"], type=Score)
        if after.churn_risk is not None and before.churn_risk is not None:
            assert after.churn_risk - before.churn_risk <= STALE_RISK + 1e-5
            allowed = max(STALE_SHARE * before.predicted_clv_minor, 1.0)
            assert before.predicted_clv_minor - after.predicted_clv_minor <= allowed + 1
    assert looks <= 200


@pytest.mark.parametrize(("share", "told"), [(0.999, True), (1.001, False)])
def test_a_change_beyond_the_lookahead_is_told_as_none(share: float, told: bool) -> None:
    """A level that silence reaches just within it, or would reach just after it."""
    bought = purchase(1, 0)
    partition = Partition(Policy(tiers=(("all", 0),)))
    partition.one(bought)
    partition.tick(bought.at_ms + LOOKAHEAD_DAYS * DAY_MS, limit=1)
    decline = score_of(partition).activity_decline
    assert decline is not None
    threshold = share * decline
    partition = Partition(Policy(churn_levels=(("gone", threshold),), tiers=(("all", 0),)))
    partition.one(bought)
    assert (score_of(partition).valid_until is not None) == told
    assert decode(partition.table[bought.customer]).deadline_s > 0  # it goes stale all the same


def test_a_deadline_after_2106_is_the_last_second_that_there_is_room_for() -> None:
    """A replay may be of any time: whoever is then beyond it is looked at with each tick."""
    partition = Partition(Policy())
    partition.one(purchase(1, 66_000))  # in 2200
    assert partition.deadlines == {b"42": 2**32 - 1}
    assert partition.schedule.due(partition.now_ms, 9) == [b"42"]


@pytest.mark.parametrize("metric", ["rolling", "total", "predicted"])
def test_customers_without_a_purchase_are_never_due(metric: str) -> None:
    partition = Partition(Policy(tier_metric=metric))
    partition.one(Event(2, b"c1", "e-1", 1_600_000_000_000, 0, 3))
    assert decode(partition.table[b"c1"]).deadline_s == 0
    assert len(partition.schedule) == 0
