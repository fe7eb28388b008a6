"""Customers drawn from a model, with the truth about each: to test against what is known.

Times are days from the beginning of the observation. Nothing is rounded: two purchases on one
day stay two.
"""

from dataclasses import dataclass

import numpy as np

from models.arrays import Floats, Ints
from models.parameters import ModelParams

# A rate or a chance that underflows to 0 would never end; nobody lives to see the difference.
_CHANCE_MIN = 1e-12


@dataclass(frozen=True)
class Simulated:
    """Customers (n,) and their purchases (m,), ordered by customer, then time."""

    rate_per_day: Floats
    """(n,) lambda: purchases a day while the customer is there."""
    started_days: Floats
    """(n,) time of the first purchase."""
    lost_days: Floats
    """(n,) time at which the customer was lost; infinite where not within the observation."""
    order_value_minor: Floats
    """(n,) the customer's own mean order value, in minor units."""
    customer: Ints
    """(m,) index of the customer who bought."""
    at_days: Floats
    """(m,) when, first purchases included."""
    amount_minor: Ints
    """(m,) for how much, at least 1."""


def simulate_customers(
    params: ModelParams,
    customers: int,
    days: float,
    rng: np.random.Generator,
    joining_days: float = 0.0,
) -> Simulated:
    """Draw customers and all they buy until the end of the observation.

    Args:
        params: the model, MBG/NBD, BG/NBD or Pareto/NBD, with Gamma-Gamma order values.
        customers: how many, n.
        days: length of the observation.
        rng: where chance comes from.
        joining_days: first purchases are uniform over this many days, <= `days`; 0: all at 0.

    Returns:
        The customers with their truth, and their purchases.

    Source: the models' own definitions; see their modules.
    """
    rate = np.maximum(rng.gamma(params.r, 1.0 / params.alpha, customers), _CHANCE_MIN)
    started = rng.uniform(0.0, joining_days, customers) if joining_days else np.zeros(customers)
    left = days - started
    arrivals = rng.poisson(rate * left)
    if params.model == "pareto-nbd":
        lasting = rng.exponential(size=customers) / np.maximum(
            rng.gamma(params.s, 1.0 / params.beta, customers), _CHANCE_MIN
        )
        repeats_until_lost = np.full(customers, np.iinfo(np.int64).max)
    else:
        lasting = np.full(customers, np.inf)
        repeats_until_lost = _repeats_until_lost(params, customers, rng)

    who = np.repeat(np.arange(customers), arrivals)
    after = rng.uniform(size=who.size) * left[who]
    order = np.lexsort((after, who))
    after = after[order]  # `who` is in order already
    rank = np.arange(who.size) - np.repeat(np.cumsum(arrivals) - arrivals, arrivals)
    kept = (rank < repeats_until_lost[who]) & (after < lasting[who])
    lost = started + np.where(lasting < left, lasting, np.inf)
    lost[repeats_until_lost == 0] = started[repeats_until_lost == 0]
    last = rank + 1 == repeats_until_lost[who]
    lost[who[last]] = started[who[last]] + after[last]

    customer = np.concatenate([np.arange(customers), who[kept]])
    at = np.concatenate([started, started[who[kept]] + after[kept]])
    order = np.lexsort((at, customer))
    customer, at = customer[order], at[order]
    scale = 1.0 / np.maximum(rng.gamma(params.q, 1.0 / params.v, customers), _CHANCE_MIN)
    amount = rng.gamma(params.p, scale[customer])
    return Simulated(
        rate_per_day=rate,
        started_days=started,
        lost_days=lost,
        order_value_minor=params.p * scale,
        customer=customer,
        at_days=at,
        amount_minor=np.maximum(np.rint(amount), 1.0).astype(np.int64),
    )


def _repeats_until_lost(params: ModelParams, customers: int, rng: np.random.Generator) -> Ints:
    chance = np.maximum(rng.beta(params.a, params.b, customers), _CHANCE_MIN)
    tosses = rng.geometric(chance)
    # MBG/NBD tosses after the first purchase already, BG/NBD after the first repeat purchase.
    return tosses - 1 if params.model == "mbg-nbd" else tosses
