"""What a customer will spend within the horizon, as a distribution: how sure a score is.

Purchases and order value are independent in these models, so the value is a sum over the
possible numbers of purchases n. With z = h/(alpha + T + h), lambda mixed out:

    P(n arrivals) = NB(n; s, z),   s = r + x, z the chance of one more;
    P(N = n | there) = E[(1-p)^n]·P(n arrivals) + E[p(1-p)^(n-1)]·P(at least n arrivals),

as a customer makes n purchases either by staying for exactly n arrivals, or by being lost at the
n-th. The sum of n orders is beta prime: V/(V + v') ~ Beta(p·n, q') with q' = q + p·x and
v' = v + x·m.

This is exact and made for checking and for reports: tens of microseconds a customer. Undiscounted.

Source: Fader, Hardie & Lee (2005), "Counting your customers the easy way", eq. 8, with MBG/NBD's
first toss; Fader & Hardie (2013), section 2.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import betainc, betaln, gammaln

from models.parameters import InvalidParameters, ModelParams
from models.purchases import model_for
from models.summaries import Floats

_TAIL = 1e-10
_COUNT_MAX = 20_000
_BISECTIONS = 45
# Cells of the table of customers and counts that are held at once.
_CELLS = 2_000_000


class Interval(NamedTuple):
    """Bounds of the value within the horizon, (n,) minor units each."""

    low: Floats
    high: Floats


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
        params: MBG/NBD or BG/NBD with Gamma-Gamma.
        frequency: (n,) repeat purchase days, x.
        recency: (n,) days from first to last purchase, t_x.
        age: (n,) days from first purchase to as_of, T.
        monetary_value: (n,) mean repeat order value m, minor units; anything where x is 0.
        horizon_days: days after as_of.
        coverage: share of the probability within.

    Returns:
        Quantiles (1 - coverage)/2 and (1 + coverage)/2, both 0 where buying nothing is that
        likely.

    Raises:
        InvalidParameters: a model whose number of purchases has no such form.
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
        params: MBG/NBD or BG/NBD with Gamma-Gamma.
        frequency: (n,) repeat purchase days, x.
        recency: (n,) days from first to last purchase, t_x.
        age: (n,) days from first purchase to as_of, T.
        monetary_value: (n,) mean repeat order value m, minor units; anything where x is 0.
        horizon_days: days after as_of.
        value_minor: (n,) values, >= 0.

    Raises:
        InvalidParameters: a model whose number of purchases has no such form.

    Source: Czado, Gneiting & Held (2009), "Predictive model assessment for count data", eq. 1.
    """
    below, until = np.empty_like(age), np.empty_like(age)
    table = np.stack([frequency, recency, age, monetary_value])
    for rows in _chunks(params, frequency, age, horizon_days):
        value = _Value.of(params, table[:, rows], horizon_days)
        until[rows] = value.cdf(value_minor[rows])
        below[rows] = np.where(value_minor[rows] > 0, until[rows], 0.0)
    return Interval(below, until)


def purchase_chances(
    params: ModelParams,
    frequency: Floats,
    recency: Floats,
    age: Floats,
    horizon_days: float,
    most: int,
) -> Floats:
    """Probability of each number of purchases within the horizon.

    Args:
        params: MBG/NBD or BG/NBD.
        frequency: (n,) repeat purchase days, x.
        recency: (n,) days from first to last purchase, t_x.
        age: (n,) days from first purchase to as_of, T.
        horizon_days: days after as_of, > 0.
        most: the highest number, >= 1.

    Returns:
        (n, most + 1) probabilities of 0, 1, ... purchases.

    Raises:
        InvalidParameters: a model whose number of purchases has no such form.
    """
    if params.model not in {"mbg-nbd", "bg-nbd"}:
        raise InvalidParameters(f"the number of purchases of {params.model} has no closed form")
    a = params.a
    b = (params.b + frequency + (1.0 if params.model == "mbg-nbd" else 0.0))[:, None]
    shape = (params.r + frequency)[:, None]
    growth = horizon_days / (params.alpha + age)[:, None]
    n = np.arange(1.0, most + 1)
    arrivals = np.exp(
        gammaln(shape + n)
        - gammaln(shape)
        - gammaln(n + 1)
        - shape * np.log1p(growth)
        - n * np.log1p(1.0 / growth)
    )
    at_least = betainc(n, shape, growth / (1.0 + growth))
    stays = np.exp(betaln(a, b + n) - betaln(a, b))
    lost = np.exp(betaln(a + 1, b + n - 1) - betaln(a, b))
    alive = model_for(params).p_alive(params, frequency, recency, age)[:, None]
    some = alive * (stays * arrivals + lost * at_least)
    none = 1.0 - alive[:, 0] * -np.expm1(-shape[:, 0] * np.log1p(growth[:, 0]))
    return np.column_stack([none, some])


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
        most = int(_most(params, x, age, horizon_days).max(initial=1.0))
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


def _most(params: ModelParams, x: Floats, age: Floats, horizon_days: float) -> Floats:
    """A number of arrivals that is exceeded with a probability of about 1e-10 at most.

    Chernoff's bound on the negative binomial: P(N >= n) <= t^-n·((1-z)/(1-z·t))^s for any t in
    (1, 1/z); here t = 2/(1 + z).
    """
    z = horizon_days / (params.alpha + age + horizon_days)
    tilt = 2.0 / (1.0 + z)
    shape = params.r + x
    moment = shape * (np.log1p(-z) - np.log1p(-z * tilt))
    count = np.ceil((moment - np.log(_TAIL)) / np.log(tilt))
    most: Floats = np.clip(count, 1.0, _COUNT_MAX)
    return most


def _chunks(
    params: ModelParams, x: Floats, age: Floats, horizon_days: float
) -> list[np.ndarray[tuple[int], np.dtype[np.intp]]]:
    """Customers of about as many purchases together, so that no table is mostly zeros."""
    most = _most(params, x, age, horizon_days)
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
