"""Pareto/NBD: purchases at a steady rate during a lifetime of which nothing is seen.

A customer buys at rate lambda, Gamma(r, alpha) over the customers, and leaves at rate mu,
Gamma(s, beta), purchases or not. Everything is in days. A customer who is there at `as_of` has
lambda ~ Gamma(r + x, alpha + T) and, apart from it, mu ~ Gamma(s, beta + T).

Source: Schmittlein, Morrison & Colombo (1987), "Counting your customers", Management Science
33(1); Fader & Hardie (2005), "A note on deriving the Pareto/NBD model".
"""

import numpy as np
from scipy.special import hyp2f1

from models._arrivals import log_rising, log_waiting
from models._beta_mean import beta_mean
from models._quadrature import STEEP_MIN, unit_nodes
from models.arrays import Floats
from models.parameters import ModelParams
from models.purchase_model import PurchaseModel
from models.summaries import Forecast, daily_discount

# exp(-38) is below the last digit of a probability; a decay by that much takes 28 nodes.
_WAITED = 38.0
_NODES_NEXT_PURCHASE = 28

# SciPy's 2F1(a, b; c; z) near z = 1 loses its digits where c - a - b is nearly whole.
_WHOLE = 1e-3
_Z_WHOLE_MAX = 0.997


class ParetoNbd(PurchaseModel):
    """Pareto/NBD, for parameters r, alpha (days), s, beta (days)."""

    NAME = "pareto-nbd"

    def alive(self, params: ModelParams, x: Floats, t_x: Floats, age: Floats) -> Floats:
        """`p_alive`, unchecked.

        Source: Fader & Hardie (2005), eq. 36.
        """
        there: Floats = 1.0 / (1.0 + _left_to_there(params, x, t_x, age))
        return there

    def active(
        self, params: ModelParams, x: Floats, t_x: Floats, age: Floats, horizon_days: float
    ) -> Floats:
        """`p_active`, unchecked.

        Source: p_alive times the integral of E[lambda·exp(-(lambda + mu)·u)] over u in the
        horizon: the density of the next purchase of a customer who is there.
        """
        buys: Floats = self.alive(params, x, t_x, age) * _next_purchase(
            params, x, age, horizon_days
        )
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

        Source: Fader & Hardie (2005), eq. 41; discounted, Fader, Hardie & Lee (2005), "RFM and
        CLV", eq. 4 cut at the horizon.
        """
        alive = self.alive(params, frequency, recency, age)
        while_there = _while_there(
            params, frequency, age, horizon_days, daily_discount(discount_rate)
        )
        next_purchase = _next_purchase(params, frequency, age, horizon_days)
        return Forecast(alive, alive * next_purchase, alive * while_there)

    def log_likelihood(
        self, params: ModelParams, frequency: Floats, recency: Floats, age: Floats
    ) -> Floats:
        """Log likelihood of each customer's history; see `PurchaseModel.log_likelihood`.

        Source: Fader & Hardie (2005), eq. 18: there at T, or left between t_x and T.
        """
        r, s, beta, x = params.r, params.s, params.beta, frequency
        density: Floats = (
            log_rising(r, x)
            - log_waiting(params, x, age)
            - s * np.log1p(age / beta)
            + np.log1p(_left_to_there(params, x, recency, age))
        )
        return density


def _left_to_there(params: ModelParams, x: Floats, t_x: Floats, age: Floats) -> Floats:
    """Odds of having left between t_x and T.

    s·(alpha + T)^(r+x)·(beta + T)^s times the integral over y from t_x to T of
    (alpha + y)^-(r+x)·(beta + y)^-(s+1), as the difference of two integrals to infinity.
    """
    r, s, alpha, beta = params.r, params.s, params.alpha, params.beta
    log_fall = (r + x) * np.log1p((age - t_x) / (alpha + t_x)) + s * np.log1p(
        (age - t_x) / (beta + t_x)
    )
    ever = _tail(params, x, t_x)
    beyond = _tail(params, x, age)
    # Silence beyond what a float can say is as certain as silence at its end.
    odds: Floats = np.maximum(np.exp(np.minimum(log_fall, 700.0)) * ever - beyond, 0.0)
    return odds


def _tail(params: ModelParams, x: Floats, y: Floats) -> Floats:
    """s·(alpha+y)^(r+x)·(beta+y)^s times the integral from y to infinity.

    Euler's transformation of the papers' 2F1(r+s+x, ...): its first parameter becomes 1, the
    powers cancel, and no frequency makes it overflow.
    """
    r, s, alpha, beta = params.r, params.s, params.alpha, params.beta
    m = r + s + x
    if alpha >= beta:
        z, apart = (alpha - beta) / (alpha + y), s
        tail = s / m * hyp2f1(1.0, r + x, m + 1.0, z)
    else:
        scale = (alpha + y) / (beta + y)
        z, apart = (beta - alpha) / (beta + y), r
        tail = s / m * scale * hyp2f1(1.0, s + 1.0, m + 1.0, z)
    tail = np.asarray(tail, dtype=np.float64)
    failed = ~np.isfinite(tail)
    if abs(apart - round(apart)) < _WHOLE:
        failed |= z > _Z_WHOLE_MAX
    if failed.any():
        tail[failed] = _averaged_tail(params, x[failed], y[failed])
    return tail


def _averaged_tail(params: ModelParams, x: Floats, y: Floats) -> Floats:
    """`_tail` as a mean over w ~ Beta(s, 1), where w = (beta + y)/(beta + u) and u is integrated.

    Then (alpha + y)/(alpha + u) is w / (w + (beta + y)/(alpha + y)·(1 - w)), to the power r + x.
    """
    ratio = (params.beta + y) / (params.alpha + y)

    def fallen(w: Floats) -> Floats:
        power: Floats = np.exp(-(params.r + x) * np.log1p(ratio * (1.0 - w) / w))
        return power

    ones = np.ones_like(y)
    return beta_mean(params.s, ones, fallen, np.zeros_like(y), ones)


def _while_there(
    params: ModelParams, x: Floats, age: Floats, horizon_days: float, discount: float
) -> Floats:
    """Expected discounted purchases of a customer who is there at `as_of`."""
    since, until = params.alpha + age, params.beta + age
    rate = (params.r + x) / since
    log_growth = np.log1p(horizon_days / until)
    excess = params.s - 1.0
    if discount == 0.0:
        # until/(s - 1)·(1 - (1 + h/until)^(1 - s)), and its limit at s = 1.
        lasting = -np.expm1(-excess * log_growth) / excess if excess else log_growth
        return np.asarray(rate * until * lasting, dtype=np.float64)
    total = np.zeros_like(until)
    at_least = 0
    if params.s > STEEP_MIN:  # or hardly anybody is left after some of the nodes
        log_growth = np.minimum(log_growth, _WAITED / excess)
        at_least = _NODES_NEXT_PURCHASE
    for node, weight in unit_nodes(float(np.log1p(horizon_days / params.beta)), at_least):
        y = node * log_growth
        total += weight * np.exp(-excess * y - discount * until * np.expm1(y))
    discounted: Floats = rate * until * log_growth * total
    return discounted


def _next_purchase(params: ModelParams, x: Floats, age: Floats, horizon_days: float) -> Floats:
    """Probability that a customer who is there buys within the horizon.

    The integral over u of (r+x)/A·(1 + u/A)^-(r+x+1)·(1 + u/B)^-s, A = alpha + T, B = beta + T.
    """
    since, until = params.alpha + age, params.beta + age
    shape = params.r + x
    # The smaller scale keeps the other one's singularity away as well. Where nobody who is
    # there waits that long any more, the rest of the horizon would only blur the nodes.
    scale = np.minimum(since, until)
    waited = since * np.expm1(np.minimum(_WAITED / shape, 700.0))
    if params.s > STEEP_MIN:
        waited = np.minimum(waited, until * np.expm1(_WAITED / params.s))
    log_growth = np.log1p(np.minimum(horizon_days, waited) / scale)
    total = np.zeros_like(since)
    widest = float(np.log1p(horizon_days / min(params.alpha, params.beta)))
    for node, weight in unit_nodes(widest, _NODES_NEXT_PURCHASE):
        y = node * log_growth
        u = scale * np.expm1(y)
        total += weight * np.exp(
            y - (shape + 1.0) * np.log1p(u / since) - params.s * np.log1p(u / until)
        )
    chance: Floats = shape / since * scale * log_growth * total
    return chance
