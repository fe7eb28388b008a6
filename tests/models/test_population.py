"""Sums over customers, in portions and as differences."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from models.population import Population, population_of
from models.state_head import Summary

MONEY = st.integers(0, 2**40)
STORED = st.builds(
    Summary,
    tier=st.sampled_from(["", "bronze", "gold"]),
    churn_level=st.sampled_from(["low", "high"]),
    spend_minor=MONEY,
    late_spend_minor=MONEY,
    refunded_minor=MONEY,
    predicted_minor=MONEY,
    at_risk_minor=MONEY,
)


@given(st.lists(STORED), st.integers(0, 10))
def test_portions_add_up_and_what_is_taken_out_is_gone(stored: list[Summary], cut: int) -> None:
    whole, first, second = map(population_of, (stored, stored[:cut], stored[cut:]))
    summed = Population()
    for portion in (first, second):
        summed.include(portion)
    assert summed == whole
    summed.subtract(second)
    assert _without_zeros(summed) == _without_zeros(first)


def _without_zeros(population: Population) -> Population:
    def kept(counts: Counter[str]) -> Counter[str]:
        return Counter({name: count for name, count in counts.items() if count})

    return Population(
        kept(population.customers),
        kept(population.historic_minor),
        kept(population.predicted_minor),
        kept(population.levels),
        population.at_risk_minor,
    )
