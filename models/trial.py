"""A trial of parameters: each may be in its range, and no customer can be scored by them."""

from typing import Final

import numpy as np

from models.gamma_gamma import expected_order_value
from models.parameters import InvalidParameters, ModelParams
from models.purchases import model_for

# Customers and spans that every shop has: who never came back, and who came often and long ago.
_FREQUENCY: Final = np.array([0.0, 0.0, 1.0, 5.0, 300.0, 300.0])
_RECENCY_DAYS: Final = np.array([0.0, 0.0, 10.0, 400.0, 700.0, 7_000.0])
_AGE_DAYS: Final = np.array([0.0, 7_000.0, 20.0, 700.0, 700.0, 7_300.0])
_MEAN_MINOR: Final = 5_000.0


def try_out(params: ModelParams, horizon_days: float, discount_rate: float) -> None:
    """Hold that some customers can be scored, as a worker will score them.

    Args:
        params: to be used.
        horizon_days: that purchases are predicted for.
        discount_rate: annual effective.

    Raises:
        InvalidParameters: a figure is no number, or out of its range.
    """
    with np.errstate(all="ignore"):
        forecast = model_for(params).forecast(
            params, _FREQUENCY, _RECENCY_DAYS, _AGE_DAYS, horizon_days, discount_rate
        )
        order = expected_order_value(params, _FREQUENCY, np.full(_FREQUENCY.size, _MEAN_MINOR))
        value = forecast.expected_purchases * order
    chances = np.concatenate([forecast.p_alive, forecast.p_active])
    amounts = np.concatenate([forecast.expected_purchases, order, value])
    # As floats, sums of a whole shop's minor units are exact below 2^53.
    sound = np.all((chances >= 0.0) & (chances <= 1.0)) and np.all(
        (amounts >= 0.0) & (amounts < 2.0**53)
    )
    if not sound:
        raise InvalidParameters(
            f"no customer can be scored by them over {horizon_days:g} days: a parameter is out of "
            "scale"
        )
