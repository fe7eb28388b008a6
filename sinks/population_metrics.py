"""How many customers the owned partitions have and what they are worth, as gauges."""

from collections.abc import Sequence
from itertools import product

from models.population import Population
from sinks import metric_definitions as define
from sinks.series import PartitionGauge, Series


class PopulationMetrics:
    """The series of the population (`models.population`), by tier and churn level.

    Attributes:
        series: all series.
    """

    def __init__(self, tiers: Sequence[str], levels: Sequence[str]) -> None:
        """Show every tier and level at 0 from the start."""
        self._customers = PartitionGauge(define.CUSTOMERS, product(tiers))
        self._at_risk = PartitionGauge(define.CUSTOMERS_AT_RISK, product(levels))
        self._value = PartitionGauge(define.VALUE, product(tiers, ("historic", "predicted")))
        self._value_at_risk = PartitionGauge(define.VALUE_AT_RISK, [()])
        self.series: tuple[Series, ...] = (
            *(self._customers, self._at_risk, self._value, self._value_at_risk),
        )

    def add(self, partition: int, change: Population) -> None:
        """Add differences to a partition's contribution."""
        for tier, delta in change.customers.items():
            self._customers.add(partition, (tier,), delta)
        for tier, delta in change.historic_minor.items():
            self._value.add(partition, (tier, "historic"), delta)
        for tier, delta in change.predicted_minor.items():
            self._value.add(partition, (tier, "predicted"), delta)
        for level, delta in change.levels.items():
            self._at_risk.add(partition, (level,), delta)
        self._value_at_risk.add(partition, (), change.at_risk_minor)
