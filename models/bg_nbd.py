"""BG/NBD: purchases at a steady rate until, after a repeat purchase, the customer is gone.

As MBG/NBD, but nobody is lost after the first purchase: every one-time buyer is there for ever.
Everything is in days. A customer who is there at `as_of` has lambda ~ Gamma(r + x, alpha + T)
and p ~ Beta(a, b + x).

Source: Fader, Hardie & Lee (2005), "Counting your customers the easy way", Marketing Science
24(2).
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln, expit, gammaln

from models._beta_geometric import purchases_while_there
from models.parameters import ModelParams
from models.summaries import (
    Floats,
    Forecast,
    by_frequency,
    checked,
    checked_horizon,
    daily_discount,
)

NAME = "bg-nbd"


def p_alive(
    params: ModelParams, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike
) -> Floats:
    """Probability that each customer is still active at `as_of`.

    Args:
        params: BG/NBD parameters; `alpha` in days.
        frequency: (n,) repeat purchase days x, >= 0.
        recency: (n,) days from first to last purchase, t_x.
        age: (n,) days from first purchase to as_of, T >= t_x.

    Returns:
        (n,) probabilities in [0, 1].

    Raises:
        InvalidSummary: negative or non-finite input, or t_x > T.

    Source: Fader, Hardie & Lee (2008), "Computing P(alive) using the BG/NBD model", p. 1.
    """
    return _p_alive(params, *checked(frequency, recency, age))


def p_active(
    params: ModelParams,
    frequency: ArrayLike,
    recency: ArrayLike,
    age: ArrayLike,
    horizon_days: float,
) -> Floats:
    """Probability of at least one purchase within the horizon.

    Args:
        params: BG/NBD parameters; `alpha` in days.
        frequency: (n,) repeat purchase days x, >= 0.
        recency: (n,) days from first to last purchase, t_x.
        age: (n,) days from first purchase to as_of, T >= t_x.
        horizon_days: days after as_of.

    Returns:
        (n,) probabilities in [0, p_alive].

    Raises:
        InvalidSummary: negative or non-finite input, or t_x > T.

    Source: p_alive times 1 - E[exp(-lambda·h)] over lambda ~ Gamma(r + x, alpha + T).
    """
    x, t_x, age_days = checked(frequency, recency, age)
    log_growth = np.log1p(checked_horizon(horizon_days) / (params.alpha + age_days))
    active: Floats = _p_alive(params, x, t_x, age_days) * -np.expm1(-(params.r + x) * log_growth)
    return active


def expected_purchases(
    params: ModelParams,
    frequency: ArrayLike,
    recency: ArrayLike,
    age: ArrayLike,
    horizon_days: float,
    discount_rate: float = 0.0,
) -> Floats:
    """Expected purchases within the horizon, each discounted to `as_of`.

    At frequency, recency and age 0 it is what a new customer will buy after the first purchase.

    Args:
        params: BG/NBD parameters; `alpha` in days.
        frequency: (n,) repeat purchase days x, >= 0.
        recency: (n,) days from first to last purchase, t_x.
        age: (n,) days from first purchase to as_of, T >= t_x.
        horizon_days: days after as_of.
        discount_rate: annual effective; applied continuously, ln(1 + rate) / 365 a day.

    Returns:
        (n,) purchases, >= 0.

    Raises:
        InvalidSummary: negative or non-finite input, or t_x > T.

    Source: Fader, Hardie & Lee (2005), eq. 10, after Euler's transformation.
    """
    x, t_x, age_days = checked(frequency, recency, age)
    horizon = checked_horizon(horizon_days, discount_rate)
    return forecast(params, x, t_x, age_days, horizon, discount_rate).expected_purchases


def expected_next_purchase_days(
    params: ModelParams, frequency: ArrayLike, age: ArrayLike
) -> Floats:
    """Median days from `as_of` to the next purchase of a customer who is still there.

    Args:
        params: parameters; `alpha` in days.
        frequency: (n,) repeat purchase days x, >= 0.
        age: (n,) days from first purchase to as_of, T.

    Returns:
        (n,) days, > 0.

    Source: half of E[exp(-lambda·u)] over lambda ~ Gamma(r + x, alpha + T), solved for u.
    """
    x, _, age_days = checked(frequency, 0.0, age)
    median: Floats = (params.alpha + age_days) * np.expm1(np.log(2.0) / (params.r + x))
    return median


def age_at_p_alive(
    params: ModelParams, frequency: ArrayLike, recency: ArrayLike, threshold: float
) -> Floats:
    """Age at which silence since the last purchase brings p_alive down to the threshold.

    Args:
        params: BG/NBD parameters; `alpha` in days.
        frequency: (n,) repeat purchase days x, >= 0.
        recency: (n,) days from first to last purchase, t_x.
        threshold: probability strictly between 0 and 1.

    Returns:
        (n,) days from first purchase; t_x where it is below the threshold from the start;
        infinite where x is 0.

    Source: p_alive solved for T: (alpha + t_x)·[g(1 - theta)/theta]^(1/(r + x)) - alpha with
    g = (b + x - 1)/a.
    """
    x, t_x, _ = checked(frequency, recency, recency)
    log_odds = _log_odds_at_once(params, x) + np.log1p(-threshold) - np.log(threshold)
    age = (params.alpha + t_x) * np.exp(log_odds / (params.r + x)) - params.alpha
    reached: Floats = np.maximum(age, t_x)
    return reached


def forecast(
    params: ModelParams,
    frequency: Floats,
    recency: Floats,
    age: Floats,
    horizon_days: float,
    discount_rate: float = 0.0,
) -> Forecast:
    """All three figures at once, for the hot path: nothing is checked.

    Args:
        params: BG/NBD parameters; `alpha` in days.
        frequency: (n,) float64 repeat purchase days x, >= 0.
        recency: (n,) float64 days from first to last purchase, t_x.
        age: (n,) float64 days from first purchase to as_of, T >= t_x.
        horizon_days: days after as_of.
        discount_rate: annual effective.

    Returns:
        (n,) arrays; what `p_alive`, `p_active` and `expected_purchases` say.
    """
    alive = _p_alive(params, frequency, recency, age)
    shape = params.r + frequency
    since = params.alpha + age
    log_growth = np.log1p(horizon_days / since)
    while_there = purchases_while_there(
        a=params.a,
        k=params.a + params.b - 1.0 - params.r,
        c=params.a + params.b - 1.0 + frequency,
        shape=shape,
        since=since,
        log_growth=log_growth,
        widest=float(np.log1p(horizon_days / params.alpha)),
        daily_discount=daily_discount(discount_rate),
    )
    return Forecast(alive, alive * -np.expm1(-shape * log_growth), alive * while_there)


def log_likelihood(params: ModelParams, frequency: Floats, recency: Floats, age: Floats) -> Floats:
    """Log likelihood of each customer's history.

    Args:
        params: BG/NBD parameters; `alpha` in days.
        frequency: (n,) repeat purchase days x.
        recency: (n,) days from first to last purchase, t_x.
        age: (n,) days from first purchase to the end of the calibration, T.

    Returns:
        (n,) log densities, per day to the power x.

    Source: Fader, Hardie & Lee (2005), eq. 6: the customer who is there at T has B(a, b + x) and
    survives T; the one who left after the last purchase, a repeat one, B(a + 1, b + x - 1).
    """
    r, alpha, a, b = params.r, params.alpha, params.a, params.b
    x, which = by_frequency(frequency)
    common = gammaln(r + x) - gammaln(r) + r * np.log(alpha) - betaln(a, b)
    # Nobody left after the first purchase: of probability 0, whose logarithm is -inf.
    last = np.where(x > 0, betaln(a + 1, b + np.maximum(x, 1.0) - 1), -np.inf)
    there = (common + betaln(a, b + x))[which] - (r + frequency) * np.log(alpha + age)
    left = (common + last)[which] - (r + frequency) * np.log(alpha + recency)
    density: Floats = np.logaddexp(there, left)
    return density


def _p_alive(params: ModelParams, x: Floats, t_x: Floats, age: Floats) -> Floats:
    silence = np.log1p((age - t_x) / (params.alpha + t_x))
    alive: Floats = expit(_log_odds_at_once(params, x) - (params.r + x) * silence)
    return alive


def _log_odds_at_once(params: ModelParams, x: Floats) -> Floats:
    # Of being there right after the last purchase: (b + x - 1)/a, certain after the first.
    later = (params.b + np.maximum(x, 1.0) - 1.0) / params.a
    odds: Floats = np.where(x > 0, np.log(later), np.inf)
    return odds
