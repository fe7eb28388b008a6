"""Simulated customers who browse a shop beside buying in it."""

from typing import NamedTuple

import numpy as np

from models.engagement_fit import EngagementDays
from models.histories import PurchaseDays
from models.parameters import ModelParams
from models.simulation import simulate_customers


class Browsing(NamedTuple):
    """What was bought and what was looked at."""

    purchases: PurchaseDays
    engagements: EngagementDays


def browsing(
    params: ModelParams, customers: int, days: int, seed: int, *, telling: bool
) -> Browsing:
    """Customers who browse about twice a month.

    Telling: only as long as they are customers, so that who browses is there. Not telling: all
    the time, whether they are or not.
    """
    rng = np.random.default_rng(seed)
    shop = simulate_customers(params, customers, float(days), rng, joining_days=days / 3)
    until = np.minimum(shop.lost_days, days) if telling else np.full(customers, float(days))
    there = until - shop.started_days
    rate = rng.gamma(2.0, 1 / 30.0, customers)
    number = rng.poisson(rate * there)
    who = np.repeat(np.arange(customers), number)
    at = shop.started_days[who] + rng.uniform(size=who.size) * there[who]
    return Browsing(
        PurchaseDays.of_orders(shop.customer, shop.at_days.astype(np.int64), shop.amount_minor),
        EngagementDays(who, at.astype(np.int64)),
    )
