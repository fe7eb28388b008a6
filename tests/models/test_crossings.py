"""Instants of silent crossings: the first milliseconds of the new side, wherever a search ended."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.arrays import Floats
from models.batch import Batch, Part
from models.chain import Looks, follow
from models.crossings import Crossings, first_ms
from models.events import Event
from models.moves import crossings_of
from models.next_moves import next_moves
from models.policy import Policy
from models.rules import rules_of
from models.valuation import Valuation
from tests.models.shop import DAY_MS, Partition, policies, purchase_histories

proof = settings(max_examples=40, derandomize=True, deadline=None, database=None)
histories = purchase_histories(max_size=12, gap_days=90.0, customers=6)


def after_a_silence(policy: Policy, events: list[Event], days: int) -> tuple[Valuation, Crossings]:
    """What so many days without events have crossed, of all customers."""
    partition = Partition(policy)
    for event in events:
        partition.one(event)
    batch = Batch(rules_of(policy))
    part = Part(batch, partition.table.get, partition.now_ms + days * DAY_MS)
    for customer in partition.table:
        part.look(part.customer(customer))
    valuation = Valuation(batch.rules, batch.facts.columns(policy.params))
    return valuation, crossings_of(follow(batch, valuation, Looks(batch, valuation)))


def searched(valuation: Valuation, crossings: Crossings) -> Floats:
    return next_moves(valuation, crossings.silences(valuation))[0]


@proof
@given(policies(), histories, st.integers(1, 500))
def test_the_new_side_holds_from_that_millisecond_on(
    policy: Policy, events: list[Event], days: int
) -> None:
    valuation, crossings = after_a_silence(policy, events, days)
    found = first_ms(valuation, crossings, searched(valuation, crossings))
    assert np.all(found > crossings.start_ms)
    assert np.all(found <= crossings.end_ms)
    # A tier may have a number that no level has.
    floor = valuation.rules.tiers.falls.take(crossings.steps, mode="clip")
    threshold = valuation.rules.levels.rises.take(crossings.steps, mode="clip")
    for at_ms, crossed in ((found, True), (found - 1, False)):
        figures = valuation.figures(crossings.rows, at_ms)
        fallen, risen = figures.tier_value < floor, figures.decline >= threshold
        assert np.all(np.where(crossings.of_tier, fallen, risen) == crossed)


@proof
@given(policies(), histories, st.integers(1, 500), st.data())
def test_a_search_that_ended_elsewhere_costs_time_alone(
    policy: Policy, events: list[Event], days: int, data: st.DataObject
) -> None:
    valuation, crossings = after_a_silence(policy, events, days)
    about_ms = searched(valuation, crossings)
    found = first_ms(valuation, crossings, about_ms)
    late_ms = data.draw(st.sampled_from([-DAY_MS, -1_000.0, -3.0, 1.0, 3.0, 1_000.0, np.inf]))
    astray = np.where(np.arange(found.size) % 2 == 0, about_ms + late_ms, about_ms)
    assert np.array_equal(first_ms(valuation, crossings, astray), found)


@proof
@given(policies(), histories, st.integers(1, 500))
def test_searches_end_near_enough(policy: Policy, events: list[Event], days: int) -> None:
    """Those that do not are bisected from end to end: right, and slow."""
    valuation, crossings = after_a_silence(policy, events, days)
    about_ms = searched(valuation, crossings)
    early_ms = first_ms(valuation, crossings, about_ms) - np.minimum(about_ms, crossings.end_ms)
    assert np.all((early_ms >= 0.0) & (early_ms <= 2.0))
