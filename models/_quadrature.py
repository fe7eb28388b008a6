"""Gauss-Legendre over the time to come, in the logarithm that makes our integrands smooth.

What is expected of a customer falls like a power of (A + u) with the days u to come. With
u = A(e^y - 1) it is analytic in y up to an imaginary part of pi, where 1 - e^y comes round to
the negative axis: so a few nodes give double precision, over a day as over twenty years.
"""

from functools import cache

import numpy as np

_DIGITS = 14.0
_COUNT_MIN = 4
_COUNT_MAX = 96

Nodes = tuple[tuple[float, float], ...]


def unit_nodes(widest: float, at_least: int = _COUNT_MIN) -> Nodes:
    """Nodes in (0, 1) and their weights, for all y from 0 to `widest`.

    Args:
        widest: the longest range of y that any customer can have.
        at_least: nodes that the integrand needs for reasons of its own.

    Source: Trefethen (2008), "Is Gauss quadrature better than Clenshaw-Curtis?", theorem 4.5:
    the error of n nodes falls like rho^(-2n), rho that of the Bernstein ellipse through the
    nearest singularity.
    """
    reach = 2 * np.pi / max(widest, 1e-3)
    rho = reach + np.sqrt(reach * reach + 1)
    count = int(np.ceil(_DIGITS * np.log(10) / (2 * np.log(rho)))) + 1
    return _nodes(min(max(count, at_least), _COUNT_MAX))


@cache
def _nodes(count: int) -> Nodes:
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return tuple(zip((0.5 * (nodes + 1)).tolist(), (0.5 * weights).tolist(), strict=True))
