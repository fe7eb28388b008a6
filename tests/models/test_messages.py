"""Scores and changes: each message holds what it must."""

from datetime import datetime

import msgspec
import numpy as np
import pytest

from models.events import Event
from models.gamma_gamma import expected_order_value
from models.policy import Policy
from models.purchases import model_for
from models.rescore import rescore
from tests.models.exact_value import value_interval
from tests.models.shop import (
    DAY_MS,
    PURCHASE,
    START_MS,
    Partition,
    purchase,
    refund,
    score_of,
    visit,
)

# CONTRACT.md, "Out".
SCORE_KEYS = """
    schema customer_id revision as_of valid_until currency tier churn_level churn_risk
    activity_decline p_alive p_active expected_purchases expected_order_value_minor
    historic_clv_minor predicted_clv_minor predicted_clv_low_minor predicted_clv_high_minor
    total_clv_minor tier_value_minor value_at_risk_minor
    orders refunds frequency recency_days age_days first_purchase_at last_purchase_at
    expected_next_purchase_at windows engagements model model_version
"""
TIER_CHANGE_KEYS = """
    schema id customer_id from to direction tier_value_minor_before tier_value_minor
    threshold_minor cause cause_id crossed_at detected_at model_version
"""
CHURN_CHANGE_KEYS = """
    schema id customer_id from to direction activity_decline_before activity_decline threshold
    churn_risk predicted_clv_minor value_at_risk_minor cause cause_id crossed_at detected_at
    model_version
"""


def test_the_keys_are_those_of_the_contract() -> None:
    partition = Partition(Policy())
    partition.one(purchase(1, 0))
    tier, churn = (change.value for _, change in partition.changes)
    for message, keys in (
        (partition.scores[b"42"], SCORE_KEYS),
        (tier, TIER_CHANGE_KEYS),
        (churn, CHURN_CHANGE_KEYS),
    ):
        assert list(msgspec.json.decode(message)) == keys.split()
    windows = msgspec.json.decode(partition.scores[b"42"])["windows"]
    assert {tuple(window) for window in windows.values()} == {
        ("orders", "revenue_minor", "engagements")
    }
    assert list(windows) == ["7", "30", "90", "365"]


# --- what scores say --------------------------------------------------------------------------


def test_a_first_purchase() -> None:
    policy = Policy()
    partition = Partition(policy)
    partition.one(purchase(1, 0, 4_999))
    score = score_of(partition)
    params = policy.params
    expected = model_for(params).expected_purchases(params, 0.0, 0.0, 0.0, 365.0)[0]
    assert score.expected_purchases == pytest.approx(expected, abs=1e-6)
    order_value = expected_order_value(params, [0.0], [0.0])[0]
    assert score.expected_order_value_minor == int(order_value)
    assert score.predicted_clv_minor == int(expected * order_value)
    # The exact form; the score reads a table.
    nothing = np.zeros(1)
    low, high = value_interval(params, nothing, nothing, nothing, nothing, 365.0)
    assert (score.predicted_clv_low_minor, low[0]) == (0, 0)
    assert score.predicted_clv_high_minor == pytest.approx(high[0], rel=0.01)
    assert score.historic_clv_minor == 4_999
    assert score.total_clv_minor == 4_999 + score.predicted_clv_minor
    assert score.tier_value_minor == score.total_clv_minor
    assert score.churn_risk == pytest.approx(1 - score.p_active, abs=2e-6)
    assert (score.activity_decline, score.value_at_risk_minor) == (0.0, 0)
    assert (score.orders, score.frequency, score.recency_days, score.age_days) == (1, 0, 0.0, 0.0)
    assert score.first_purchase_at == score.last_purchase_at == "2020-01-01T00:00:00.000Z"
    wait_ms = round(model_for(params).expected_next_purchase_days(params, 0.0, 0.0)[0] * DAY_MS)
    assert score.expected_next_purchase_at is not None
    next_ms = datetime.fromisoformat(score.expected_next_purchase_at).timestamp() * 1000
    assert next_ms == pytest.approx(START_MS + wait_ms, abs=2)
    assert score.windows.days_7.revenue_minor == 4_999
    assert [(c.from_, c.to, c.cause) for _, c in partition.changes] == [
        (None, "silver", "purchase"),
        (None, "low", "purchase"),
    ]


def test_a_customer_without_a_purchase() -> None:
    partition = Partition(Policy())
    partition.one(visit(1, 0, kind=3))
    partition.one(refund(2, 1, 700))
    score = score_of(partition)
    nulls = (score.churn_risk, score.p_alive, score.p_active, score.valid_until)
    assert nulls == (None, None, None, None)
    assert score.first_purchase_at is score.last_purchase_at is None
    assert score.expected_next_purchase_at is None
    assert (score.predicted_clv_minor, score.expected_purchases) == (0, 0.0)
    assert (score.predicted_clv_low_minor, score.predicted_clv_high_minor) == (0, 0)
    assert (score.frequency, score.recency_days, score.age_days) == (0, 0.0, 0.0)
    assert (score.tier, score.churn_level, score.tier_value_minor) == ("bronze", "low", -700)
    assert score.engagements == {"email_open": 1}
    assert (score.refunds, score.revision) == (1, 2)
    churn = msgspec.json.decode(partition.changes[1][1].value)
    assert (churn["churn_risk"], churn["activity_decline_before"]) == (None, None)


# --- what changes say -------------------------------------------------------------------------


