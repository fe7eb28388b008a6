"""What BG/NBD and MBG/NBD share: all but who can be lost after the first purchase.

A customer who is there at `as_of` has lambda ~ Gamma(r + x, alpha + T) and p ~ Beta(a, b'), where
b' is b + x for BG/NBD, and b + x + 1 for MBG/NBD, in which the first purchase counts too.

Expected purchases of a customer who is there:

With lambda ~ Gamma(s, A) and p ~ Beta(a, b'), where c = a + b' - 1 and k = c - s:

    E[(1 - exp(-lambda·p·h))/p] = c/(a - 1) · [1 - (1-z)^(a-1) · 2F1(k, a-1; c; z)],
    z = h/(A + h),

which is the papers' formula after Euler's transformation: theirs overflows. Its derivative by
h has no trouble at a = 1 nor at c = 0, and is what discounting needs:

    E[lambda·exp(-lambda·p·u)] = (s/A) · (1-z)^a · 2F1(k, a; c + 1; z),  z = u/(A + u).

With u = A(e^y - 1) it is smooth: Gauss-Legendre reaches double precision in few nodes.

Where a or b' is large and z is near 1, the 2F1 overflows. There both are means over p of what is
expected at a given p:

    E[lambda·exp(-lambda·p·u)] = (s/A)·E[(1 + p·u/A)^-(s + 1)],
    E[(1 - exp(-lambda·p·h))/p] = E[(1 - (1 + p·h/A)^-s)/p].
"""

from abc import abstractmethod
from math import isfinite
from typing import ClassVar

import numpy as np
from scipy.special import expit, hyp2f1

from models._beta_mean import beta_mean
from models._quadrature import graded_nodes
from models.arrays import Floats
from models.parameters import ModelParams
from models.purchase_model import PurchaseModel
from models.summaries import Forecast, daily_discount

# Below this the bracket has lost more than six of its sixteen digits, and is integrated.
_CANCELLATION_MIN = 1e-6
_C_MIN = 1e-6


class BetaGeometric(PurchaseModel):
    """A model whose customers may be lost after each purchase, with a chance of their own."""

    CHANCES: ClassVar[float]
    """Chances to be lost less purchases: 0, or -1 where the first purchase is none.

    So b' = b + x + 1 + CHANCES.
    """

    @abstractmethod
    def log_odds_at_once(self, params: ModelParams, x: Floats) -> Floats:
        """Log odds of being there right after the last purchase, (n,)."""

    def alive(self, params: ModelParams, x: Floats, t_x: Floats, age: Floats) -> Floats:
        """`p_alive`, unchecked.

        Source: the odds right after the last purchase, by those of so long a silence,
        ((alpha + T)/(alpha + t_x))^-(r + x). The power overflows, its logarithm does not.
        """
        silence = np.log1p((age - t_x) / (params.alpha + t_x))
        there: Floats = expit(self.log_odds_at_once(params, x) - (params.r + x) * silence)
        return there

    def active(
        self, params: ModelParams, x: Floats, t_x: Floats, age: Floats, horizon_days: float
    ) -> Floats:
        """`p_active`, unchecked.

        Source: p_alive times 1 - E[exp(-lambda·h)] over lambda ~ Gamma(r + x, alpha + T).
        """
        log_growth = np.log1p(horizon_days / (params.alpha + age))
        buys: Floats = self.alive(params, x, t_x, age) * -np.expm1(-(params.r + x) * log_growth)
        return buys

    def forecast(
        self,
        params: ModelParams,
        frequency: Floats,
        recency: Floats,
        age: Floats,
        horizon_days: float,
        discount_rate: float = 0.0,
    ) -> Forecast:
        """All three figures at once; see `PurchaseModel.forecast`.

        Source: `alive`, `active`, and `purchases_while_there` times `alive`.
        """
        alive = self.alive(params, frequency, recency, age)
        shape = params.r + frequency
        since = params.alpha + age
        log_growth = np.log1p(horizon_days / since)
        while_there = purchases_while_there(
            a=params.a,
            k=params.a + params.b + self.CHANCES - params.r,
            c=params.a + params.b + self.CHANCES + frequency,
            shape=shape,
            since=since,
            log_growth=log_growth,
            widest=float(np.log1p(horizon_days / params.alpha)),
            steep=max(params.r, params.a),
            daily_discount=daily_discount(discount_rate),
        )
        return Forecast(alive, alive * -np.expm1(-shape * log_growth), alive * while_there)


