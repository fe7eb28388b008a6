"""What every purchase model takes and gives: a customer in three numbers, and a forecast."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from models.arrays import Floats, Indices

DAYS_PER_YEAR = 365.0


class InvalidSummary(ValueError):
    """A customer's frequency, recency or age that no history can have."""


class Forecast(NamedTuple):
    """What is expected of each customer within the horizon; all arrays are (n,)."""

    p_alive: Floats
    """Probability in [0, 1] of being active still at `as_of`."""
    p_active: Floats
    """Probability in [0, 1] of at least one purchase within the horizon."""
    expected_purchases: Floats
    """Purchases within the horizon, >= 0, each discounted to `as_of`."""


def by_frequency(frequency: Floats) -> tuple[Floats, Indices]:
    """Distinct frequencies, and which one each customer has.

    What depends on the frequency alone, such as a gamma function of it, need be computed only
    for these. They are whole numbers, so it takes no sorting.
    """
    most = int(frequency.max(initial=0.0))
    if most < frequency.size:
        return np.arange(most + 1, dtype=np.float64), frequency.astype(np.intp)
    return frequency, np.arange(frequency.size)


def checked(
    frequency: ArrayLike, recency: ArrayLike, age: ArrayLike
) -> tuple[Floats, Floats, Floats]:
    """The three as float64 arrays of one shape; a number becomes an array of one.

    A recency above 0 at frequency 0 is valid: two purchases on one day.

    Args:
        frequency: repeat purchase periods x, >= 0.
        recency: days from first to last purchase t_x, >= 0.
        age: days from first purchase to `as_of` T, >= t_x.

    Raises:
        InvalidSummary: negative or non-finite input, or t_x > T.
    """
    x, t_x, age_days = np.broadcast_arrays(
        np.atleast_1d(np.asarray(frequency, dtype=np.float64)),
        np.asarray(recency, dtype=np.float64),
        np.asarray(age, dtype=np.float64),
    )
    for name, values in (("frequency", x), ("recency", t_x), ("age", age_days)):
        if not np.all(np.isfinite(values) & (values >= 0)):
            raise InvalidSummary(f"{name} must be finite and not negative")
    if np.any(t_x > age_days):
        raise InvalidSummary("recency must not be above age: no last purchase is in the future")
    return x, t_x, age_days


def checked_horizon(horizon_days: float, discount_rate: float = 0.0) -> float:
    """The horizon in days.

    Raises:
        InvalidSummary: a negative or non-finite horizon, or a discount rate of -100 % or less.
    """
    if not (np.isfinite(horizon_days) and horizon_days >= 0):
        raise InvalidSummary("horizon_days must be finite and not negative")
    if not (np.isfinite(discount_rate) and discount_rate > -1):
        raise InvalidSummary("discount_rate must be above -1")
    return float(horizon_days)


def daily_discount(discount_rate: float) -> float:
    """The continuous rate per day of an annual effective rate: ln(1 + rate) / 365."""
    return float(np.log1p(discount_rate) / DAYS_PER_YEAR)
