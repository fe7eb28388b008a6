"""Which object computes a model: all of them answer the same questions."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from models.arrays import Floats
from models.bg_nbd import BgNbd
from models.mbg_nbd import MbgNbd
from models.parameters import ModelParams
from models.pareto_nbd import ParetoNbd
from models.purchase_model import PurchaseModel
from models.summaries import Forecast


class ForecastFunction(Protocol):
    """The unchecked hot path of a model; see `PurchaseModel.forecast`."""

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


MODELS: Mapping[str, PurchaseModel] = MappingProxyType(
    {model.NAME: model for model in (MbgNbd(), BgNbd(), ParetoNbd())}
)


def model_for(params: ModelParams) -> PurchaseModel:
    """What computes what these parameters belong to."""
    return MODELS[params.model]


def forecast_for(params: ModelParams) -> ForecastFunction:
    """The hot path of the model that these parameters belong to."""
    return MODELS[params.model].forecast
