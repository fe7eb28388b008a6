"""The exact distribution of what a customer will spend, for tests of the table that is served.

Purchases and order value are independent in these models, so the value is a sum over the
possible numbers of purchases n. The sum of n orders is beta prime: V/(V + v') ~ Beta(p·n, q')
with q' = q + p·x and v' = v + x·m. Undiscounted; tens of microseconds a customer.

Source: Fader & Hardie (2013), section 2.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import betainc

from models.arrays import Floats
from models.parameters import ModelParams
from models.purchase_counts import count_bound, purchase_chances
from models.value_bounds import Interval

_BISECTIONS = 45
# Cells of the table of customers and counts that are held at once.
_CELLS = 2_000_000


def value_interval(
    params: ModelParams,
    frequency: Floats,
    recency: Floats,
    age: Floats,
    monetary_value: Floats,
    horizon_days: float,
    coverage: float = 0.8,
) -> Interval:
    """The central interval of a customer's value: as likely to be below it as above.

    Args:
        params: of purchases and of order value.
        frequency: (n,) repeat purchase days, x.
        recency: (n,) days from first to last purchase, t_x.
        age: (n,) days from first purchase to as_of, T.
        monetary_value: (n,) mean repeat order value m, minor units; anything where x is 0.
        horizon_days: days after as_of.
        coverage: share of the probability within.

    Returns:
        Quantiles (1 - coverage)/2 and (1 + coverage)/2, both 0 where buying nothing is that
        likely.
    """
    low, high = np.empty_like(age), np.empty_like(age)
    table = np.stack([frequency, recency, age, monetary_value])
    for rows in _chunks(params, frequency, age, horizon_days):
        value = _Value.of(params, table[:, rows], horizon_days)
        low[rows] = value.quantile((1.0 - coverage) / 2)
        high[rows] = value.quantile((1.0 + coverage) / 2)
    return Interval(low, high)


def value_cdf(
    params: ModelParams,
    frequency: Floats,
    recency: Floats,
    age: Floats,
    monetary_value: Floats,
    horizon_days: float,
    value_minor: Floats,
) -> Interval:
    """Probability of less than a value, and of at most it: they differ where it is 0.

    A number drawn evenly between the two is uniform over customers whose values follow the
    model (the randomised probability integral transform).

    Args:
        params: of purchases and of order value.
        frequency: (n,) repeat purchase days, x.
        recency: (n,) days from first to last purchase, t_x.
        age: (n,) days from first purchase to as_of, T.
        monetary_value: (n,) mean repeat order value m, minor units; anything where x is 0.
        horizon_days: days after as_of.
        value_minor: (n,) values, >= 0.

    Source: Czado, Gneiting & Held (2009), "Predictive model assessment for count data", eq. 1.
    """
    below, until = np.empty_like(age), np.empty_like(age)
    table = np.stack([frequency, recency, age, monetary_value])
    for rows in _chunks(params, frequency, age, horizon_days):
        value = _Value.of(params, table[:, rows], horizon_days)
        until[rows] = value.cdf(value_minor[rows])
        below[rows] = np.where(value_minor[rows] > 0, until[rows], 0.0)
    return Interval(below, until)


class _Value(NamedTuple):
    """The distributions of some customers' values."""

    chances: Floats
    """(n, k + 1) of 0, ..., k purchases."""
    order_shape: float
    """Gamma-Gamma's p."""
    shape: Floats
    """(n,) q + p·x."""
    scale: Floats
    """(n,) v + x·m, minor units."""

    @classmethod
    def of(cls, params: ModelParams, table: Floats, horizon_days: float) -> "_Value":
        x, t_x, age, mean = table
        most = int(count_bound(params, x, age, horizon_days).max(initial=1.0))
        spent = np.where(x > 0, x * mean, 0.0)
        known = np.where(spent > 0, x, 0.0)
        return cls(
            chances=purchase_chances(params, x, t_x, age, horizon_days, most),
            order_shape=params.p,
            shape=params.q + params.p * known,
            scale=params.v + spent,
        )

    def cdf(self, value: Floats) -> Floats:
        return self._cdf(value / (value + self.scale))

    def quantile(self, level: float) -> Floats:
        low, high = np.zeros_like(self.scale), np.ones_like(self.scale)
        nothing = self.chances[:, 0] >= level
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            under = self._cdf(middle) < level
            low, high = np.where(under, middle, low), np.where(under, high, middle)
        share = np.minimum(0.5 * (low + high), 1.0 - 1e-12)
        quantile: Floats = np.where(nothing, 0.0, self.scale * share / (1.0 - share))
        return quantile

    def _cdf(self, share: Floats) -> Floats:
        n = np.arange(1.0, self.chances.shape[1])
        within = betainc(self.order_shape * n, self.shape[:, None], share[:, None])
        total: Floats = self.chances[:, 0] + np.sum(self.chances[:, 1:] * within, axis=1)
        return total


def _chunks(
    params: ModelParams, x: Floats, age: Floats, horizon_days: float
) -> list[np.ndarray[tuple[int], np.dtype[np.intp]]]:
    """Customers of about as many purchases together, so that no table is mostly zeros."""
    most = count_bound(params, x, age, horizon_days)
    order = np.argsort(most, kind="stable")
    chunks, begin = [], 0
    while begin < order.size:
        # From the largest of what could come: sizes only grow along the order.
        end = begin + 1
        while end < order.size and (end + 1 - begin) * most[order[end]] <= _CELLS:
            end += 1
        chunks.append(order[begin:end])
        begin = end
    return chunks
