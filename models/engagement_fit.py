"""Fitting the offset of engagement: what it says of customers beyond their purchases.

The history is parted at a day. A purchase model fitted to what came before gives each customer a
chance of buying in the days after; whether they did buy then is a logistic regression on one
covariate, ln(1 + E), beside those known log odds. It is penalised as if both coefficients were
normal around 0, the slope is held at 0 or above, and where it does not pay it is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from scipy.special import expit, logit

from models.arrays import Floats, Ints
from models.engagement import EngagementOffset, decayed
from models.facts import BUCKET_DAYS
from models.fitting import Fit, TooThin, combined, fit_purchases
from models.histories import Histories, PurchaseDays, histories, per_customer
from models.metrics import auc
from models.purchases import model_for

HALF_LIVES_DAYS: Final = (3.0, 7.0, 14.0, 30.0, 60.0, 90.0)
"""Of these the likeliest is taken: they are a factor of two or so apart, as data can tell."""

# Standard deviations of the coefficients before the data are seen; of the covariate in units of
# its own spread. Ten times the odds are two of these away.
_PRIOR_SD: Final = 1.0
# Twice the gain in log likelihood is chi-squared by chance; with half-lives to choose from, this
# much comes by chance in one case of a hundred.
_GAIN_MIN: Final = 4.0
_GROUP_MIN: Final = 10
_HOLDOUT_DAYS_MIN: Final = 14
_NEWTON_STEPS: Final = 50
_STEP_MAX: Final = 2.0
_STEP_DONE: Final = 1e-10
_CHANCE_MIN: Final = 1e-9


class EngagementDays(NamedTuple):
    """Engagements, one by one; both (m,)."""

    customer: Ints
    """Index of the customer."""
    day: Ints
    """Day number."""


@dataclass(frozen=True, kw_only=True)
class EngagementFit:
    """What was found."""

    offset: EngagementOffset | None
    """To be used; None where it is left out."""
    half_life_days: float
    coefficients: Mapping[str, float]
    """`intercept` and `slope`, as fitted."""
    standard_errors: Mapping[str, float]
    """Of both, from the curvature of the penalised likelihood."""
    gain: float
    """Log likelihood above that of an intercept alone."""
    held: bool
    """Whether the slope would have been negative, and is held at 0."""
    customers: int
    engaged: int
    """How many of them had engagements before the parting day."""
    active: int
    """How many bought after it."""
    parting_day: int
    """The last day before it is known who buys."""
    holdout_days: int
    brier: tuple[float, float]
    """Without and with the offset, on the days that it was fitted to."""
    auc: tuple[float, float]


def fit_engagement(
    model: str,
    purchases: PurchaseDays,
    engagements: EngagementDays,
    end_day: int,
    holdout_days: int,
    spend: Fit,
) -> EngagementFit:
    """Fit the offset to whoever bought, or did not, in the last days of a history.

    Args:
        model: `mbg-nbd` or `bg-nbd`.
        purchases: of all customers.
        engagements: of any customers.
        end_day: last day number of the history.
        holdout_days: days up to then that are to be foretold.
        spend: order values, for the parameters; they do not matter here.

    Raises:
        TooThin: no way to tell, with the reason.
    """
    if holdout_days < _HOLDOUT_DAYS_MIN:
        raise TooThin(
            f"only {holdout_days} days are left to see who buys: engagement needs at least "
            f"{_HOLDOUT_DAYS_MIN}, and a few months to be of use"
        )
    parting_day = end_day - holdout_days
    customers = histories(purchases, parting_day)
    params = combined(fit_purchases(model, customers), spend, "XXX")
    chance = model_for(params).p_active(
        params, customers.frequency, customers.recency, customers.age, float(holdout_days)
    )
    held_out = purchases.between(parting_day, end_day)
    active = (per_customer(held_out, customers.customer)[0] > 0).astype(np.float64)
    covariates = {
        half_life: np.log1p(engaged(engagements, customers, parting_day, half_life))
        for half_life in HALF_LIVES_DAYS
    }
    some = covariates[HALF_LIVES_DAYS[-1]] > 0
    _refuse_thin(some, active)
    base = logit(np.clip(chance, _CHANCE_MIN, 1 - _CHANCE_MIN))
    found = {days: regression(base, of, active) for days, of in covariates.items()}
    half_life = max(found, key=lambda days: found[days].gain)
    best = found[half_life]
    intercept, slope = best.coefficients
    used = best.gain >= _GAIN_MIN and slope > 0
    offset = _offset(half_life, intercept, slope) if used else None
    after = expit(base + intercept + slope * covariates[half_life])
    everyone = np.ones(active.size)
    ranks = [auc(said, active)(everyone) for said in (chance, after)]
    return EngagementFit(
        offset=offset,
        half_life_days=half_life,
        coefficients={"intercept": intercept, "slope": slope},
        standard_errors=dict(zip(("intercept", "slope"), best.errors, strict=True)),
        gain=best.gain,
        held=best.held,
        customers=active.size,
        engaged=int(np.count_nonzero(some)),
        active=int(active.sum()),
        parting_day=parting_day,
        holdout_days=holdout_days,
        brier=(float(np.mean((chance - active) ** 2)), float(np.mean((after - active) ** 2))),
        auc=(ranks[0], ranks[1]),
    )


def engaged(
    engagements: EngagementDays, customers: Histories, end_day: int, half_life_days: float
) -> Floats:
    """(n,) decayed numbers of engagements at the end of a day, as a state would have them.

    Args:
        engagements: of any customers and days.
        customers: (n,) whose numbers these are; indices ascend.
        end_day: day number; later engagements are left out.
        half_life_days: of the decay.
    """
    count = customers.customer.size
    place = np.minimum(np.searchsorted(customers.customer, engagements.customer), count - 1)
    known = (customers.customer[place] == engagements.customer) & (engagements.day <= end_day)
    who, day = place[known], engagements.day[known]
    newest = customers.first_day + customers.recency.astype(np.int64)
    np.maximum.at(newest, who, day)
    kept = day > newest[who] - BUCKET_DAYS  # older days are no longer in the state
    ago = (end_day + 1 - day[kept]).astype(np.float64)
    return np.bincount(who[kept], decayed(ago, half_life_days), count).astype(np.float64)


def _offset(half_life_days: float, intercept: float, slope: float) -> EngagementOffset:
    try:
        return EngagementOffset(half_life_days=half_life_days, intercept=intercept, slope=slope)
    except ValueError as error:
        # Where all have about as many engagements a steep slope is drawn out to somebody with none.
        raise TooThin(
            "engaged customers hardly differ in their engagements, so that nothing is known of one "
            f"with none: the {error}, and is {intercept:.0f}"
        ) from error


def _refuse_thin(some: np.ndarray[tuple[int], np.dtype[np.bool_]], active: Floats) -> None:
    engaged_count = int(np.count_nonzero(some))
    if not engaged_count:
        raise TooThin(
            "no engagement came from a customer who had bought before, and before the days that "
            "are to be foretold: compare the customer ids and the dates of both files"
        )
    buyers = int(active[some].sum())
    if min(buyers, engaged_count - buyers) < _GROUP_MIN:
        raise TooThin(
            f"of {engaged_count} engaged customers {buyers} bought afterwards: at least "
            f"{_GROUP_MIN} who did and {_GROUP_MIN} who did not are needed, and a few hundred to "
            "be of use"
        )


class Regression(NamedTuple):
    """A logistic regression beside known log odds.

    Attributes:
        coefficients: intercept and slope.
        errors: their standard errors.
        gain: log likelihood above that of an intercept alone.
        held: whether the slope would be negative, and is held at 0.
    """

    coefficients: tuple[float, float]
    errors: tuple[float, float]
    gain: float
    held: bool


def regression(base: Floats, covariate: Floats, active: Floats) -> Regression:
    """Intercept and slope beside known log odds, and what the slope gains.

    Centred and scaled, so that the penalty means the same for every half-life.

    Args:
        base: (n,) known log odds.
        covariate: (n,) what the slope multiplies.
        active: (n,) 1 or 0.

    Source: Hosmer, Lemeshow & Sturdivant (2013), "Applied Logistic Regression", sections 1.2 and
    2.4; le Cessie & van Houwelingen (1992), Applied Statistics 41(1), for the penalty.
    """
    centre, scale = float(covariate.mean()), max(float(covariate.std()), 1e-12)
    design = np.column_stack([np.ones(base.size), (covariate - centre) / scale])
    alone = _maximum(base, design[:, :1], active)
    at = _maximum(base, design, active)
    held = bool(at[1] < 0)
    if held:
        at = np.array([alone[0], 0.0])
    gain = _log_likelihood(base + design @ at, active) - _log_likelihood(
        base + design[:, 0] * alone[0], active
    )
    covariance = np.linalg.inv(_information(base + design @ at, design))
    # Back to the covariate as it is.
    back = np.array([[1.0, -centre / scale], [0.0, 1.0 / scale]])
    intercept, slope = (back @ at).tolist()
    errors = np.sqrt(np.diag(back @ covariance @ back.T)).tolist()
    return Regression((intercept, slope), (errors[0], errors[1]), gain, held)


def _maximum(base: Floats, design: Floats, active: Floats) -> Floats:
    """Newton's way up the penalised likelihood, which has one top."""
    at = np.zeros(design.shape[1])
    for _ in range(_NEWTON_STEPS):
        odds = base + design @ at
        gradient = design.T @ (active - expit(odds)) - at / _PRIOR_SD**2
        step = np.linalg.solve(_information(odds, design), gradient)
        at = at + step * min(1.0, _STEP_MAX / max(float(np.abs(step).max()), 1e-300))
        if float(np.abs(step).max()) < _STEP_DONE:
            break
    return at


def _information(odds: Floats, design: Floats) -> Floats:
    chance = expit(odds)
    weight = chance * (1.0 - chance)
    information: Floats = (design.T * weight) @ design + np.eye(design.shape[1]) / _PRIOR_SD**2
    return information


def _log_likelihood(odds: Floats, active: Floats) -> float:
    return float(np.sum(active * odds - np.logaddexp(0.0, odds)))
