"""How many customers there are, and what they are worth, by tier and churn level."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from models.summary import Summary


@dataclass
class Population:
    """Sums over customers, or differences of such sums; money in minor units.

    Attributes:
        customers: by tier.
        historic_minor: by tier, lifetime revenue net of refunds.
        predicted_minor: by tier, predicted value as published.
        levels: customers by churn level.
        at_risk_minor: value at risk as published.
    """

    customers: Counter[str] = field(default_factory=Counter)
    historic_minor: Counter[str] = field(default_factory=Counter)
    predicted_minor: Counter[str] = field(default_factory=Counter)
    levels: Counter[str] = field(default_factory=Counter)
    at_risk_minor: int = 0

    def add(
        self, sign: int, tier: str, level: str, historic_minor: int, predicted_minor: int
    ) -> None:
        """Adds one customer (sign 1), or takes one out (-1); value at risk apart."""
        self.customers[tier] += sign
        self.levels[level] += sign
        self.historic_minor[tier] += sign * historic_minor
        self.predicted_minor[tier] += sign * predicted_minor


def population_of(summaries: Iterable[Summary]) -> Population:
    """The population of stored customers: what all the steps that led to them add up to."""
    total = Population()
    for summary in summaries:
        if summary.tier:
            total.add(
                1,
                summary.tier,
                summary.churn_level,
                summary.historic_minor,
                summary.predicted_minor,
            )
            total.at_risk_minor += summary.at_risk_minor
    return total
