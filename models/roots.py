"""When falling curves come down to their targets: many at once, each with as few looks as it needs.

A look at a curve costs far more than the arithmetic around it. What customers are expected to do
falls for two reasons: the chance that they are there at all is a logistic function of the logarithm
of time since the model's origin, and what they would do if they are is nearly a power of that time.
So there is a ceiling, the value at the start of somebody who is surely there, and the logarithm of
value / (ceiling - value) is nearly straight in the logarithm of time: a secant there gains about
one and a half times the digits a look, from either side. Every row is refined on its own and leaves
when it is done, so that its answer does not depend on its neighbours, to the last bit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, Indices

Curve = Callable[[Indices, Floats], Floats]
"""(m,) rows and (m,) instants in epoch ms to (m,) values, strictly falling in time."""

_LOOKS_MAX: Final = 100
_TINY: Final = 1e-300  # a value that underflowed is below any target
_HARDLY: Final = 1e-12  # a share of the ceiling: nobody is there more surely than that

_FALL_WHILE_THERE: Final = 0.7
"""About the power of time with which a forecast falls while the customer is surely there."""


@dataclass
class Search:
    """What is looked for, one row a curve.

    Attributes:
        target: (n,) values to come down to, above 0.
        origin_ms: (n,) instants from which the logarithm of time counts, before `start_ms`.
        start_ms: (n,) where the search begins.
        start_value: (n,) the curve there.
        end_ms: (n,) where it ends, after `start_ms`.
        p_there: (n,) a guess of the chance to be there at the start, in [0, 1].
        shape: (n,) a guess of the power of time with which its odds fall, above 0.
        gap_ms: (n,) how far before the truth an answer may be, in ms, above 0.
        gap_share: (n,) the same as a share of the time since `start_ms`; the greater of both holds.
    """

    target: Floats
    origin_ms: Floats
    start_ms: Floats
    start_value: Floats
    end_ms: Floats
    p_there: Floats
    shape: Floats
    gap_ms: Floats
    gap_share: Floats


# Numbers of the rows still looked for, one row of an array each: all of them are thinned out by
# one call. u is ln(time since the origin), g is ln(value / (ceiling - value)) less that of the
# target, the gap is on the axis of u. Above are the latest looks above the target, below the
# earliest not above it, at first the end.
_TARGET, _CEILING, _TARGET_G, _SHAPE, _ORIGIN_MS, _START_MS, _END_MS, _END_U = range(8)
_GAP_MS, _GAP_SHARE, _NEXT_U, _LAST_U, _LAST_G, _ABOVE_U, _ABOVE_MS, _BELOW_U, _GAP_U = range(8, 17)


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
    crossed = search.start_value <= search.target
    if crossed.any():
        found[crossed] = search.start_ms[crossed]
        rows, numbers = rows[~crossed], numbers[:, ~crossed]
    with np.errstate(divide="ignore", invalid="ignore"):  # of slopes, which are then guessed
        for _ in range(_LOOKS_MAX):
            if not rows.size:
                return found
            done, answer = _look(curve, rows, numbers)
            if done.any():
                found[rows[done]] = answer[done]
                rows, numbers = rows[~done], numbers[:, ~done]
    found[rows] = numbers[_ABOVE_MS]  # too early, so it is safe
    return found


def _opened(search: Search) -> Floats:
    numbers: Floats = np.empty((17, search.target.size))
    start_value = np.maximum(search.start_value, _TINY)
    target = np.maximum(search.target, _TINY)  # 0 is where a forecast underflows
    ceiling = start_value / np.maximum(search.p_there, _HARDLY)
    since_ms = search.start_ms - search.origin_ms
    start_u = np.log(since_ms)
    target_g = _odds(target, ceiling)
    # How long either reason alone would take: both together take less. A mean that measured well.
    gone = np.maximum(_odds(start_value, ceiling) - target_g, _HARDLY) / search.shape
    less = np.maximum(np.log(start_value / target), _HARDLY) / _FALL_WHILE_THERE
    numbers[_TARGET], numbers[_CEILING], numbers[_TARGET_G] = search.target, ceiling, target_g
    numbers[_SHAPE], numbers[_ORIGIN_MS] = search.shape, search.origin_ms
    numbers[_GAP_MS], numbers[_GAP_SHARE] = search.gap_ms, search.gap_share
    numbers[_START_MS] = numbers[_ABOVE_MS] = search.start_ms
    numbers[_END_MS] = search.end_ms
    numbers[_END_U] = numbers[_BELOW_U] = np.log(search.end_ms - search.origin_ms)
    numbers[_NEXT_U] = start_u + gone * less / np.hypot(gone, less)
    numbers[_LAST_U] = numbers[_LAST_G] = np.nan
    numbers[_ABOVE_U] = start_u
    numbers[_GAP_U] = search.gap_ms / since_ms
    return numbers


def _odds(value: Floats, ceiling: Floats) -> Floats:
    """ln(value / (ceiling - value)); a curve that is no forecast may lie above its ceiling."""
    odds: Floats = np.log(value / np.maximum(ceiling - value, _HARDLY * ceiling))
    return odds


def _look(curve: Curve, rows: Indices, numbers: Floats) -> tuple[NDArray[np.bool_], Floats]:
    """Looks once at each row's curve; which rows are done, and their answers."""
    target, ceiling, target_g, shape, origin_ms, start_ms, end_ms, end_u = numbers[:_GAP_MS]
    least_ms, share, next_u, last_u, last_g, above_u, above_ms, below_u, gap_u = numbers[_GAP_MS:]
    # Half a gap before the estimate: a look that lands above the target is an answer.
    u = next_u - 0.5 * gap_u
    beyond = u >= below_u
    at_end = beyond & (below_u >= end_u)
    np.copyto(u, 0.5 * (above_u + below_u), where=beyond | ~(u > above_u))
    np.copyto(u, end_u, where=at_end)
    at_ms = origin_ms + np.exp(u)
    np.copyto(at_ms, end_ms, where=at_end)
    value = curve(rows, at_ms)
    above = value > target  # as they are: both may have underflowed
    g = _odds(np.maximum(value, _TINY), ceiling) - target_g
    slope = (g - last_g) / (u - last_u)
    # At first, and where the curve is no forecast, as the two reasons would have it.
    np.copyto(
        slope,
        -shape - _FALL_WHILE_THERE * ceiling / np.maximum(ceiling - value, _HARDLY * ceiling),
        where=~((slope < 0.0) & np.isfinite(slope)),
    )
    np.copyto(last_u, u)
    np.copyto(last_g, g)
    np.copyto(next_u, u - g / slope)
    np.copyto(above_u, u, where=above)
    np.copyto(above_ms, at_ms, where=above)
    np.copyto(below_u, u, where=~above)
    gap_ms = np.maximum(least_ms, share * (above_ms - start_ms))
    np.divide(gap_ms, above_ms - origin_ms, out=gap_u)
    never = above & at_end
    near = (above & (g <= -slope * gap_u)) | (below_u - above_u <= gap_u)
    return near | never, np.where(never, np.inf, above_ms)
