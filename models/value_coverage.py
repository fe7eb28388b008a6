"""Whether intervals of value hold as much as they promise, once it is known what was spent."""

import numpy as np

from models.arrays import Floats
from models.value_bounds import Interval


def randomised_coverage(
    interval: Interval, p_active: Floats, value_minor: Floats, coverage: float = 0.8
) -> Floats:
    """Chance of each value to lie within its interval, where what lies on an end is divided.

    Most customers' most likely value is 0, and no interval from 0 to 0 can hold just 80 %. As in
    the randomised probability integral transform, a value of 0 is taken for a number drawn evenly
    from all that its probability fills, and lies within by the part of that which does. So the
    mean over customers whose values follow the model is exactly the coverage.

    Args:
        interval: (n,) central intervals.
        p_active: (n,) probabilities of any purchase, which all have a value.
        value_minor: (n,) what was spent, minor units.
        coverage: of the intervals.

    Returns:
        (n,) chances; 0 or 1 where something was spent.

    Source: Czado, Gneiting & Held (2009), "Predictive model assessment for count data", eq. 1.
    """
    below, until = (1 - coverage) / 2, (1 + coverage) / 2
    nothing = 1.0 - p_active
    within = np.clip(np.minimum(nothing, until) - below, 0.0, None) / np.maximum(nothing, below)
    some = (interval.low <= value_minor) & (value_minor <= interval.high)
    chance: Floats = np.where(value_minor > 0, some, within)
    return chance
