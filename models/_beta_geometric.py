"""Expected purchases of a customer who is there: what BG/NBD and MBG/NBD share.

With lambda ~ Gamma(s, A) and p ~ Beta(a, b'), where c = a + b' - 1 and k = c - s:

    E[(1 - exp(-lambda·p·h))/p] = c/(a - 1) · [1 - (1-z)^(a-1) · 2F1(k, a-1; c; z)],
    z = h/(A + h),

which is the papers' formula after Euler's transformation: theirs overflows. Its derivative by
h has no trouble at a = 1 nor at c = 0, and is what discounting needs:

    E[lambda·exp(-lambda·p·u)] = (s/A) · (1-z)^a · 2F1(k, a; c + 1; z),  z = u/(A + u).

With u = A(e^y - 1) it is smooth: Gauss-Legendre reaches double precision in few nodes.
"""

import numpy as np
from scipy.special import hyp2f1

from models._quadrature import unit_nodes
from models.summaries import Floats

# Below this the bracket has lost more than six of its sixteen digits, and is integrated.
_CANCELLATION_MIN = 1e-6
_C_MIN = 1e-6


def purchases_while_there(
    *,
    a: float,
    k: float,
    c: Floats,
    shape: Floats,
    since: Floats,
    log_growth: Floats,
    widest: float,
    daily_discount: float,
) -> Floats:
    """Expected discounted purchases of customers who are there at `as_of`.

    Args:
        a: first parameter of the drop-out's Beta.
        k: c - s, the same for all customers.
        c: (n,) a + b' - 1.
        shape: (n,) s = r + x.
        since: (n,) A = alpha + T, in days.
        log_growth: (n,) ln(1 + h/A).
        widest: a bound on `log_growth` that does not depend on the batch: a customer's figures
            must not either.
        daily_discount: continuous rate per day.

    Returns:
        (n,) purchases, >= 0.
    """
    if daily_discount != 0.0:
        return _integrated(a, k, c, shape, since, log_growth, widest, daily_discount)
    excess = a - 1.0
    decay = -np.expm1(-log_growth)  # z
    hard = (decay * abs(excess) < _CANCELLATION_MIN) | (c < _C_MIN)
    if not hard.any():
        return _closed(excess, k, c, decay, log_growth)
    expected = np.empty_like(decay)
    easy = ~hard
    if easy.any():
        expected[easy] = _closed(excess, k, c[easy], decay[easy], log_growth[easy])
    expected[hard] = _integrated(
        a, k, c[hard], shape[hard], since[hard], log_growth[hard], widest, daily_discount
    )
    return expected


def _closed(excess: float, k: float, c: Floats, z: Floats, log_growth: Floats) -> Floats:
    expected: Floats = (c / excess) * (1.0 - np.exp(-excess * log_growth) * hyp2f1(k, excess, c, z))
    return expected


def _integrated(
    a: float,
    k: float,
    c: Floats,
    shape: Floats,
    since: Floats,
    log_growth: Floats,
    widest: float,
    daily_discount: float,
) -> Floats:
    total = np.zeros_like(log_growth)
    for node, weight in unit_nodes(widest):
        y = node * log_growth
        grown = np.expm1(y)
        rate = np.exp((1.0 - a) * y - daily_discount * since * grown)
        total += weight * rate * hyp2f1(k, a, c + 1.0, -np.expm1(-y))
    integral: Floats = shape * log_growth * total
    return integral
