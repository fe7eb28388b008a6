"""What customers are worth at an instant: every figure of a score, for many rows at once."""

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, Indices, Ints
from models.churn import activity_decline, value_at_risk
from models.engaged import Engaged
from models.fact_rows import FactColumns
from models.purchases import model_for
from models.rules import Rules
from models.summaries import Forecast
from models.tiers import ROLLING_DAYS, steady_value, tier_value
from models.times import MS_PER_DAY
from models.whole_money import hold_finite


class Figures(NamedTuple):
    """Rows at instants; all (n,), money in minor units.

    Where there is no purchase the predicted value and the decline are 0, and the probabilities
    mean nothing.
    """

    rows: Indices
    at_ms: Ints
    bought: NDArray[np.bool_]
    age_days: Floats
    p_alive: Floats
    p_active: Floats
    expected_purchases: Floats
    predicted: Floats
    rolling_minor: Ints
    tier_value: Floats
    decline: Floats
    at_risk: Floats

    def take(self, chosen: Indices) -> "Figures":
        """The figures of some of the rows."""
        return Figures._make(column[chosen] for column in self)


class Valuation:
    """The figures of rows of facts under a policy, as functions of time."""

    def __init__(self, rules: Rules, facts: FactColumns) -> None:
        self.rules = rules
        self.facts = facts
        policy = rules.policy
        self._params = policy.params
        self._model = model_for(policy.params)
        self._forecast = self._model.forecast
        self._offset = policy.params.engagement

    @cached_property
    def at_purchase(self) -> Forecast:
        """(n,) forecasts of each row right after its last purchase."""
        facts = self.facts
        # Whoever bought once has no history yet, and half of the customers have: one look at
        # them, in front of the others, is enough.
        others = np.flatnonzero((facts.frequency > 0.0) | (facts.recency_days > 0.0))
        frequency = np.zeros(others.size + 1)
        recency = np.zeros(others.size + 1)
        frequency[1:] = facts.frequency[others]
        recency[1:] = facts.recency_days[others]
        at = np.zeros(facts.frequency.size, dtype=np.intp)
        at[others] = np.arange(1, others.size + 1)
        found = Forecast._make(column[at] for column in self._at_age(frequency, recency, recency))
        if self._offset is None:
            return found
        return self._offset.shifted(found, self._engaged.at_purchase)

    @cached_property
    def predicted_at_purchase(self) -> Floats:
        """(n,) predicted value right after the last purchase, minor units."""
        facts = self.facts
        value: Floats = np.where(
            facts.bought, self.at_purchase.expected_purchases * facts.order_value, 0.0
        )
        return value

    @cached_property
    def level_held(self) -> NDArray[np.bool_]:
        """(n,) whether there is too little at stake for the churn level to move."""
        held: NDArray[np.bool_] = (
            self.predicted_at_purchase < self.rules.policy.churn_min_value_minor
        )
        return held

    def forecast(self, rows: Indices, at_ms: Floats | Ints) -> Forecast:
        """(k,) forecasts of rows at instants not before their last purchases."""
        facts = self.facts
        age = (at_ms - facts.first_ms[rows]) / MS_PER_DAY
        return self._shifted(
            self._at_age(facts.frequency[rows], facts.recency_days[rows], age), rows, at_ms
        )

    def predicted(self, rows: Indices, at_ms: Floats | Ints) -> Floats:
        """(k,) predicted value of rows with a purchase, minor units; falls strictly in time."""
        value: Floats = self.forecast(rows, at_ms).expected_purchases * self.facts.order_value[rows]
        return value

    def p_active(
        self, rows: Indices | Ints, at_ms: Floats | Ints, horizon_days: float | None = None
    ) -> Floats:
        """(k,) p_active of rows with a purchase, at a third of the cost of a forecast.

        Of the policy's horizon, where no other is given.
        """
        facts = self.facts
        age = (at_ms - facts.first_ms[rows]) / MS_PER_DAY
        chance = self._model.active(
            self._params,
            facts.frequency[rows],
            facts.recency_days[rows],
            age,
            self.rules.policy.horizon_days if horizon_days is None else horizon_days,
        )
        if self._offset is None:
            return chance
        return self._offset.shifted_chance(chance, self._engaged.at(rows, at_ms))

    def predicted_if_bought(self, rows: Indices, at_ms: Ints) -> Floats:
        """(k,) `predicted`, of any rows: 0 without a purchase."""
        value: Floats = np.where(self.facts.bought[rows], self.predicted(rows, at_ms), 0.0)
        return value

    def window_starts(self, rows: Indices, at_ms: Ints) -> Ints:
        """(k,) the first bucket of each row in the rolling window; its end if there is none."""
        return self.facts.buckets.first_after(rows, self.rules.days.day_array(at_ms) - ROLLING_DAYS)

    def steady(self, rows: Indices, at_ms: Ints) -> Ints:
        """(k,) the part of the tier value that is not predicted, minor units."""
        rolling_minor = self.facts.buckets.sum_from(rows, self.window_starts(rows, at_ms))
        return steady_value(self.rules.policy, rolling_minor, self.facts.historic_minor[rows])

    def figures(self, rows: Indices, at_ms: Ints) -> Figures:
        """All figures of rows at instants not before their customers' last events.

        Raises:
            NotFinite: one of them is no number.
        """
        facts = self.facts
        bought = facts.bought[rows]
        # Without a purchase there is no age: any valid one will do.
        age = np.where(bought, (at_ms - facts.first_ms[rows]) / MS_PER_DAY, 0.0)
        forecast = self._shifted(
            self._at_age(facts.frequency[rows], facts.recency_days[rows], age), rows, at_ms
        )
        predicted = np.where(bought, forecast.expected_purchases * facts.order_value[rows], 0.0)
        decline = activity_decline(forecast.p_active, self.at_purchase.p_active[rows])
        rolling_minor = facts.buckets.sum_from(rows, self.window_starts(rows, at_ms))
        steady = steady_value(self.rules.policy, rolling_minor, facts.historic_minor[rows])
        found = Figures(
            rows=rows,
            at_ms=at_ms,
            bought=bought,
            age_days=age,
            p_alive=forecast.p_alive,
            p_active=forecast.p_active,
            expected_purchases=np.where(bought, forecast.expected_purchases, 0.0),
            predicted=predicted,
            rolling_minor=rolling_minor,
            tier_value=tier_value(steady, predicted),
            decline=np.where(bought, decline, 0.0),
            at_risk=np.where(bought, value_at_risk(predicted, self.predicted_at_purchase[rows]), 0),
        )
        hold_finite(found.tier_value + found.at_risk + found.decline + found.p_alive)
        return found

    @cached_property
    def _engaged(self) -> Engaged:
        assert self._offset is not None, "nobody asks for it otherwise"
        return Engaged.of(self.facts, self.rules.days, self._offset.half_life_days)

    def _shifted(self, forecast: Forecast, rows: Indices | Ints, at_ms: Floats | Ints) -> Forecast:
        """The forecasts with what engagement says."""
        if self._offset is None:
            return forecast
        return self._offset.shifted(forecast, self._engaged.at(rows, at_ms))

    def _at_age(self, frequency: Floats, recency_days: Floats, age_days: Floats) -> Forecast:
        policy = self.rules.policy
        return self._forecast(
            self._params,
            frequency,
            recency_days,
            age_days,
            policy.horizon_days,
            policy.discount_rate,
        )
