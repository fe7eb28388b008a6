"""Whether engagement foretells better than purchases alone, in days that neither has seen."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from models.accuracy import Scored, accuracy_of, coverage_of
from models.arrays import Floats
from models.engagement import EngagementOffset
from models.evaluation import Evaluation, predict
from models.fitting import TooThin
from models.parameters import OFFSET_MODELS

PURCHASES = "purchases alone"
ENGAGED = "with engagements"


@dataclass(frozen=True)
class EngagedAccuracy:
    """One model with an offset of engagement, and how it did."""

    model: str
    purchases: Scored
    engaged: Scored
    """Its `against_chosen` is the difference to purchases alone."""
    value_coverage: tuple[float, float]
    """Share of the holdout's values within the 80 % intervals, without and with it."""


def offset_model(result: Evaluation) -> str:
    """The likeliest model of those that take an offset.

    Raises:
        TooThin: none of them could be fitted.
    """
    fits = {name: fit for name, fit in result.purchase_fits.items() if name in OFFSET_MODELS}
    if not fits:
        raise TooThin(f"engagement needs one of {', '.join(OFFSET_MODELS)}, and none was fitted")
    return max(fits, key=lambda name: fits[name].log_likelihood)


def engaged_accuracy(
    result: Evaluation,
    model: str,
    offset: EngagementOffset | None,
    engaged: Floats,
    *,
    resamples: int = 200,
    begun: Callable[[str], None] = lambda _: None,
) -> EngagedAccuracy:
    """Judge a model with an offset by the days that its evaluation held out.

    Args:
        result: of purchases alone.
        model: that the offset was fitted beside, to the calibration.
        offset: what was found; None where it was left out, and nothing differs.
        engaged: (n,) decayed numbers of engagements of its customers where the calibration ends.
        resamples: bootstrap resamples; 0 for no intervals.
        begun: told "bootstrap" after each resample.
    """
    params = replace(result.params[model], engagement=offset)
    said = predict(params, result.customers, result.holdout_days, engaged)
    both = {PURCHASES: result.models[model].prediction, ENGAGED: said}
    scored = accuracy_of(both, result.outcome, PURCHASES, resamples, begun)
    covered = coverage_of(params, result.customers, said, result.outcome, result.holdout_days)
    return EngagedAccuracy(
        model=model,
        purchases=scored[PURCHASES],
        engaged=scored[ENGAGED],
        value_coverage=(result.value_coverage[model], covered),
    )
