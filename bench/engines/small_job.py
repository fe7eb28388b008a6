# ruff: noqa: ANN001, ANN201  (peers' scripts stay as their documentation writes them)
"""The small job in plain Python, as the peers run it: five aggregates and one formula.

The same as in `bench/kafka-streams` and in `our_small_job.py`; no engine may do less.
"""

R, ALPHA_DAYS = 0.243, 4.414
MS_PER_DAY, HORIZON_DAYS = 86_400_000, 365.0

FAR_MS = 1 << 62
NOTHING = (0, FAR_MS, -FAR_MS, 0, 0)
"""Orders, first and last instant (epoch ms), spend and largest order (minor units)."""


def step(totals, purchase):
    """The aggregates with one more purchase."""
    orders, first_at, last_at, spend, largest = totals
    at, amount = purchase["occurred_at"], purchase["amount_minor"]
    return (
        orders + 1,
        min(first_at, at),
        max(last_at, at),
        spend + amount,
        max(largest, amount),
    )


def score(totals):
    """What is published of a customer."""
    orders, first_at, last_at, spend, largest = totals
    age_days = (last_at - first_at) / MS_PER_DAY + 1.0
    rate = (R + orders) / (ALPHA_DAYS + age_days)
    return {
        "orders": orders,
        "first_at": first_at,
        "last_at": last_at,
        "spend_minor": spend,
        "largest_minor": largest,
        "clv": rate * HORIZON_DAYS * spend / orders,
    }
