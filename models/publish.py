"""From a customer's last row to what is published of it, and what is stored."""

from collections.abc import Sequence
from itertools import repeat
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, Ints
from models.batch import Customer
from models.deadlines import Due
from models.events import ENGAGEMENT_TYPES
from models.purchases import model_for
from models.score import SCHEMA, Score, Window, Windows, encode_all
from models.state import State
from models.times import MS_MAX, MS_PER_DAY, rfc3339
from models.valuation import Figures, Valuation
from models.value_bounds import value_bounds
from models.whole_money import floored
from models.windows import window_sums

PROBABILITY_DIGITS: Final = 6
_DAYS_DIGITS: Final = 6  # a tenth of a second

_LIKELY_THERE: Final = 0.5  # below it, a next purchase is rather not expected


class Publication(NamedTuple):
    """What is published of customers; lists, one entry a customer.

    Attributes:
        scores: JSON.
        total_minor: total value, minor units.
        at_risk_minor: value at risk, minor units.
        historic_minor: historic value, minor units.
        predicted_minor: predicted value, minor units.
    """

    scores: list[bytes]
    total_minor: list[int]
    at_risk_minor: list[int]
    historic_minor: list[int]
    predicted_minor: list[int]


def publication(
    valuation: Valuation,
    customers: Sequence[Customer],
    tiers: Sequence[str],
    levels: Sequence[str],
    figures: Figures,
    due: Due,
) -> Publication:
    """The scores of customers.

    Args:
        valuation: of the rows' facts.
        customers: (n,) with their states after the row that is published.
        tiers: (n,) names.
        levels: (n,) names.
        figures: (n,) of that row.
        due: (n,) when silence makes them due.
    """
    rules, facts = valuation.rules, valuation.facts
    policy = rules.policy
    rows = figures.rows
    bought = figures.bought
    states = [customer.state for customer in customers]
    historic = facts.historic_minor[rows]
    predicted = floored(figures.predicted)
    interval = value_bounds(policy.params, policy.horizon_days).interval(
        facts.frequency[rows], figures.age_days, figures.p_active, figures.predicted
    )
    told = Publication(
        [],
        (historic + predicted).tolist(),
        floored(figures.at_risk).tolist(),
        historic.tolist(),
        predicted.tolist(),
    )
    at, valid_until, first_at, last_at, next_at = _times(
        (figures.at_ms, np.ones_like(bought)),
        (due.valid_until_ms, due.valid_until_ms <= MS_MAX),
        (facts.first_ms[rows], bought),
        (facts.last_ms[rows], bought),
        _next_purchases(valuation, figures),
    )
    scores = map(
        Score,
        repeat(SCHEMA),
        [customer.key.decode() for customer in customers],
        [state.revision for state in states],
        at,
        valid_until,
        repeat(policy.currency),
        tiers,
        levels,
        _probabilities(1.0 - figures.p_active, bought),
        np.round(figures.decline, PROBABILITY_DIGITS).tolist(),
        _probabilities(figures.p_alive, bought),
        _probabilities(figures.p_active, bought),
        np.round(figures.expected_purchases, PROBABILITY_DIGITS).tolist(),
        floored(facts.order_value[rows]).tolist(),
        told.historic_minor,
        told.predicted_minor,
        floored(interval.low).tolist(),
        floored(interval.high).tolist(),
        told.total_minor,
        floored(figures.tier_value).tolist(),
        told.at_risk_minor,
        [state.orders for state in states],
        [state.refunds for state in states],
        facts.frequency[rows].astype(np.int64).tolist(),
        np.round(facts.recency_days[rows], _DAYS_DIGITS).tolist(),
        np.round(figures.age_days, _DAYS_DIGITS).tolist(),
        first_at,
        last_at,
        next_at,
        _windows(valuation, states, figures),
        [_engagements(state.engagement_counts) for state in states],
        repeat(policy.params.name),
        repeat(policy.params.version),
    )
    return told._replace(scores=encode_all(scores))


def _probabilities(values: Floats, known: NDArray[np.bool_]) -> list[float | None]:
    rounded: list[float | None] = np.round(values, PROBABILITY_DIGITS).tolist()
    for index in np.flatnonzero(~known).tolist():
        rounded[index] = None
    return rounded


def _times(*columns: tuple[Ints | Floats, NDArray[np.bool_]]) -> list[list[str | None]]:
    """Each column's instants as text, None where they are not known: by one conversion."""
    known = np.concatenate([known for _, known in columns])
    at_ms = np.concatenate([at_ms for at_ms, _ in columns])
    texts: list[str | None] = list(rfc3339(np.where(known, at_ms, 0).astype(np.int64)))
    for index in np.flatnonzero(~known).tolist():
        texts[index] = None
    count = columns[0][1].size
    return [texts[n * count : (n + 1) * count] for n in range(len(columns))]


def _next_purchases(valuation: Valuation, figures: Figures) -> tuple[Floats, NDArray[np.bool_]]:
    """When the next purchase is expected, epoch ms, and of whom one is."""
    params = valuation.rules.policy.params
    wait_days = model_for(params).expected_next_purchase_days(
        params, valuation.facts.frequency[figures.rows], figures.age_days
    )
    at_ms = figures.at_ms + wait_days * MS_PER_DAY
    return at_ms, figures.bought & (figures.p_alive >= _LIKELY_THERE) & (at_ms <= MS_MAX)


def _windows(valuation: Valuation, states: Sequence[State], figures: Figures) -> list[Windows]:
    today = valuation.rules.days.day_array(figures.at_ms)
    sums = window_sums(valuation.facts, figures.rows, states, today)
    lengths = zip(*(np.ascontiguousarray(column.T).tolist() for column in sums), strict=True)
    return list(map(Windows, *(map(Window, *columns) for columns in lengths)))


def _engagements(counts: dict[int, int]) -> dict[str, int]:
    # Most customers of a shop that sends no engagements have none.
    return {ENGAGEMENT_TYPES[index]: counts[index] for index in sorted(counts)} if counts else {}
