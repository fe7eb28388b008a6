"""Gamma-Gamma: what a customer's orders are worth, from the few that are known.

Order values are Gamma(p, nu) with a customer's own nu, and nu is Gamma(q, v) over the
customers; independent of how often they buy. Same-day orders are one transaction.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from models._arrivals import log_rising
from models.arrays import Floats
from models.parameters import ModelParams
from models.summaries import by_frequency


def expected_order_value(
    params: ModelParams, frequency: ArrayLike, monetary_value: ArrayLike
) -> Floats:
    """Expected value of a customer's next order, drawn towards the population's mean.

    Args:
        params: Gamma-Gamma parameters; `v` in minor units.
        frequency: (n,) orders that the mean is of, x >= 0.
        monetary_value: (n,) their mean value m, in minor units; anything where x is 0.

    Returns:
        (n,) minor units, > 0; the population's mean p·v/(q - 1) where x is 0.

    Source: Fader & Hardie (2013), "The Gamma-Gamma Model of Monetary Value", eq. 5:
    p(v + x·m) / (p·x + q - 1).
    """
    x = np.asarray(frequency, dtype=np.float64)
    spent = np.where(x > 0, x * np.asarray(monetary_value, dtype=np.float64), 0.0)
    value: Floats = (params.v + spent) * params.p / (params.p * x + (params.q - 1))
    return value


def log_likelihood(
    p: float, q: float, v: float, frequency: Floats, monetary_value: Floats
) -> Floats:
    """Log density of each customer's mean order value.

    Args:
        p: shape of a customer's orders.
        q: shape of the customers' rates.
        v: scale, in the unit of `monetary_value`.
        frequency: (n,) orders, > 0.
        monetary_value: (n,) mean value, > 0.

    Returns:
        (n,) log densities.

    Source: Fader & Hardie (2013), eq. 1a.
    """
    m = monetary_value
    distinct, which = by_frequency(frequency)
    # One repeat order at least: at 0 the gamma function has its pole.
    shapes = p * np.maximum(distinct, 1.0)
    x, shape, less = frequency, p * frequency, np.minimum(shapes, q)
    density: Floats = (
        # Of the two gamma functions the smaller is taken as it is: see `_arrivals`.
        (log_rising(np.maximum(shapes, q), less) - gammaln(less))[which]
        # (v / (v + xm))^q · (xm / (v + xm))^(px) / m: no power of a large number.
        - q * np.log1p(x * m / v)
        - shape * np.log1p(v / (x * m))
        - np.log(m)
    )
    return density
