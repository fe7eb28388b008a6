"""From the last rows of customers to all that is stored and published of them."""

from collections.abc import Sequence
from itertools import chain
from typing import Final, NamedTuple

import numpy as np

from models.arrays import Floats, Indices
from models.batch import Customer
from models.deadlines import Due
from models.judged_windows import window_ends_ms
from models.population import Population
from models.publish import publication
from models.rules import Rules
from models.state import encode
from models.times import MS_PER_S
from models.valuation import Figures, Valuation

_SECOND_MAX: Final = 2**32 - 1  # what the state has room for: the year 2106
_DEADLINE_MS_MAX: Final = _SECOND_MAX * MS_PER_S


class Settlement(NamedTuple):
    """What follows for customers who got a new score; `models.step.Step` says what each is."""

    states: dict[bytes, bytes]
    scores: list[tuple[bytes, bytes]]
    ranks: list[tuple[bytes, int, int]]
    deadlines: list[tuple[bytes, int]]
    population: Population


def settle(
    valuation: Valuation, parts: Sequence[Sequence[Customer]], figures: Figures, when: Due
) -> list[Settlement]:
    """Publishes customers as they are.

    Args:
        valuation: of the rows' facts.
        parts: customers by partition, (n,) in all, with their states after the row that is
            published, and their steps.
        figures: (n,) of that row.
        when: (n,) silence makes them due.

    Returns:
        What follows for each partition.
    """
    customers = list(chain.from_iterable(parts))
    tiers, levels = _names(valuation.rules, customers)
    told = publication(valuation, customers, tiers, levels, figures, when)
    deadlines = deadlines_of(customers, figures, when)
    states = list(
        map(_stored, customers, tiers, levels, deadlines, told.predicted_minor, told.at_risk_minor)
    )
    settled, end = [], 0
    for part in parts:
        own = slice(end, end := end + len(part))
        keys = [customer.key for customer in part]
        predicted, at_risk = told.predicted_minor[own], told.at_risk_minor[own]
        population = Population()
        population.add(tiers[own], levels[own], told.historic_minor[own], predicted, at_risk)
        population.subtract(_before(part))
        settled.append(
            Settlement(
                dict(zip(keys, states[own], strict=True)),
                list(zip(keys, told.scores[own], strict=True)),
                list(zip(keys, told.total_minor[own], at_risk, strict=True)),
                list(zip(keys, deadlines[own], strict=True)),
                population,
            )
        )
    return settled


def deadlines_of(customers: Sequence[Customer], figures: Figures, when: Due) -> list[int]:
    """Epoch seconds at which customers are to be looked at: they are due, or to be judged."""
    ends_ms = window_ends_ms([customer.key for customer in customers], figures.at_ms)
    judged = figures.bought & (ends_ms <= _DEADLINE_MS_MAX)
    return _seconds(np.minimum(when.look_ms, np.where(judged, ends_ms, np.inf)))


def _seconds(look_ms: Floats) -> list[int]:
    """Instants in epoch ms, inf for never, as `State.deadline_s` has them: rounded down."""
    ahead = np.isfinite(look_ms)
    seconds = np.where(ahead, look_ms, 0.0) // MS_PER_S
    # A second that has passed already is none that can be "never".
    whole: list[int] = np.clip(seconds, ahead, _SECOND_MAX).astype(np.int64).tolist()
    return whole


def standing(customers: Sequence[Customer]) -> tuple[Indices, Indices]:
    """Tiers and levels of customers, all of whom have one."""
    return (
        np.array([customer.tier for customer in customers], dtype=np.intp),
        np.array([customer.level for customer in customers], dtype=np.intp),
    )


def _names(rules: Rules, customers: Sequence[Customer]) -> tuple[list[str], list[str]]:
    tiers, levels = rules.tiers.names, rules.levels.names
    return (
        [tiers[customer.tier] for customer in customers],  # type: ignore[index]
        [levels[customer.level] for customer in customers],  # type: ignore[index]
    )


def _before(customers: Sequence[Customer]) -> Population:
    population = Population()
    population.add(
        [customer.was_tier for customer in customers],
        [customer.was_level for customer in customers],
        [customer.was_historic_minor for customer in customers],
        [customer.was_predicted_minor for customer in customers],
        [customer.was_at_risk_minor for customer in customers],
    )
    return population


def _stored(
    customer: Customer,
    tier: str,
    level: str,
    deadline_s: int,
    predicted_minor: int,
    at_risk_minor: int,
) -> bytes:
    """The state after a score was published, encoded."""
    state = customer.state
    state.tier = tier
    state.churn_level = level
    state.deadline_s = deadline_s
    state.as_of_ms = customer.as_of_ms
    state.predicted_minor = predicted_minor
    state.at_risk_minor = at_risk_minor
    state.silent_s = customer.silent_s
    return encode(state)
