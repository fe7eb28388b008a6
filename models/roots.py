"""When falling curves come down to their targets: many at once, each with as few looks as it needs.

A look at a curve costs far more than the arithmetic around it, and the curves are nearly straight
in the logarithms of value and of time since the model's origin: a secant there gains about one and
a half times the digits a look, from either side. Every row is refined on its own and leaves when
it is done, so that its answer does not depend on its neighbours, to the last bit.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
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


@dataclass
class _Open:
    """Rows still looked for; u is ln(time since the origin), g is ln(value / target)."""

    row: Indices
    log_target: Floats
    origin_ms: Floats
    start_ms: Floats
    slope: Floats
    u: Floats
    g: Floats
    above_u: Floats  # the latest look above the target ...
    above_ms: Floats
    below_u: Floats  # ... and the earliest not above it, at first the end
    end_u: Floats
    end_ms: Floats

    def keep(self, kept: NDArray[np.bool_]) -> "_Open":
        return _Open(*(getattr(self, field.name)[kept] for field in fields(self)))

    def gap_u(self, search: Search) -> Floats:
        """The gap that an answer may have, on the axis of u."""
        share_ms = search.gap_share * (self.above_ms - self.start_ms)
        gap: Floats = np.maximum(search.gap_ms, share_ms) / (self.above_ms - self.origin_ms)
        return gap


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
    rows = _opened(search)
    crossed = rows.g <= 0.0
    if crossed.any():
        found[crossed] = search.start_ms[crossed]
        rows = rows.keep(~crossed)
    for _ in range(_LOOKS_MAX):
        if not rows.row.size:
            return found
        done, answer = _look(curve, rows, search)
        if done.any():
            found[rows.row[done]] = answer[done]
            rows = rows.keep(~done)
    found[rows.row] = rows.above_ms  # too early, so it is safe
    return found


def _opened(search: Search) -> _Open:
    u = np.log(search.start_ms - search.origin_ms)
    end_u = np.log(search.end_ms - search.origin_ms)
    log_target = np.log(np.maximum(search.target, _TINY))  # 0 is where a forecast underflows
    return _Open(
        row=np.arange(search.target.size),
        log_target=log_target,
        origin_ms=search.origin_ms,
        start_ms=search.start_ms,
        slope=search.slope,
        u=u,
        g=np.log(np.maximum(search.start_value, _TINY)) - log_target,
        above_u=u,
        above_ms=search.start_ms,
        below_u=end_u,
        end_u=end_u,
        end_ms=search.end_ms,
    )


def _look(curve: Curve, rows: _Open, search: Search) -> tuple[NDArray[np.bool_], Floats]:
    """Looks once at each row's curve; which rows are done, and their answers."""
    # Half a gap before the estimate: a look that lands above the target is an answer.
    u = rows.u - rows.g / rows.slope - 0.5 * rows.gap_u(search)
    middle = 0.5 * (rows.above_u + rows.below_u)
    beyond = u >= rows.below_u
    at_end = beyond & (rows.below_u >= rows.end_u)
    u = np.where(at_end, rows.end_u, np.where(beyond | ~(u > rows.above_u), middle, u))
    at_ms = np.where(at_end, rows.end_ms, rows.origin_ms + np.exp(u))
    g = np.log(np.maximum(curve(rows.row, at_ms), _TINY)) - rows.log_target
    above = g > 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        secant = (g - rows.g) / (u - rows.u)
    rows.slope = np.where((secant < 0.0) & np.isfinite(secant), secant, rows.slope)
    rows.u, rows.g = u, g
    rows.above_u = np.where(above, u, rows.above_u)
    rows.above_ms = np.where(above, at_ms, rows.above_ms)
    rows.below_u = np.where(above, rows.below_u, u)
    gap = rows.gap_u(search)
    never = above & at_end
    near = (above & (g <= -rows.slope * gap)) | (rows.below_u - rows.above_u <= gap)
    return near | never, np.where(never, np.inf, rows.above_ms)