def purchases_while_there(
    *,
    a: float,
    k: float,
    c: Floats,
    shape: Floats,
    since: Floats,
    log_growth: Floats,
    widest: float,
    steep: float,
    daily_discount: float,
) -> Floats:
    """Expected discounted purchases of customers who are there at `as_of`.

    Args:
        a: first parameter of the drop-out's Beta.
        k: c - s, the same for all customers.
        c: (n,) a + b' - 1.
        shape: (n,) s = r + x.
        since: (n,) A = alpha + T, in days.
        log_growth: (n,) ln(1 + h/A).
        widest: a bound on `log_growth` that does not depend on the batch: a customer's figures
            must not either.
        steep: the greater of r and a. Purchases fall by a power of about s times the mean of p,
            which is (r + x)·a/(a + b + x) and below it for every x.
        daily_discount: continuous rate per day.

    Returns:
        (n,) purchases, >= 0.
    """
    if daily_discount != 0.0:
        return _integrated(a, k, c, shape, since, log_growth, widest, steep, daily_discount)
    excess = a - 1.0
    decay = -np.expm1(-log_growth)  # z
    hard = (decay * abs(excess) < _CANCELLATION_MIN) | (c < _C_MIN)
    if not hard.any():
        return _closed(a, k, c, shape, decay, log_growth)
    expected = np.empty_like(decay)
    easy = ~hard
    if easy.any():
        expected[easy] = _closed(a, k, c[easy], shape[easy], decay[easy], log_growth[easy])
    expected[hard] = _integrated(
        a, k, c[hard], shape[hard], since[hard], log_growth[hard], widest, steep, daily_discount
    )
    return expected


def _closed(a: float, k: float, c: Floats, shape: Floats, z: Floats, log_growth: Floats) -> Floats:
    excess = a - 1.0
    series = hyp2f1(k, excess, c, z)
    left = np.exp(-excess * log_growth)
    # A sum is the cheapest look at all of them.
    if isfinite(series.sum()):
        expected: Floats = (c / excess) * (1.0 - left * series)
        return expected
    failed = np.flatnonzero(~np.isfinite(series))
    series[failed] = 0.0
    expected = (c / excess) * (1.0 - left * series)
    expected[failed] = _averaged(a, c[failed], shape[failed], log_growth[failed])
    return expected


def _averaged(a: float, c: Floats, shape: Floats, log_growth: Floats) -> Floats:
    """`_closed`, where it overflows: the mean over p of what is expected at a given p."""
    growth = np.expm1(log_growth)

    def bought(p: Floats) -> Floats:
        return -np.expm1(-shape * np.log1p(p * growth)) / p

    return beta_mean(a, c + 1.0 - a, bought, shape * growth, bought(np.ones_like(shape)))


def _integrated(
    a: float,
    k: float,
    c: Floats,
    shape: Floats,
    since: Floats,
    log_growth: Floats,
    widest: float,
    steep: float,
    daily_discount: float,
) -> Floats:
    total = np.zeros_like(log_growth)
    for node, weight in graded_nodes(widest, steep):
        y = node * log_growth
        grown = np.expm1(y)
        rate = np.exp((1.0 - a) * y - daily_discount * since * grown)
        series = hyp2f1(k, a, c + 1.0, -np.expm1(-y))
        if isfinite(series.sum()):
            total += weight * rate * series
            continue
        failed = np.flatnonzero(~np.isfinite(series))
        series[failed] = 0.0
        part = weight * rate * series
        discounted = np.exp(y[failed] - daily_discount * since[failed] * grown[failed])
        left = _rate_left(a, c[failed], shape[failed], grown[failed])
        part[failed] = weight * discounted * left
        total += part
    integral: Floats = shape * log_growth * total
    return integral


def _rate_left(a: float, c: Floats, shape: Floats, grown: Floats) -> Floats:
    """Rate of purchases after A·`grown` days, as a share of the one at once."""

    def left(p: Floats) -> Floats:
        share: Floats = np.exp(-(shape + 1.0) * np.log1p(p * grown))
        return share

    ones = np.ones_like(shape)
    return beta_mean(a, c + 1.0 - a, left, ones, left(ones))
