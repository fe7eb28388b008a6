"""How far silence has brought a customer down, and the ladder of churn levels."""

import numpy as np

from models.arrays import Floats
from models.ladder import Ladder
from models.policy import LOWEST_CHURN_LEVEL, Policy


def churn_ladder(policy: Policy) -> Ladder:
    """The churn levels of a policy, thresholds of `activity_decline`."""
    return Ladder.of(((LOWEST_CHURN_LEVEL, 0.0), *policy.churn_levels), policy.hysteresis)


def activity_decline(p_active: Floats, p_active_at_purchase: Floats) -> Floats:
    """Share of the activity right after the last purchase that silence has taken.

    Args:
        p_active: (n,) probability of a purchase within the horizon, now.
        p_active_at_purchase: (n,) the same right after the last purchase, above 0.

    Returns:
        (n,) shares in [0, 1]; 0 right after a purchase.
    """
    decline: Floats = np.maximum(1.0 - p_active / p_active_at_purchase, 0.0)
    return decline


def value_at_risk(predicted: Floats, predicted_at_purchase: Floats) -> Floats:
    """Predicted value that silence has put at stake, in minor units, >= 0."""
    at_risk: Floats = np.maximum(predicted_at_purchase - predicted, 0.0)
    return at_risk


def active_target(p_active_at_purchase: Floats, threshold: Floats) -> Floats:
    """The p_active at which the decline reaches a threshold: `activity_decline` solved for it."""
    target: Floats = p_active_at_purchase * (1.0 - threshold)
    return target
