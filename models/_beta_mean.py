"""Means over a Beta distribution by the trapezoidal rule, where a closed form cannot be computed.

In the log odds y of p the density is p^a·(1-p)^b/B(a, b), analytic up to an imaginary part of pi,
and both of its tails are exponential: so equal steps converge as fast as any rule does. A tail
falls slowly where a or b is small. Then the function's value at that end, whose mean is known, is
taken off, and what is left falls by one power more.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from scipy.special import betaln

from models.arrays import Floats

# exp(-45) is a thousandth of the last digit: the function may be that much larger in the tail.
_TAIL: Final = 45.0
_TAIL_SD: Final = 9.0
# What is left of a function begins to fall where it bends, as early as at p of about exp(-20).
_BEND: Final = 20.0
_STEP_MAX: Final = 0.25


def beta_mean(
    a: float, b: Floats, function: Callable[[Floats], Floats], at_0: Floats, at_1: Floats
) -> Floats:
    """E[f(p)] over p ~ Beta(a, b), to about twelve digits, at some hundred calls.

    Args:
        a: of the Beta, > 0.
        b: (n,) of the Beta, > 0.
        function: (n,) p in (0, 1) to (n,) f(p) of each row; falls smoothly.
        at_0: (n,) f(0).
        at_1: (n,) f(1).

    Returns:
        (n,) means.

    Source: Trefethen & Weideman (2014), "The exponentially convergent trapezoidal rule", SIAM
    Review 56(3), theorem 5.1.
    """
    steep_a, steep_b = a + (a < 1.0), b + (b < 1.0)
    end_0, end_1 = at_0 * (a < 1.0), at_1 * (b < 1.0)
    spread = _TAIL_SD * np.sqrt(1.0 / steep_a + 1.0 / steep_b)
    centre = np.log(steep_a / steep_b)
    low = centre - spread - _TAIL / steep_a - _BEND * (a < 1.0)
    high = centre + spread + _TAIL / steep_b
    # As many for all rows as the widest could need: none may depend on the others in the batch.
    widest = _TAIL / steep_a + _TAIL + 2 * _TAIL_SD * np.sqrt(1.0 / steep_a + 1.0) + _BEND
    count = int(np.ceil(widest / _STEP_MAX))
    step = (high - low) / count
    log_scale = np.log(step) - betaln(a, b)
    total = end_0 * (b / (a + b)) + end_1 * (a / (a + b))
    for number in range(count + 1):
        y = low + number * step
        log_p, log_q = -np.logaddexp(0.0, -y), -np.logaddexp(0.0, y)
        p, q = np.exp(log_p), np.exp(log_q)
        weight = np.exp(a * log_p + b * log_q + log_scale)
        total += weight * (function(p) - (end_0 * q + end_1 * p))
    return total
