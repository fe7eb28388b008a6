"""How many customers there are, and what they are worth, by tier and churn level."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from models.state_head import Summary


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
        self,
        tiers: Sequence[str],
        levels: Sequence[str],
        historic_minor: Iterable[int],
        predicted_minor: Iterable[int],
        at_risk_minor: Iterable[int],
    ) -> None:
        """Adds customers; those with an empty name of a tier are none."""
        self.customers.update(tiers)
        self.levels.update(levels)
        historic = dict.fromkeys(self.customers, 0)
        predicted = historic.copy()
        for tier, was, will in zip(tiers, historic_minor, predicted_minor, strict=True):
            historic[tier] += was
            predicted[tier] += will
        self.historic_minor.update(historic)
        self.predicted_minor.update(predicted)
        self.at_risk_minor += sum(at_risk_minor)
        for counts in (self.customers, self.levels, self.historic_minor, self.predicted_minor):
            counts.pop("", None)

    def include(self, other: "Population") -> None:
        """Adds another population."""
        self.customers.update(other.customers)
        self.levels.update(other.levels)
        self.historic_minor.update(other.historic_minor)
        self.predicted_minor.update(other.predicted_minor)
        self.at_risk_minor += other.at_risk_minor

    def subtract(self, other: "Population") -> None:
        """Takes another population out."""
        self.customers.subtract(other.customers)
        self.levels.subtract(other.levels)
        self.historic_minor.subtract(other.historic_minor)
        self.predicted_minor.subtract(other.predicted_minor)
        self.at_risk_minor -= other.at_risk_minor


def population_of(summaries: Iterable[Summary]) -> Population:
    """The population of stored customers: what all the steps that led to them add up to."""
    all_of_them = list(summaries)
    total = Population()
    total.add(
        [summary.tier for summary in all_of_them],
        [summary.churn_level for summary in all_of_them],
        [summary.historic_minor for summary in all_of_them],
        [summary.predicted_minor for summary in all_of_them],
        [summary.at_risk_minor for summary in all_of_them],
    )
    return total
