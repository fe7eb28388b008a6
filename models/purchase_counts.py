"""How many purchases a customer will make within the horizon, as a distribution.

With z = h/(alpha + T + h), lambda mixed out:

    P(n arrivals) = NB(n; s, z),   s = r + x, z the chance of one more;
    P(N = n | there) = E[(1-p)^n]·P(n arrivals) + E[p(1-p)^(n-1)]·P(at least n arrivals),

as a customer makes n purchases either by staying for exactly n arrivals, or by being lost at the
n-th. Pareto/NBD loses a customer after a time, Pareto(s, beta + T), instead: there P(N = n) is
that of n arrivals until then, integrated over it.

Source: Fader, Hardie & Lee (2005), "Counting your customers the easy way", eq. 8, with MBG/NBD's
first toss; Fader & Hardie (2014), "Deriving the conditional PMF of the Pareto/NBD model".
"""

import numpy as np
from scipy.special import betainc, betaln, gammaln

from models._quadrature import STEEP_MIN, unit_nodes
from models.arrays import Floats
from models.parameters import ModelParams
from models.purchases import model_for

_TAIL = 1e-10
_COUNT_MAX = 20_000
# Many arrivals are as good as an instant of being lost: a peak that takes nodes to be seen.
_NODES = 48
_STAYED = 38.0  # exp(-38) is below the last digit of a probability


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
        params: of purchases.
        frequency: (n,) repeat purchase days, x.
        recency: (n,) days from first to last purchase, t_x.
        age: (n,) days from first purchase to as_of, T.
        horizon_days: days after as_of, > 0.
        most: the highest number, >= 1.

    Returns:
        (n, most + 1) probabilities of 0, 1, ... purchases.
    """
    n = np.arange(1.0, most + 1)
    model = model_for(params)
    there = _until_lost if params.model == "pareto-nbd" else _until_toss
    some = there(params, n, frequency[:, None], age[:, None], horizon_days)
    some *= model.p_alive(params, frequency, recency, age)[:, None]
    none = 1.0 - model.p_active(params, frequency, recency, age, horizon_days)
    return np.column_stack([none, some])


def count_bound(params: ModelParams, frequency: Floats, age: Floats, horizon_days: float) -> Floats:
    """A number of purchases that is exceeded with a probability of about 1e-10 at most.

    Args:
        params: of purchases.
        frequency: (n,) repeat purchase days, x.
        age: (n,) days from first purchase to as_of, T.
        horizon_days: days after as_of, > 0.

    Returns:
        (n,) whole numbers from 1 to 20,000, which is where it ends.

    Source: Chernoff's bound on the negative binomial: P(N >= n) <= t^-n·((1-z)/(1-z·t))^s for any
    t in (1, 1/z); here t = 2/(1 + z).
    """
    z = horizon_days / (params.alpha + age + horizon_days)
    tilt = 2.0 / (1.0 + z)
    shape = params.r + frequency
    moment = shape * (np.log1p(-z) - np.log1p(-z * tilt))
    count = np.ceil((moment - np.log(_TAIL)) / np.log(tilt))
    most: Floats = np.clip(count, 1.0, _COUNT_MAX)
    return most


def _until_toss(
    params: ModelParams, n: Floats, x: Floats, age: Floats, horizon_days: float
) -> Floats:
    """Chances of n purchases of a customer who is there, and is lost by a toss after one."""
    a, b = params.a, params.b + x + (1.0 if params.model == "mbg-nbd" else 0.0)
    shape, growth = params.r + x, horizon_days / (params.alpha + age)
    stays = np.exp(betaln(a, b + n) - betaln(a, b))
    lost = np.exp(betaln(a + 1, b + n - 1) - betaln(a, b))
    at_least = betainc(n, shape, growth / (1.0 + growth))
    chances: Floats = stays * np.exp(_log_arrivals(n, shape, growth)) + lost * at_least
    return chances


def _until_lost(
    params: ModelParams, n: Floats, x: Floats, age: Floats, horizon_days: float
) -> Floats:
    """The same of a customer who is lost after a time: an integral over that time."""
    since, until, shape = params.alpha + age, params.beta + age, params.r + x
    stays = np.exp(-params.s * np.log1p(horizon_days / until))
    chances: Floats = stays * np.exp(_log_arrivals(n, shape, horizon_days / since))
    scale = np.minimum(since, until)
    end_days = np.full_like(until, horizon_days)
    if params.s > STEEP_MIN:  # hardly anybody stays for longer
        end_days = np.minimum(end_days, until * np.expm1(_STAYED / params.s))
    log_growth = np.log1p(end_days / scale)
    for node, weight in unit_nodes(1.0, _NODES):
        y = node * log_growth
        u = scale * np.expm1(y)
        density = params.s / until * np.exp(-(params.s + 1.0) * np.log1p(u / until))
        step = weight * log_growth * scale * np.exp(y)
        chances += step * density * np.exp(_log_arrivals(n, shape, u / since))
    return chances


def _log_arrivals(n: Floats, shape: Floats, growth: Floats) -> Floats:
    """Log chances of n arrivals in a time `growth` times as long as what is known."""
    log: Floats = (
        gammaln(shape + n)
        - gammaln(shape)
        - gammaln(n + 1)
        - shape * np.log1p(growth)
        - n * np.log1p(1.0 / growth)
    )
    return log