def test_an_event_s_change_tells_the_value_without_and_with_it() -> None:
    partition = Partition(Policy())
    partition.one(purchase(1, 0, 5_000))
    partition.one(purchase(2, 20, 5_000))
    _, change = partition.changes[-1]
    message = msgspec.json.decode(change.value)
    assert (message["from"], message["to"], message["direction"]) == ("bronze", "silver", "up")
    assert (message["cause"], message["cause_id"], message["threshold_minor"]) == (
        "purchase",
        "o-2",
        10_000,
    )
    before = Partition(Policy())
    before.one(purchase(1, 0, 5_000))
    before.one(visit(3, 20))
    assert message["tier_value_minor_before"] == score_of(before).tier_value_minor
    assert message["tier_value_minor"] == score_of(partition).tier_value_minor


def test_an_event_s_change_crossed_when_it_was_applied() -> None:
    for late_days in (0, 3):
        partition = Partition(Policy())
        partition.one(purchase(1, 0, 5_000))
        partition.tick(START_MS + (20 + late_days) * DAY_MS)
        partition.one(purchase(2, 20, 5_000))
        _, change = partition.changes[-1]
        assert (change.to, change.cause) == ("silver", "purchase")
        message = msgspec.json.decode(change.value)
        applied = score_of(partition).as_of
        assert (message["crossed_at"], message["detected_at"]) == (applied, applied)
        assert applied == f"2020-01-{21 + late_days}T00:00:00.000Z"


def test_silence_tells_both_sides_of_the_threshold() -> None:
    partition = Partition(Policy())
    partition.one(purchase(1, 0, 12_000))
    partition.tick(START_MS + 400 * DAY_MS)
    tier = [change for kind, change in partition.changes if kind == "tier"][-1]
    message = msgspec.json.decode(tier.value)
    assert (message["from"], message["to"], message["cause"]) == ("silver", "bronze", "silence")
    assert message["crossed_at"] == "2020-12-31T00:00:00.000Z"  # the 365th day after the purchase
    assert message["detected_at"] == "2021-02-04T00:00:00.000Z"
    assert message["tier_value_minor_before"] - message["tier_value_minor"] == 12_000
    assert (message["threshold_minor"], message["cause_id"]) == (9_000, "o-1")
    rising = [change for kind, change in partition.changes if kind == "churn"][1:]
    assert [(change.from_, change.to) for change in rising] == [
        ("low", "medium"),
        ("medium", "high"),
    ]
    assert rising[0].crossed_at_ms < rising[1].crossed_at_ms < partition.now_ms
    assert msgspec.json.decode(rising[0].value)["activity_decline"] == 0.25


def test_a_fall_below_a_threshold_that_is_not_whole_is_below_what_it_says() -> None:
    # 10,005 less a tenth is 9,004.5. The refund, at which 3,642.2 are predicted, leaves 9,004.2.
    policy = Policy(tiers=(("bronze", 0), ("silver", 10_005)), tier_metric="total")
    partition = Partition(policy)
    partition.one(purchase(1, 0, 12_000))
    partition.one(visit(2, 20))
    predicted = score_of(partition).predicted_clv_minor
    partition.one(refund(3, 20, 12_000 + predicted - 9_004))
    tier = [change for kind, change in partition.changes if kind == "tier"][-1]
    message = msgspec.json.decode(tier.value)
    assert (message["from"], message["to"]) == ("silver", "bronze")
    assert message["tier_value_minor"] == 9_004 < message["threshold_minor"] == 9_005


def test_a_late_event_that_proves_a_silence_wrong_says_so() -> None:
    for days_after, cause in ((-1.0, "late_event"), (0.5, "purchase")):
        partition = Partition(Policy())
        partition.one(purchase(1, 0))
        while len(partition.crossed("churn")) < 2:
            partition.tick(partition.now_ms + DAY_MS)
        crossed = next(change for _, change in partition.changes if change.to == "medium")
        assert (crossed.to, crossed.cause) == ("medium", "silence")
        at_ms = crossed.crossed_at_ms + int(days_after * DAY_MS)
        late = Event(PURCHASE, b"42", "o-2", at_ms, 5_000, -1)
        partition.play([(late, partition.now_ms + DAY_MS)])
        change = [change for kind, change in partition.changes if kind == "churn"][-1]
        assert (change.from_, change.to, change.cause) == ("medium", "low", cause)


def test_too_little_at_stake_keeps_the_level() -> None:
    partition = Partition(Policy(churn_min_value_minor=10**9))
    partition.one(purchase(1, 0))
    partition.tick(START_MS + 900 * DAY_MS)
    assert [change.to for kind, change in partition.changes if kind == "churn"] == ["low"]
    assert score_of(partition).churn_level == "low"
    assert score_of(partition).activity_decline > 0.5


def test_a_tier_with_another_name_goes_on_the_chain() -> None:
    partition = Partition(Policy())
    partition.one(purchase(1, 0, 30_000))
    partition.policy = Policy(tiers=(("bronze", 0), ("argent", 10_000)))
    assert rescore(partition.policy, partition.table.items())[0].score == partition.scores[b"42"]
    partition.tick(START_MS + 60 * DAY_MS)
    change = [change for kind, change in partition.changes if kind == "tier"][-1]
    assert (change.from_, change.to, change.cause) == ("silver", "argent", "model")
    partition.one(purchase(2, 61, 30_000))
    assert score_of(partition).tier == "argent"
