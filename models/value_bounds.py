"""The interval of a predicted value for the hot path, from a table that is made once.

Given that a customer buys at all within the horizon, the value divided by its own mean has a
distribution that depends on frequency and age alone: the mean order value only scales it, and
whether the customer is still there only decides if there is a purchase. So the quantiles of that
ratio, over three axes, serve all customers; the chance of a purchase and the mean come from the
score itself. `models.value_distribution` is the exact form that the table is made of.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from models.parameters import ModelParams
from models.purchases import forecast_for
from models.summaries import Floats
from models.value_distribution import Interval, purchase_chances

_FREQUENCIES = np.array([0, 1, 2, 3, 4, 6, 8, 11, 15, 21, 30, 45, 70, 120.0])
"""Beyond the last the ratio hardly changes any more, and the last one holds."""
_AGES = 14
_AGE_DAYS_MAX = 7305.0
_LEVELS = 41
_LOGIT_MAX = 8.0
_VALUES = 96
_COUNT_MAX = 400


class ValueBounds:
    """Central intervals of predicted values, for one model and horizon.

    Making one takes about a second; each customer then costs some look-ups.

    Args:
        params: MBG/NBD or BG/NBD with Gamma-Gamma.
        horizon_days: days that the value is predicted for, > 0.

    Raises:
        InvalidParameters: a model whose number of purchases has no closed form.
    """

    def __init__(self, params: ModelParams, horizon_days: float) -> None:
        self._alpha = params.alpha
        self._log_since = np.linspace(
            np.log(params.alpha), np.log(params.alpha + _AGE_DAYS_MAX), _AGES
        )
        ages = np.maximum(np.exp(self._log_since) - params.alpha, 0.0)
        self._table = np.stack([_ratios(params, x, ages, horizon_days) for x in _FREQUENCIES])

    def interval(
        self,
        frequency: Floats,
        age: Floats,
        p_active: Floats,
        predicted_minor: Floats,
        coverage: float = 0.8,
    ) -> Interval:
        """Bounds of each customer's value within the horizon.

        Args:
            frequency: (n,) repeat purchase days, x.
            age: (n,) days from first purchase to as_of, T.
            p_active: (n,) probability of a purchase within the horizon.
            predicted_minor: (n,) expected value within the horizon, minor units; discounted
                where the bounds shall be.
            coverage: share of the probability within.

        Returns:
            (n,) minor units each: as likely to be below as above; 0 where buying nothing is that
            likely.
        """
        x_at, x_part = _between(_FREQUENCIES, frequency)
        y_at, y_part = _between(self._log_since, np.log(self._alpha + age))
        # Both quantiles are read from the customer's own curve between the four around it.
        corners = [
            (
                (x_at + dx, y_at + dy),
                (x_part if dx else 1 - x_part) * (y_part if dy else 1 - y_part),
            )
            for dx in (0, 1)
            for dy in (0, 1)
        ]
        active = np.maximum(p_active, 1e-300)
        mean = predicted_minor / active
        bounds = []
        for level in ((1 - coverage) / 2, (1 + coverage) / 2):
            within = (level - (1 - p_active)) / active
            u_at, u_part = _place(within)
            log_ratio = np.zeros_like(age)
            for (i, j), part in corners:
                low, high = self._table[i, j, u_at], self._table[i, j, u_at + 1]
                log_ratio += part * (low + u_part * (high - low))
            bounds.append(np.where(within > 0, mean * np.exp(log_ratio), 0.0))
        return Interval(*bounds)


def _place(level: Floats) -> tuple[NDArray[np.intp], Floats]:
    inside = np.clip(level, 1e-4, 1 - 1e-4)
    at = (np.log(inside / (1 - inside)) + _LOGIT_MAX) * ((_LEVELS - 1) / (2 * _LOGIT_MAX))
    cell = np.minimum(at.astype(np.intp), _LEVELS - 2)
    return cell, at - cell


def _between(nodes: Floats, at: Floats) -> tuple[NDArray[np.intp], Floats]:
    cell = np.clip(np.searchsorted(nodes, at, side="right") - 1, 0, nodes.size - 2)
    part = np.clip((at - nodes[cell]) / (nodes[cell + 1] - nodes[cell]), 0.0, 1.0)
    return cell, part


def _ratios(params: ModelParams, x: float, ages: Floats, horizon_days: float) -> Floats:
    """(ages, levels) logs of quantiles of value over mean, of customers who buy."""
    frequency = np.full_like(ages, x)
    # Just seen: whether the customer is there is no question, and drops out below anyway.
    chances = purchase_chances(params, frequency, ages, ages, horizon_days, _COUNT_MAX)[:, 1:]
    _, active, expected = forecast_for(params)(params, frequency, ages, ages, horizon_days)
    chances /= active[:, None]
    shape = params.q + params.p * x
    mean = expected / active * params.p / (shape - 1)
    # The curve in V/(V + scale), dense where the mean and the quantiles are.
    logit = np.linspace(-12.0, 12.0, _VALUES)
    levels = np.linspace(-_LOGIT_MAX, _LOGIT_MAX, _LEVELS)
    n = np.arange(1.0, _COUNT_MAX + 1)
    within = betainc(params.p * n, shape, 1 / (1 + np.exp(-logit))[:, None])
    curves = np.clip(chances @ within.T, 1e-15, 1 - 1e-15)
    rows = []
    for curve, centre in zip(curves, mean, strict=True):
        rising = np.maximum.accumulate(np.log(curve) - np.log1p(-curve))
        rows.append(np.interp(levels, rising, logit) - np.log(centre))
    return np.array(rows)
