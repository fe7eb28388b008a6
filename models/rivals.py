"""Rules of thumb that a model has to beat to be worth its parameters."""

import numpy as np

from models.arrays import Floats
from models.histories import Histories, PurchaseDays, histories, per_customer
from models.metrics import Prediction

_GROUPS = 10


def past_rate(customers: Histories, spent_minor: Floats, holdout_days: float) -> Prediction:
    """Everyone goes on as before: repeat purchases a day, times the days, at the mean value.

    The chance of being active is that of a Poisson process at this rate, held away from 0 and 1
    by the number of customers: the rule does not really mean that one-time buyers never return.

    Args:
        customers: at the end of the calibration.
        spent_minor: (n,) their revenue so far, first purchase included, in minor units.
        holdout_days: length of the holdout.
    """
    days = np.maximum(customers.age, 1.0)
    purchases = customers.frequency / days * holdout_days
    edge = 1.0 / (customers.frequency.size + 1.0)
    return Prediction(
        purchases=purchases,
        active=np.clip(-np.expm1(-purchases), edge, 1.0 - edge),
        value_minor=purchases * spent_minor / (customers.frequency + 1.0),
    )


def recency(
    purchases: PurchaseDays, customers: Histories, end_day: int, holdout_days: float
) -> Prediction:
    """Who bought lately will buy again: one curve over the days since the last purchase.

    The curve is learned within the calibration, cut where as much of it remains as the holdout
    is long, or in its middle: for tenths of the customers by silence, the share who were active
    afterwards, and the mean of their purchases and revenue; made to fall, and stretched to the
    length of the holdout as if purchases came at a constant rate.

    Args:
        purchases: of all customers; later ones than `end_day` are left out.
        customers: at the end of the calibration.
        end_day: day number at which the calibration ends.
        holdout_days: length of the holdout.
    """
    known = purchases.between(np.iinfo(np.int64).min, end_day)
    span = end_day - int(known.day.min())
    ahead = max(int(min(holdout_days, span // 2)), 1)
    before = histories(known, end_day - ahead)
    silence = customers.age - customers.recency
    if before.customer.size < _GROUPS:
        nothing = np.zeros(customers.customer.size)
        return Prediction(nothing, nothing + 0.5, nothing)
    count, value = per_customer(known.between(end_day - ahead, end_day), before.customer)
    learned = before.age - before.recency
    order = np.argsort(learned, kind="stable")
    groups = np.array_split(order, _GROUPS)
    middle = np.array([learned[group].mean() for group in groups])
    edge = 1.0 / (before.customer.size + 1.0)
    share = np.array([np.mean(count[group] > 0) for group in groups])
    stretch = holdout_days / ahead
    active = -np.expm1(stretch * np.log1p(-np.clip(share, edge, 1.0 - edge)))

    def over(levels: Floats) -> Floats:
        curve = np.interp(silence, middle, np.minimum.accumulate(levels))
        # Beyond the last tenth, and where it had to be made to fall, the later still ranks first.
        falling: Floats = curve * (1.0 - 1e-9 * silence / (silence.max() + 1.0))
        return falling

    return Prediction(
        purchases=over(stretch * np.array([count[group].mean() for group in groups])),
        active=over(active),
        value_minor=over(stretch * np.array([value[group].mean() for group in groups])),
    )
