"""The interval of a predicted value for the hot path, from a table that is made once.

Given that a customer buys at all within the horizon, the value divided by its own mean has a
distribution that depends on frequency and age alone: the mean order value only scales it, and
whether the customer is still there only decides if there is a purchase. So the quantiles of that
ratio, over three axes, serve all customers; the chance of a purchase and the mean come from the
score itself. `models.purchase_counts` is what the table is made of.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import betainc

from models.arrays import Floats, Indices
from models.parameters import ModelParams
from models.purchase_counts import count_bound, purchase_chances
from models.purchases import forecast_for

_FREQUENCIES = np.array([0, 1, 2, 3, 4, 6, 8, 11, 15, 21, 30, 45, 70, 120, 210, 360, 600.0])
"""Beyond the last one its ratios hold: a little too wide."""
_AGES = 14
_AGE_DAYS_MAX = 7305.0
_LEVELS = 41
_LOGIT_MAX = 8.0
_VALUES = 160
# How far below the least and above the largest mean the curves are looked at, in logarithms.
_BELOW, _ABOVE = 9.0, 6.0
# Numbers of purchases that are rarer than that move no quantile.
_CHANCE_MIN = 1e-9
# Up to here each number of purchases stands for itself, and beyond for those within 0.4 % of it.
_APART = 256


class Interval(NamedTuple):
    """Bounds of the value within the horizon, (n,) minor units each."""

    low: Floats
    high: Floats


class ValueBounds:
    """Central intervals of predicted values, for one model and horizon.

    Making one takes half a second, and some seconds for years of daily buyers; each customer then
    costs some look-ups.

    Args:
        params: of purchases and of order value.
        horizon_days: days that the value is predicted for, > 0.
    """

    def __init__(self, params: ModelParams, horizon_days: float) -> None:
        self._alpha = params.alpha
        self._log_since = np.linspace(
            np.log(params.alpha), np.log(params.alpha + _AGE_DAYS_MAX), _AGES
        )
        ages = np.maximum(np.exp(self._log_since) - params.alpha, 0.0)
        self._table = np.stack(
            # Nobody has more purchase days than days.
            [_ratios(params, x, np.maximum(ages, x), horizon_days) for x in _FREQUENCIES.tolist()]
        )

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
        levels = np.array([[(1 - coverage) / 2], [(1 + coverage) / 2]])
        within = (levels - (1 - p_active)) / active
        u_at, u_part = _place(within)
        log_ratio = np.zeros_like(within)
        for (i, j), part in corners:
            low, high = self._table[i, j, u_at], self._table[i, j, u_at + 1]
            log_ratio += part * (low + u_part * (high - low))
        return Interval(*np.where(within > 0, mean * np.exp(log_ratio), 0.0))


@lru_cache(maxsize=8)
def value_bounds(params: ModelParams, horizon_days: float) -> ValueBounds:
    """The bounds of a model and horizon, made at the first call."""
    return ValueBounds(params, horizon_days)


def _place(level: Floats) -> tuple[Indices, Floats]:
    inside = np.clip(level, 1e-4, 1 - 1e-4)
    at = (np.log(inside / (1 - inside)) + _LOGIT_MAX) * ((_LEVELS - 1) / (2 * _LOGIT_MAX))
    cell = np.minimum(at.astype(np.intp), _LEVELS - 2)
    return cell, at - cell


def _between(nodes: Floats, at: Floats) -> tuple[Indices, Floats]:
    cell = np.clip(np.searchsorted(nodes, at, side="right") - 1, 0, nodes.size - 2)
    part = np.clip((at - nodes[cell]) / (nodes[cell + 1] - nodes[cell]), 0.0, 1.0)
    return cell, part


def _merged(chances: Floats, n: Floats) -> tuple[Floats, Floats]:
    """(ages, k) chances of numbers of purchases, where large ones that are nearly equal are one.

    A worker waits for its table at the first score: of ten years of daily buyers it has 17,000
    numbers, and no quantile can tell them all apart.

    Args:
        chances: (ages, m) of each number.
        n: (m,) the numbers, ascending.

    Returns:
        The chances, and the (k,) means of the numbers that they belong to.
    """
    group = np.floor(np.where(n < _APART, n, _APART * (1.0 + np.log(n / _APART))))
    begins = np.flatnonzero(np.diff(group, prepend=-1.0))
    size = np.diff(np.append(begins, n.size))
    means: Floats = np.add.reduceat(n, begins) / size
    return np.add.reduceat(chances, begins, axis=1), means


def _ratios(params: ModelParams, x: float, ages: Floats, horizon_days: float) -> Floats:
    """(ages, levels) logs of quantiles of value over mean, of customers who buy."""
    frequency = np.full_like(ages, x)
    # Just seen: whether the customer is there is no question, and drops out below anyway.
    most = int(count_bound(params, frequency, ages, horizon_days).max())
    chances = purchase_chances(params, frequency, ages, ages, horizon_days, most)[:, 1:]
    _, active, expected = forecast_for(params)(params, frequency, ages, ages, horizon_days)
    chances /= active[:, None]
    shape = params.q + params.p * x
    mean = expected / active * params.p / (shape - 1)
    centre = np.log(mean)
    # The curves in V/(V + scale), whose log odds are ln(V/scale).
    logit = np.linspace(centre.min() - _BELOW, centre.max() + _ABOVE, _VALUES)
    levels = np.linspace(-_LOGIT_MAX, _LOGIT_MAX, _LEVELS)
    kept = np.flatnonzero(chances.max(axis=0) > _CHANCE_MIN)
    chances, n = _merged(chances[:, kept], kept.astype(np.float64) + 1.0)
    within = betainc(params.p * n, shape, 1 / (1 + np.exp(-logit))[:, None])
    curves = np.clip(chances @ within.T, 1e-15, 1 - 1e-15)
    rows = []
    for curve, log_mean in zip(curves, centre, strict=True):
        rising = np.maximum.accumulate(np.log(curve) - np.log1p(-curve))
        rows.append(np.interp(levels, rising, logit) - log_mean)
    return np.array(rows)
