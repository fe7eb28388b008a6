"""When falling curves come down to their targets: many at once, each with as few looks as it needs.

A look at a curve costs far more than the arithmetic around it, and the curves are nearly straight
in the logarithms of value and of time since the model's origin: a secant there gains about one and
a half times the digits a look, from either side. Every row is refined on its own and leaves when
it is done, so that its answer does not depend on its neighbours, to the last bit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.ladder import Floats, Indices

MS_PER_DAY: Final = 86_400_000.0

Curve = Callable[[Indices, Floats], Floats]
"""(m,) rows and (m,) instants in epoch ms to (m,) values, strictly falling in time."""

_LOOKS_MAX: Final = 100
_TINY: Final = 1e-300  # a value that underflowed is below any target


@dataclass
class Search:
    """What is looked for, one row a curve.

    Attributes:
        target: (n,) values to come down to, above 0.
        origin_ms: (n,) instants from which the logarithm of time counts, before `start_ms`.
        start_ms: (n,) where the search begins.
        start_value: (n,) the curve there.
        end_ms: (n,) where it ends, after `start_ms`.
        slope: (n,) a guess of d ln(value) / d ln(time since the origin) at the start, below 0.
        gap_ms: how far before the truth an answer may be, in ms, above 0.
        gap_share: the same as a share of the time since `start_ms`; the greater of both holds.
    """

    target: Floats
    origin_ms: Floats
    start_ms: Floats
    start_value: Floats
    end_ms: Floats
    slope: Floats
    gap_ms: float
    gap_share: float


# Numbers of the rows still looked for, one row of an array each: all of them are thinned out by
# one call. u is ln(time since the origin), g is ln(value / target), the gap is on the axis of u.
# Above are the latest looks above the target, below the earliest not above it, at first the end.
_LOG_TARGET, _ORIGIN_MS, _START_MS, _END_MS, _END_U, _SLOPE = range(6)
_U, _G, _ABOVE_U, _ABOVE_MS, _BELOW_U, _GAP_U = range(6, 12)


def last_above(curve: Curve, search: Search) -> Floats:
    """The latest instants at which the curves are known to be still above their targets.

    Args:
        curve: values by rows and instants.
        search: what is looked for.

    Returns:
        (n,) epoch ms, never after the curve reaches its target, and at most the gap before it if
        the curve is as smooth as forecasts are, and the target not about to underflow;
        inf where it is still above it at the end; the start where it is not above it there.
    """
    found = np.full(search.target.shape, np.inf)
    numbers = _opened(search)
    rows = np.arange(search.target.size)
    crossed = numbers[_G] <= 0.0
    if crossed.any():
        found[crossed] = search.start_ms[crossed]
        rows, numbers = rows[~crossed], numbers[:, ~crossed]
    for _ in range(_LOOKS_MAX):
        if not rows.size:
            return found
        done, answer = _look(curve, rows, numbers, search)
        if done.any():
            found[rows[done]] = answer[done]
            rows, numbers = rows[~done], numbers[:, ~done]
    found[rows] = numbers[_ABOVE_MS]  # too early, so it is safe
    return found


def _opened(search: Search) -> Floats:
    since_ms = search.start_ms - search.origin_ms
    numbers: Floats = np.empty((12, search.target.size))
    # 0 is where a forecast underflows.
    log_target = np.log(np.maximum(search.target, _TINY), out=numbers[_LOG_TARGET])
    numbers[_ORIGIN_MS] = search.origin_ms
    numbers[_START_MS] = numbers[_ABOVE_MS] = search.start_ms
    numbers[_END_MS] = search.end_ms
    numbers[_END_U] = numbers[_BELOW_U] = np.log(search.end_ms - search.origin_ms)
    numbers[_SLOPE] = search.slope
    numbers[_U] = numbers[_ABOVE_U] = np.log(since_ms)
    numbers[_G] = np.log(np.maximum(search.start_value, _TINY)) - log_target
    numbers[_GAP_U] = search.gap_ms / since_ms
    return numbers


def _look(
    curve: Curve, rows: Indices, numbers: Floats, search: Search
) -> tuple[NDArray[np.bool_], Floats]:
    """Looks once at each row's curve; which rows are done, and their answers."""
    log_target, origin_ms, start_ms, end_ms, end_u, slope = numbers[:_U]
    last_u, last_g, above_u, above_ms, below_u, gap_u = numbers[_U:]
    # Half a gap before the estimate: a look that lands above the target is an answer.
    u = last_u - last_g / slope - 0.5 * gap_u
    beyond = u >= below_u
    at_end = beyond & (below_u >= end_u)
    np.copyto(u, 0.5 * (above_u + below_u), where=beyond | ~(u > above_u))
    np.copyto(u, end_u, where=at_end)
    at_ms = origin_ms + np.exp(u)
    np.copyto(at_ms, end_ms, where=at_end)
    g = np.log(np.maximum(curve(rows, at_ms), _TINY)) - log_target
    above = g > 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        secant = (g - last_g) / (u - last_u)
    np.copyto(slope, secant, where=(secant < 0.0) & np.isfinite(secant))
    numbers[_U], numbers[_G] = u, g
    np.copyto(above_u, u, where=above)
    np.copyto(above_ms, at_ms, where=above)
    np.copyto(below_u, u, where=~above)
    gap_ms = np.maximum(search.gap_ms, search.gap_share * (above_ms - start_ms))
    np.divide(gap_ms, above_ms - origin_ms, out=gap_u)
    never = above & at_end
    near = (above & (g <= -slope * gap_u)) | (below_u - above_u <= gap_u)
    return near | never, np.where(never, np.inf, above_ms)
