"""A shop whose customers behave exactly as the model says: their purchases, in order of time."""

import numpy as np

from models.events import AMOUNT_MINOR_MAX
from models.parameters import ModelParams
from models.simulation import simulate_customers
from models.times import MS_PER_DAY
from streams.simulated_lines import Purchases


def draw_purchases(
    params: ModelParams,
    *,
    customers: int,
    days: int,
    start_ms: int,
    total: int | None,
    rng: np.random.Generator,
) -> Purchases:
    """Draw customers from the model, and what they buy.

    Customers join evenly over the whole time, so that every instant has new ones and lost ones.

    Args:
        params: the model.
        customers: how many there are.
        days: how long the shop is watched.
        start_ms: when that begins, epoch milliseconds.
        total: how many purchases there are in all, at least one a customer: everyone's rate is
            scaled by the same factor, and lifetimes stay. None: as many as the model gives.
        rng: where chance comes from.

    Returns:
        The purchases in order of time; customers are numbered from 1.
    """
    shop = simulate_customers(params, customers, days, rng, joining_days=days)
    customer, at_days, amount_minor = shop.customer, shop.at_days, shop.amount_minor
    if total is not None:
        until = np.minimum(shop.lost_days, days)
        if not np.any(until > shop.started_days):
            until = np.full(customers, float(days))  # few customers may all be lost at once
        watched = until - shop.started_days
        # Who makes each of them: given their number, Poisson is multinomial.
        expected = shop.rate_per_day * watched
        repeats = rng.multinomial(total - customers, expected / expected.sum())
        customer = np.repeat(np.arange(customers), 1 + repeats)
        at_days = shop.started_days[customer] + rng.random(total) * watched[customer]
        at_days[np.cumsum(1 + repeats) - 1 - repeats] = shop.started_days
        scale = shop.order_value_minor / params.p
        amount_minor = np.maximum(np.rint(rng.gamma(params.p, scale[customer])), 1).astype(np.int64)
    at_ms = start_ms + (at_days * MS_PER_DAY).astype(np.int64)
    order = np.argsort(at_ms, kind="stable")
    amounts = np.minimum(amount_minor, AMOUNT_MINOR_MAX)
    return Purchases(customer[order] + 1, at_ms[order], amounts[order])
