"""Gauss-Legendre over the time to come, in the logarithm that makes our integrands smooth.

What is expected of a customer falls like a power of (A + u) with the days u to come. With
u = A(e^y - 1) it is analytic in y up to an imaginary part of pi, where 1 - e^y comes round to
the negative axis: so a few nodes give double precision, over a day as over twenty years.
"""

from functools import cache
from itertools import pairwise

import numpy as np

_DIGITS = 14.0
_COUNT_MIN = 4
_COUNT_MAX = 96

# A fall by a power up to this is still smooth over the whole range.
STEEP_MIN = 30.0
_COUNT_PANEL = 16

Nodes = tuple[tuple[float, float], ...]


def unit_nodes(widest: float, at_least: int = 0) -> Nodes:
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
    return _nodes(min(max(count, at_least, _COUNT_MIN), _COUNT_MAX))


def graded_nodes(widest: float, steep: float) -> Nodes:
    """`unit_nodes` for what may fall by a power of (A + u) as high as `steep`.

    A high power falls in the first part of the range, and a mean of many powers in all parts of
    it: then the range is halved towards 0, until within the first piece hardly anything falls.

    Args:
        widest: the longest range of y that any customer can have.
        steep: the highest power that any customer can have.
    """
    if steep <= STEEP_MIN:
        return unit_nodes(widest)
    return _graded(int(np.ceil(np.log2(steep * max(widest, 1.0)))))


@cache
def _graded(halvings: int) -> Nodes:
    panel = _nodes(_COUNT_PANEL)
    edges = [0.0, *(0.5**k for k in range(halvings, -1, -1))]
    return tuple(
        (low + (high - low) * node, (high - low) * weight)
        for low, high in pairwise(edges)
        for node, weight in panel
    )


@cache
def _nodes(count: int) -> Nodes:
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return tuple(zip((0.5 * (nodes + 1)).tolist(), (0.5 * weights).tolist(), strict=True))
