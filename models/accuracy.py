"""How predictions did: their figures, how sure these are, and how they differ from another's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from models.arrays import Floats
from models.histories import Histories
from models.metrics import Metric, Outcome, Prediction, bootstrap, metrics
from models.parameters import ModelParams
from models.value_bounds import value_bounds
from models.value_coverage import randomised_coverage

_INTERVAL = (0.025, 0.975)
_SEED = 1  # of the resamples


@dataclass(frozen=True)
class Scored:
    """One model or rival, and how it did."""

    prediction: Prediction
    figures: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    """95 % bootstrap interval of each figure; empty without resamples."""
    against_chosen: Mapping[str, tuple[float, float, float]]
    """This one's figure less the chosen model's, with the paired 95 % interval."""


def coverage_of(
    params: ModelParams,
    customers: Histories,
    said: Prediction,
    happened: Outcome,
    horizon_days: float,
) -> float:
    """Share of the values that came within the 80 % intervals; see `randomised_coverage`.

    Args:
        params: the model.
        customers: (n,) histories.
        said: what it predicted of them.
        happened: what they did.
        horizon_days: days that were predicted.
    """
    interval = value_bounds(params, horizon_days).interval(
        customers.frequency, customers.age, said.active, said.value_minor
    )
    return float(randomised_coverage(interval, said.active, happened.value_minor).mean())


def accuracy_of(
    said: Mapping[str, Prediction],
    happened: Outcome,
    chosen: str,
    resamples: int,
    begun: Callable[[str], None],
) -> dict[str, Scored]:
    """How each prediction did.

    Args:
        said: predictions of the same customers, by name.
        happened: what they did.
        chosen: the name of whom the others are compared with.
        resamples: bootstrap resamples, the same ones for all; 0 for no intervals.
        begun: told "bootstrap" after each resample.
    """
    customers = happened.purchases.size
    everyone = np.ones(customers)
    measures: dict[str, Mapping[str, Metric]] = {
        name: metrics(prediction, happened) for name, prediction in said.items()
    }
    figures = {
        name: {figure: of(everyone) for figure, of in those.items()}
        for name, those in measures.items()
    }
    drawn: dict[str, dict[str, Floats]] = {}
    if resamples:
        drawn = bootstrap(measures, customers, resamples, _SEED, lambda: begun("bootstrap"))
    scored = {}
    for name, prediction in said.items():
        intervals = {figure: _interval(values) for figure, values in drawn.get(name, {}).items()}
        against = {
            figure: (
                figures[name][figure] - figures[chosen][figure],
                *_interval(values - drawn[chosen][figure]),
            )
            for figure, values in drawn.get(name, {}).items()
            if name != chosen
        }
        scored[name] = Scored(prediction, figures[name], intervals, against)
    return scored


def _interval(values: Floats) -> tuple[float, float]:
    if np.isnan(values).all():
        return float("nan"), float("nan")
    low, high = np.nanquantile(values, _INTERVAL).tolist()
    return low, high
