"""Which value the tiers follow, and their ladder."""

import numpy as np

from models.arrays import Floats, Ints
from models.ladder import Ladder
from models.policy import Policy

ROLLING_DAYS = 365
"""Days of net revenue in the `rolling` value, today included."""


def tier_ladder(policy: Policy) -> Ladder:
    """The tiers of a policy, thresholds in minor units."""
    return Ladder.of(policy.tiers, policy.hysteresis)


def steady_value(policy: Policy, rolling_minor: Ints, historic_minor: Ints) -> Ints:
    """The part of the tier value that the model does not predict.

    Args:
        policy: says which value the tiers follow.
        rolling_minor: (n,) net revenue of the trailing 365 days.
        historic_minor: (n,) net revenue of the lifetime.

    Returns:
        (n,) minor units; the tier value is this plus the predicted value.
    """
    if policy.tier_metric == "rolling":
        return rolling_minor
    if policy.tier_metric == "total":
        return historic_minor
    return np.zeros_like(historic_minor)


def tier_value(steady_minor: Ints, predicted: Floats) -> Floats:
    """The exact value that tiers are decided by.

    It is not rounded, so that a crossing has one instant. Published values are rounded down: a
    whole threshold is reached by one exactly where it is reached by the other.
    """
    value: Floats = steady_minor + predicted
    return value
