"""What engagement says of a customer beyond the purchases: an offset of the odds of buying.

Engagements of each day count by half after each half-life: E(t) is the sum of their numbers times
2^-((t - beginning of the day) / half-life). The log odds of buying within the horizon, and with
them those of being there still, move by

    intercept + slope·ln(1 + E),    slope >= 0.

While a customer is silent E only falls. As the slope is never negative, so do the odds, faster
than without the offset: whatever falls in silence without it falls with it, and each deadline
stays a single root. An offset of either sign that decays back would make the risk fall by itself.

What a customer who buys is expected to buy does not depend on the offset; so expected purchases
and predicted value move as the chance of any purchase does.
"""

from dataclasses import dataclass
from math import isfinite
from typing import Final

import numpy as np

from models.arrays import Floats
from models.summaries import Forecast

# Beyond it every chance is 0 or 1.
_INTERCEPT_MAX: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class EngagementOffset:
    """A fitted offset; ValueError where it could not be used.

    Attributes:
        half_life_days: after which an engagement counts half.
        intercept: offset of a customer without any engagement.
        slope: what ln(1 + E) adds; never negative.
    """

    half_life_days: float
    intercept: float
    slope: float

    def __post_init__(self) -> None:
        """Refuse what would let the risk fall in silence, or is no number."""
        for name in ("half_life_days", "intercept", "slope"):
            if not isfinite(getattr(self, name)):
                raise ValueError(f"{name} must be finite")
        if self.half_life_days <= 0:
            raise ValueError("half_life_days must be above 0")
        if abs(self.intercept) > _INTERCEPT_MAX:
            raise ValueError(f"intercept must be within {_INTERCEPT_MAX} of 0")
        if self.slope < 0:
            raise ValueError("slope must not be below 0: the churn risk would fall in silence")

    def of(self, engaged: Floats) -> Floats:
        """(n,) offsets of log odds.

        Args:
            engaged: (n,) decayed numbers of engagements, E.
        """
        offset: Floats = self.intercept + self.slope * np.log1p(engaged)
        return offset

    def shifted(self, forecast: Forecast, engaged: Floats) -> Forecast:
        """The forecasts of customers with these decayed numbers of engagements."""
        against = np.exp(-self.of(engaged))
        scale = _scale(forecast.p_active, against)
        return Forecast(
            forecast.p_alive * _scale(forecast.p_alive, against),
            forecast.p_active * scale,
            forecast.expected_purchases * scale,
        )

    def shifted_chance(self, chance: Floats, engaged: Floats) -> Floats:
        """(n,) expit(logit(chance) + offset)."""
        return chance * _scale(chance, np.exp(-self.of(engaged)))


def decayed(days_ago: Floats, half_life_days: float) -> Floats:
    """What is left of an engagement: 2^-(days ago / half-life)."""
    left: Floats = np.exp2(days_ago / -half_life_days)
    return left


def _scale(chance: Floats, against: Floats) -> Floats:
    """By what a chance grows when the odds against it are multiplied: no logarithm of 0."""
    scale: Floats = 1.0 / (chance + (1.0 - chance) * against)
    return scale
