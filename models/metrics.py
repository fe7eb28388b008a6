"""How good predictions were, once it is known what happened; each with weights for resampling."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np

from models.arrays import Floats, Indices

BINS: Final = 10
# No event is refused a probability of its own: a certainty that fails would cost infinitely much.
_CHANCE_MIN: Final = 1e-12
_TOP: Final = 0.1

Metric = Callable[[Floats], float]


class Prediction(NamedTuple):
    """What was said of each customer for the holdout; arrays are (n,)."""

    purchases: Floats
    """Expected repeat purchase days."""
    active: Floats
    """Probability of at least one."""
    value_minor: Floats
    """Expected revenue, minor units."""


class Outcome(NamedTuple):
    """What each customer did in the holdout; arrays are (n,)."""

    purchases: Floats
    """Purchase days."""
    value_minor: Floats
    """Revenue, minor units."""


def metrics(said: Prediction, happened: Outcome) -> Mapping[str, Metric]:
    """Every figure as a function of the customers' weights; what can be sorted is sorted once.

    `total` and `actual_total` are sums of purchases, `revenue_minor` and `actual_revenue_minor`
    of their values; `mae` and `rmse` are per customer; `auc_purchases` and `auc_active` rank by
    the expected purchases and by the probability, against being active; `ece` is the expected
    calibration error of the probability over ten equal-width bins, `brier` its mean squared error,
    `log_score` its mean negative log likelihood (lower is better); `top_decile_capture` the share
    of the revenue held by the tenth of the customers of the highest expected value.
    """
    active = (happened.purchases > 0).astype(np.float64)
    miss = said.purchases - happened.purchases
    surprise = _surprise(said.active, active)
    return {
        "total": _weighted_sum(said.purchases),
        "actual_total": _weighted_sum(happened.purchases),
        "revenue_minor": _weighted_sum(said.value_minor),
        "actual_revenue_minor": _weighted_sum(happened.value_minor),
        "mae": _weighted_mean(np.abs(miss)),
        "rmse": _root(_weighted_mean(miss**2)),
        "auc_purchases": auc(said.purchases, active),
        "auc_active": auc(said.active, active),
        "ece": calibration_error(said.active, active),
        "brier": _weighted_mean((said.active - active) ** 2),
        "log_score": _weighted_mean(surprise),
        "top_decile_capture": capture(said.value_minor, happened.value_minor, _TOP),
    }


def auc(score: Floats, active: Floats) -> Metric:
    """Chance that an active customer ranks above one who is not, ties counting half.

    NaN where all customers are active, or none.

    Source: Hanley & McNeil (1982), Radiology 143(1): the Mann-Whitney statistic.
    """
    _, group = np.unique(score, return_inverse=True)

    def of(weights: Floats) -> float:
        those = np.bincount(group, weights * active)
        others = np.bincount(group, weights * (1.0 - active))
        pairs = those.sum() * others.sum()
        if pairs == 0:
            return float("nan")
        return float(those @ (np.cumsum(others) - 0.5 * others) / pairs)

    return of


def calibration_error(chance: Floats, active: Floats) -> Metric:
    """Mean distance of probability and frequency over ten equal-width bins, by their customers.

    Source: Naeini, Cooper & Hauskrecht (2015), AAAI, "expected calibration error".
    """
    bins = bin_of(chance)

    def of(weights: Floats) -> float:
        gap = np.bincount(bins, weights * (chance - active), BINS)
        return float(np.abs(gap).sum() / weights.sum())

    return of


def bin_of(chance: Floats) -> Indices:
    """Which of ten equal-width bins each probability is in; 1 is in the last."""
    return np.minimum((chance * BINS).astype(np.intp), BINS - 1)


def capture(value: Floats, revenue: Floats, share: float) -> Metric:
    """Share of the revenue held by the share of the customers with the highest value.

    Customers of equal value count by the part of them that still has room, so their order in
    the file says nothing. NaN where there is no revenue.
    """
    _, group = np.unique(-value, return_inverse=True)

    def of(weights: Floats) -> float:
        size = np.bincount(group, weights)
        held = np.bincount(group, weights * revenue)
        if held.sum() <= 0:
            return float("nan")
        room = share * weights.sum() - (np.cumsum(size) - size)
        taken = np.clip(room / np.maximum(size, 1e-300), 0.0, 1.0)
        return float(taken @ held / held.sum())

    return of


def bootstrap(
    measures: Mapping[str, Mapping[str, Metric]],
    customers: int,
    resamples: int,
    seed: int,
    after_each: Callable[[], None] = lambda: None,
) -> dict[str, dict[str, Floats]]:
    """Every figure over customers drawn with replacement: the same draws for every model.

    Args:
        measures: for each model, its figures.
        customers: how many there are.
        resamples: how often they are drawn.
        seed: of the draws.
        after_each: called after each draw, for a progress bar.

    Returns:
        For each model and figure, (resamples,) values.

    Source: Efron & Tibshirani (1993), "An Introduction to the Bootstrap", chapter 6.
    """
    rng = np.random.default_rng(seed)
    drawn: dict[str, dict[str, Floats]] = {
        model: {name: np.empty(resamples) for name in figures}
        for model, figures in measures.items()
    }
    for resample in range(resamples):
        chosen = rng.integers(0, customers, customers)
        weights = np.bincount(chosen, minlength=customers).astype(np.float64)
        for model, figures in measures.items():
            for name, figure in figures.items():
                drawn[model][name][resample] = figure(weights)
        after_each()
    return drawn


def _surprise(chance: Floats, active: Floats) -> Floats:
    kept = np.clip(chance, _CHANCE_MIN, 1.0 - _CHANCE_MIN)
    surprise: Floats = -np.where(active > 0, np.log(kept), np.log1p(-kept))
    return surprise


def _weighted_sum(values: Floats) -> Metric:
    return lambda weights: float(weights @ values)


def _weighted_mean(values: Floats) -> Metric:
    return lambda weights: float(weights @ values / weights.sum())


def _root(metric: Metric) -> Metric:
    return lambda weights: metric(weights) ** 0.5
