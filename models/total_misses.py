"""By how much a model missed the totals of a holdout, and how much of that is chance."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from models.arrays import Floats
from models.evaluation import Evaluation, predict
from models.fitting import Fit
from models.metrics import Prediction
from models.parameters import ModelParams

_TWO_SIDED_95: Final = 1.96
_STEP: Final = 1e-3  # of a parameter's logarithm


class Miss(NamedTuple):
    """How wrong a total was.

    Attributes:
        too_much: what was predicted above what came; below 0 if too little.
        chance: half the width of the 95 % interval that it has if the model is right.
    """

    too_much: float
    chance: float


def total_misses(result: Evaluation) -> tuple[Miss, Miss]:
    """How wrong the chosen model was in purchases, and in revenue (minor units).

    If it is right, what each customer does differs from the expectation by chance, and so do the
    parameters from what they would be of endless customers. The two are uncorrelated: what is
    expected of a customer is so given all that the parameters were fitted to.

    Args:
        result: of an evaluation.

    Source: the law of total variance; the parameters' part by the delta method, Efron &
    Tibshirani (1993), "An Introduction to the Bootstrap", section 21.
    """
    params, came = result.params[result.chosen], result.outcome
    said = result.models[result.chosen].prediction
    purchases_fit, spend_fit = result.purchase_fits[result.chosen], result.spend_fit

    def again(other: ModelParams) -> Prediction:
        return predict(other, result.customers, result.holdout_days)

    def purchases(other: ModelParams) -> float:
        return float(again(other).purchases.sum())

    def value(other: ModelParams) -> float:
        return float(again(other).value_minor.sum())

    return (
        _miss(said.purchases - came.purchases, _unsure(purchases, params, purchases_fit)),
        _miss(
            said.value_minor - came.value_minor,
            _unsure(value, params, purchases_fit) + _unsure(value, params, spend_fit),
        ),
    )


def _miss(misses: Floats, unsure: float) -> Miss:
    variance = misses.size * float(misses.var()) + unsure
    return Miss(float(misses.sum()), _TWO_SIDED_95 * float(np.sqrt(variance)))


def _unsure(total: Callable[[ModelParams], float], params: ModelParams, fit: Fit) -> float:
    """Variance of a total, as far as it comes from the parameters of one fit."""
    slopes = []
    for name, value in fit.values.items():
        up, down = (total(replace(params, **{name: value * np.exp(s)})) for s in (_STEP, -_STEP))
        slopes.append((up - down) / (2 * _STEP))
    slope = np.array(slopes)
    return float(slope @ np.array(fit.log_covariance) @ slope)
