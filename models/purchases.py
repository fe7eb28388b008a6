"""Which module computes a model: all of them have the same functions."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from numpy.typing import ArrayLike

from models import bg_nbd, mbg_nbd, pareto_nbd
from models.parameters import ModelParams
from models.summaries import Floats, Forecast


class ForecastFunction(Protocol):
    """The unchecked hot path of a model; see `models.mbg_nbd.forecast`."""

    def __call__(
        self,
        params: ModelParams,
        frequency: Floats,
        recency: Floats,
        age: Floats,
        horizon_days: float,
        discount_rate: float = 0.0,
    ) -> Forecast:
        """Forecast (n,) customers."""
        ...


class PurchaseModel(Protocol):
    """What a model's module offers; see `models.mbg_nbd` for the meaning of each."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a module's constant
        """The model, as parameters name it."""
        ...

    @property
    def forecast(self) -> ForecastFunction:
        """All three figures at once, unchecked."""
        ...

    def p_alive(
        self, params: ModelParams, frequency: ArrayLike, recency: ArrayLike, age: ArrayLike
    ) -> Floats:
        """Probability of being active still."""
        ...

    def p_active(
        self,
        params: ModelParams,
        frequency: ArrayLike,
        recency: ArrayLike,
        age: ArrayLike,
        horizon_days: float,
    ) -> Floats:
        """Probability of a purchase within the horizon."""
        ...

    def expected_purchases(
        self,
        params: ModelParams,
        frequency: ArrayLike,
        recency: ArrayLike,
        age: ArrayLike,
        horizon_days: float,
        discount_rate: float = 0.0,
    ) -> Floats:
        """Expected purchases within the horizon."""
        ...

    def expected_next_purchase_days(
        self, params: ModelParams, frequency: ArrayLike, age: ArrayLike
    ) -> Floats:
        """Median wait of a customer who is there."""
        ...

    def age_at_p_alive(
        self, params: ModelParams, frequency: ArrayLike, recency: ArrayLike, threshold: float
    ) -> Floats:
        """Age at which silence brings p_alive down to a threshold."""
        ...

    def log_likelihood(
        self, params: ModelParams, frequency: Floats, recency: Floats, age: Floats
    ) -> Floats:
        """Log likelihood of each history."""
        ...


MODELS: Mapping[str, PurchaseModel] = MappingProxyType(
    {module.NAME: module for module in (mbg_nbd, bg_nbd, pareto_nbd)}
)


def model_for(params: ModelParams) -> PurchaseModel:
    """The module that computes what these parameters belong to."""
    return MODELS[params.model]


def forecast_for(params: ModelParams) -> ForecastFunction:
    """The hot path of the model that these parameters belong to."""
    return MODELS[params.model].forecast
