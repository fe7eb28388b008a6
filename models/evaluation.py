"""Calibration and holdout: fit to what came first, and compare with what came then."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.accuracy import Scored, accuracy_of, coverage_of
from models.arrays import Floats
from models.fitting import Fit, TooThin, combined, fit_purchases, fit_spend
from models.gamma_gamma import expected_order_value
from models.histories import Histories, PurchaseDays, histories, per_customer
from models.metrics import Outcome, Prediction
from models.parameters import ModelParams
from models.purchases import MODELS, forecast_for, model_for
from models.rivals import past_rate, recency

_DAYS_PER_WEEK = 7
_LONG_AGO = int(np.iinfo(np.int64).min)


@dataclass(frozen=True)
class Evaluation:
    """Models and rivals on one set of data, parted at a day."""

    chosen: str
    """The model of the highest likelihood in the calibration: the holdout has no say in it."""
    models: Mapping[str, Scored]
    rivals: Mapping[str, Scored]
    purchase_fits: Mapping[str, Fit]
    spend_fit: Fit
    params: Mapping[str, ModelParams]
    value_coverage: Mapping[str, float]
    """Share of the holdout's values within the 80 % intervals."""
    not_fitted: Mapping[str, str]
    """Models that the data are too thin for, with the sentence that says why."""
    customers: Histories
    outcome: Outcome
    newcomers: int
    """Customers whose first purchase is in the holdout: left out."""
    end_day: int
    holdout_days: int


def evaluate(
    purchases: PurchaseDays,
    end_day: int,
    holdout_days: int,
    currency: str,
    *,
    models: Sequence[str] = tuple(MODELS),
    resamples: int = 200,
    begun: Callable[[str], None] = lambda _: None,
) -> Evaluation:
    """Fit each model until a day and judge it by the days after.

    Args:
        purchases: of all customers.
        end_day: day number at which the calibration ends, that day included.
        holdout_days: days after it that are predicted.
        currency: of the amounts, ISO 4217.
        models: which to fit.
        resamples: bootstrap resamples; 0 for no intervals.
        begun: told the name of each model whose fit begins, and "bootstrap" after each resample.

    Raises:
        TooThin: no model can be fitted.
    """
    customers = histories(purchases, end_day)
    held_out = purchases.between(end_day, end_day + holdout_days)
    outcome = Outcome(*per_customer(held_out, customers.customer))
    newcomers = np.unique(held_out.customer).size - int(np.count_nonzero(outcome.purchases))
    spend = fit_spend(customers.frequency, customers.monetary_value)
    fits: dict[str, Fit] = {}
    not_fitted: dict[str, str] = {}
    for model in models:
        begun(model)
        try:
            fits[model] = fit_purchases(model, customers)
        except TooThin as error:
            not_fitted[model] = str(error)
    if not fits:
        raise TooThin(next(iter(not_fitted.values())))
    params = {model: combined(fit, spend, currency) for model, fit in fits.items()}
    chosen = max(fits, key=lambda model: fits[model].log_likelihood)
    known = purchases.between(_LONG_AGO, end_day)
    _, spent = per_customer(known, customers.customer)
    said = {model: predict(params[model], customers, holdout_days) for model in fits}
    rules = {
        "past_rate": past_rate(customers, spent, holdout_days),
        "recency": recency(known, customers, end_day, holdout_days),
    }
    scored = accuracy_of({**said, **rules}, outcome, chosen, resamples, begun)
    return Evaluation(
        chosen=chosen,
        models={name: scored[name] for name in said},
        rivals={name: scored[name] for name in rules},
        purchase_fits=fits,
        spend_fit=spend,
        params=params,
        value_coverage={
            model: coverage_of(params[model], customers, said[model], outcome, holdout_days)
            for model in fits
        },
        not_fitted=not_fitted,
        customers=customers,
        outcome=outcome,
        newcomers=newcomers,
        end_day=end_day,
        holdout_days=holdout_days,
    )


def predict(
    params: ModelParams,
    customers: Histories,
    horizon_days: float,
    engaged: Floats | None = None,
    discount_rate: float = 0.0,
) -> Prediction:
    """What a model says of each customer for the days to come.

    Args:
        params: the model.
        customers: (n,) histories.
        horizon_days: days to come.
        engaged: (n,) decayed numbers of engagements, for parameters with an offset; None where
            they are not known, and the purchases alone decide.
        discount_rate: annual effective, of what is expected; 0 where it is compared with what came.
    """
    forecast = forecast_for(params)(
        params,
        customers.frequency,
        customers.recency,
        customers.age,
        horizon_days,
        discount_rate,
    )
    if params.engagement is not None and engaged is not None:
        forecast = params.engagement.shifted(forecast, engaged)
    # Free orders count as they do in a worker (`models.fact_rows`), though no fit is told of a
    # customer who had nothing else: what is judged here must be what is served.
    order_value = expected_order_value(params, customers.frequency, customers.monetary_value)
    return Prediction(
        purchases=forecast.expected_purchases,
        active=forecast.p_active,
        value_minor=forecast.expected_purchases * order_value,
    )


def weekly_repeats(params: ModelParams, customers: Histories, weeks: int, start_day: int) -> Floats:
    """Expected repeat purchases of all customers in each week, from the first purchases on.

    Args:
        params: the model.
        customers: whose first days are known; nothing else of them is used.
        weeks: how many.
        start_day: day number at which the first week begins.

    Returns:
        (weeks,) repeat purchases.

    Source: the sum over the customers of E[X(t)] less E[X(t - 7)], t from their first purchase.
    """
    first_days, count = np.unique(customers.first_day, return_counts=True)
    edges = start_day + _DAYS_PER_WEEK * np.arange(weeks + 1)
    model = model_for(params)
    waits = np.maximum(edges[:, None] - first_days, 0)
    horizons, which = np.unique(waits, return_inverse=True)
    # E[Y(t)] of a customer of no age is E[X(t)]; each horizon has its own call.
    curve = np.array(
        [float(model.expected_purchases(params, 0, 0, 0, float(t))[0]) for t in horizons.tolist()]
    )
    return np.diff(curve[which].reshape(waits.shape) @ count)
