"""A policy that no score could follow is refused, in words."""

import pytest

from models.policy import InvalidPolicy, Policy


def test_default_is_what_the_contract_says():
    # Source: CONTRACT.md, Settings.
    policy = Policy()
    assert policy.horizon_days == 365
    assert policy.tier_names == ("bronze", "silver", "gold", "platinum")
    assert [threshold for _, threshold in policy.tiers] == [0, 10_000, 50_000, 200_000]
    assert policy.level_names == ("low", "medium", "high")
    assert policy.churn_levels == (("medium", 0.25), ("high", 0.5))
    assert policy.hysteresis == 0.1
    assert policy.tier_metric == "rolling"
    assert policy.retention_days == 730


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("tiers", (), "at least one tier"),
        ("tiers", (("bronze", 1),), "must begin at 0 or below"),
        ("tiers", (("a", 0), ("b", 5), ("c", 5)), "c (5) is not above b (5)"),
        ("tiers", (("a", 0), ("a", 5)), "a stands there twice"),
        ("tiers", (("", 0),), "at least one letter"),
        ("churn_levels", (), "at least one level"),
        ("churn_levels", (("low", 0.5),), "low stands there twice"),
        ("churn_levels", (("high", 1.0),), "below 1"),
        ("churn_levels", (("medium", 0.0),), "above 0"),
        ("horizon_days", 0.0, "horizon"),
        ("horizon_days", float("nan"), "horizon"),
        ("discount_rate", -0.1, "discount rate"),
        ("hysteresis", 1.0, "hysteresis"),
        ("churn_min_value_minor", -1, "least value"),
        ("retention_days", 0, "retention"),
        ("tier_metric", "median", "rolling, total, predicted"),
        ("timezone", "Mars/Olympus", "Mars/Olympus"),
    ],
)
def test_what_is_wrong_is_said(field, value, said):
    with pytest.raises(InvalidPolicy) as refused:
        Policy(**{field: value})
    assert said in str(refused.value)


def test_lowest_tier_may_begin_below_zero():
    assert Policy(tiers=(("debtor", -100), ("bronze", 0))).tier_names == ("debtor", "bronze")
