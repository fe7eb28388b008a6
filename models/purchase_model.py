"""What every purchase model answers, with its arguments checked; each model adds its formulas.

Everything is in days. The checked functions take numbers or arrays, and are for people and tests;
the unchecked ones take float64 arrays of one shape, and are for the hot path and the fit.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from models.arrays import Floats
from models.parameters import ModelParams
from models.summaries import Forecast, checked, checked_horizon


class PurchaseModel(ABC):
    """How purchases come and end, for parameters of this model."""

    NAME: ClassVar[str]
    """The model, as parameters name it."""

    def p_alive(
        self, params: ModelParams, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike
    ) -> Floats:
        """Probability that each customer is still active at `as_of`.

        Args:
            params: of this model; times in days.
            frequency: (n,) repeat purchase days x, >= 0.
            recency: (n,) days from first to last purchase, t_x.
            age: (n,) days from first purchase to as_of, T >= t_x.

        Returns:
            (n,) probabilities in [0, 1].

        Raises:
            InvalidSummary: negative or non-finite input, or t_x > T.

        Source: `alive` of the model.
        """
        return self.alive(params, *checked(frequency, recency, age))

    def p_active(
        self,
        params: ModelParams,
        frequency: ArrayLike,
        recency: ArrayLike,
        age: ArrayLike,
        horizon_days: float,
    ) -> Floats:
        """Probability of at least one purchase within the horizon.

        Args:
            params: of this model; times in days.
            frequency: (n,) repeat purchase days x, >= 0.
            recency: (n,) days from first to last purchase, t_x.
            age: (n,) days from first purchase to as_of, T >= t_x.
            horizon_days: days after as_of.

        Returns:
            (n,) probabilities in [0, p_alive].

        Raises:
            InvalidSummary: negative or non-finite input, or t_x > T.

        Source: `active` of the model.
        """
        x, t_x, age_days = checked(frequency, recency, age)
        return self.active(params, x, t_x, age_days, checked_horizon(horizon_days))

    def expected_purchases(
        self,
        params: ModelParams,
        frequency: ArrayLike,
        recency: ArrayLike,
        age: ArrayLike,
        horizon_days: float,
        discount_rate: float = 0.0,
    ) -> Floats:
        """Expected purchases within the horizon, each discounted to `as_of`.

        At frequency, recency and age 0 it is what a new customer will buy after the first
        purchase.

        Args:
            params: of this model; times in days.
            frequency: (n,) repeat purchase days x, >= 0.
            recency: (n,) days from first to last purchase, t_x.
            age: (n,) days from first purchase to as_of, T >= t_x.
            horizon_days: days after as_of.
            discount_rate: annual effective; applied continuously, ln(1 + rate) / 365 a day.

        Returns:
            (n,) purchases, >= 0.

        Raises:
            InvalidSummary: negative or non-finite input, or t_x > T.

        Source: `forecast` of the model.
        """
        x, t_x, age_days = checked(frequency, recency, age)
        horizon = checked_horizon(horizon_days, discount_rate)
        return self.forecast(params, x, t_x, age_days, horizon, discount_rate).expected_purchases

    def expected_next_purchase_days(
        self, params: ModelParams, frequency: ArrayLike, age: ArrayLike
    ) -> Floats:
        """Median days from `as_of` to the next purchase of a customer who is there, and stays.

        Args:
            params: of this model; times in days.
            frequency: (n,) repeat purchase days x, >= 0.
            age: (n,) days from first purchase to as_of, T.

        Returns:
            (n,) days, > 0.

        Raises:
            InvalidSummary: negative or non-finite input.

        Source: half of E[exp(-lambda·u)] over lambda ~ Gamma(r + x, alpha + T), solved for u.
        """
        x, _, age_days = checked(frequency, 0.0, age)
        median: Floats = (params.alpha + age_days) * np.expm1(np.log(2.0) / (params.r + x))
        return median

    @abstractmethod
    def alive(self, params: ModelParams, x: Floats, t_x: Floats, age: Floats) -> Floats:
        """`p_alive`, unchecked."""

    @abstractmethod
    def active(
        self, params: ModelParams, x: Floats, t_x: Floats, age: Floats, horizon_days: float
    ) -> Floats:
        """`p_active`, unchecked."""

    @abstractmethod
    def forecast(
        self,
        params: ModelParams,
        frequency: Floats,
        recency: Floats,
        age: Floats,
        horizon_days: float,
        discount_rate: float = 0.0,
    ) -> Forecast:
        """All three figures at once, for the hot path: nothing is checked.

        Args:
            params: of this model; times in days.
            frequency: (n,) float64 repeat purchase days x, >= 0.
            recency: (n,) float64 days from first to last purchase, t_x.
            age: (n,) float64 days from first purchase to as_of, T >= t_x.
            horizon_days: days after as_of.
            discount_rate: annual effective.

        Returns:
            (n,) arrays; what `p_alive`, `p_active` and `expected_purchases` say.
        """

    @abstractmethod
    def log_likelihood(
        self, params: ModelParams, frequency: Floats, recency: Floats, age: Floats
    ) -> Floats:
        """Log likelihood of each customer's history, unchecked.

        Args:
            params: of this model; times in days.
            frequency: (n,) repeat purchase days x.
            recency: (n,) days from first to last purchase, t_x.
            age: (n,) days from first purchase to the end of the calibration, T.

        Returns:
            (n,) log densities, per day to the power x.
        """
