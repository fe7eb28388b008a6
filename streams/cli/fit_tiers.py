"""`clv fit`: the tiers that it suggests."""

from typing import Final

import numpy as np

from models.arrays import Floats
from models.evaluation import predict
from models.parameters import ModelParams
from streams.fit_data import FitData
from streams.settings import Settings

TIER_SHARES: Final = {"platinum": 0.05, "gold": 0.15, "silver": 0.30}
"""Share of the customers who would be in a tier or above it."""


def rolling_value(
    params: ModelParams, data: FitData, settings: Settings, engaged: Floats | None
) -> Floats:
    """Revenue of the trailing 365 days plus predicted value, (n,) minor units."""
    horizon, discount = settings.horizon_days, settings.discount_rate
    said = predict(params, data.customers, horizon, engaged, discount)
    value: Floats = data.trailing_minor + said.value_minor
    return value


def tier_thresholds(value: Floats) -> dict[str, int]:
    """Thresholds in minor units that 5, 15 and 30 % of the customers are above.

    Args:
        value: (n,) that the tiers follow, minor units.
    """
    shares = 1.0 - np.array(list(TIER_SHARES.values()))
    found = np.ceil(np.quantile(value, shares)).astype(int).tolist()
    return dict(zip(TIER_SHARES, found, strict=True))


def tiers_setting(thresholds: dict[str, int]) -> str:
    """What CLV_TIERS takes: a tier that begins where a lower one does is left out."""
    ladder = {0: "bronze"}
    for name, minor in reversed(thresholds.items()):
        ladder.setdefault(minor, name)
    return ",".join(f"{name}:{minor}" for minor, name in ladder.items())
