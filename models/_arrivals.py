"""What the likelihoods make of gamma functions, also where they nearly cancel.

Where customers hardly differ r and alpha rise together without an end, and where hardly anybody
leaves so does b. At a million, logarithms of gamma functions are of the order of ten millions, and
their difference is known to eight digits: the curvature of a likelihood that is flat there would
be that of the noise, and an endless parameter would pass for a known one.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from models.arrays import Floats
from models.parameters import ModelParams

# From here on three terms of Stirling's series are exact to the last digit.
_STIRLING_MIN: Final = 100.0


def log_rising(base: ArrayLike, by: ArrayLike) -> Floats:
    """ln(gamma(base + by) / gamma(base)), to nearly all digits of the result.

    Args:
        base: (n,) or a number, > 0.
        by: (n,) or a number, >= 0.

    Returns:
        (n,) logarithms.

    Source: Abramowitz & Stegun (1964), eq. 6.1.40, of both, with what they share taken off.
    """
    low, rise = np.asarray(base, dtype=np.float64), np.asarray(by, dtype=np.float64)
    large = np.maximum(low, _STIRLING_MIN)
    high = large + rise
    series = (
        (large - 0.5) * np.log1p(rise / large)
        + rise * (np.log(high) - 1.0)
        + (_rest(high) - _rest(large))
    )
    logarithm: Floats = np.where(low < _STIRLING_MIN, gammaln(low + rise) - gammaln(low), series)
    return logarithm


def log_waiting(params: ModelParams, frequency: Floats, days: Floats) -> Floats:
    """ln((alpha + t)^(r + x) / alpha^r): what so many purchases in so long a time are divided by.

    Args:
        params: r and alpha, in days.
        frequency: (n,) repeat purchase days, x.
        days: (n,) t.

    Returns:
        (n,) logarithms.

    Source: Fader, Hardie & Lee (2005), "Counting your customers the easy way", eq. 6.
    """
    alpha = params.alpha
    waiting: Floats = params.r * np.log1p(days / alpha) + frequency * np.log(alpha + days)
    return waiting


def _rest(z: Floats) -> Floats:
    square = 1.0 / (z * z)
    rest: Floats = (1.0 / 12.0 - square * (1.0 / 360.0 - square / 1260.0)) / z
    return rest
