"""The maximum of a likelihood in the logarithms of its parameters, and how sharp it is."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from models.arrays import Floats

LogLikelihood = Callable[[Floats], float]

# Logs of the parameters beyond this from any start are on their way to infinity.
_REACH = 9.0
# Newton's method starts near its maximum, or there is none: a factor of 400 is not near.
_STRAY_MAX = 6.0
_GRADIENT_STEP = 1e-4
_HESSIAN_STEP = 2e-3
_NEWTON_MAX = 25
# Twice the log likelihood that is left to gain, as a quadratic would have it.
_DECREMENT = 1e-8
_DECREMENT_AT_LAST_DIGITS = 1e-4


class Maximum(NamedTuple):
    """Where a likelihood is highest."""

    log_parameters: Floats
    covariance: Floats
    """(k, k) of the log parameters: the inverse of the observed information."""
    log_likelihood: float
    converged: bool
    """The gradient vanishes, the information is positive definite, no bound was reached."""
    iterations: int


def search(rough: LogLikelihood, starts: Sequence[Floats]) -> Floats:
    """Find about where a likelihood is highest, by a quasi-Newton method.

    Args:
        rough: mean log likelihood, of a part of the rows if they are many.
        starts: logs of parameters to start from; the best end is taken.

    Source: Fletcher (1987), "Practical Methods of Optimization", section 3.1.
    """
    ends = [
        minimize(
            lambda at: -rough(at),
            start,
            jac=lambda at: -_gradient(rough, at),
            method="L-BFGS-B",
            bounds=[(value - _REACH, value + _REACH) for value in start],
            options={"maxiter": 300, "ftol": 1e-9, "gtol": 1e-5},
        )
        for start in starts
    ]
    best = min(ends, key=lambda end: float(end.fun))
    return np.asarray(best.x, dtype=np.float64)


def sharpen(exact: LogLikelihood, start: Floats) -> Maximum:
    """Find the maximum from a place near it, by Newton's method.

    Args:
        exact: total log likelihood of all the rows.
        start: logs of the parameters.

    Source: Fletcher (1987), "Practical Methods of Optimization", section 3.1.
    """
    at, height = start, exact(start)
    unknown = np.full((at.size, at.size), np.nan)
    for iterations in range(_NEWTON_MAX):
        gradient, information = _gradient(exact, at), -_hessian(exact, at)
        if not (np.isfinite(gradient).all() and np.isfinite(information).all()):
            return Maximum(at, unknown, height, False, iterations)
        values, vectors = np.linalg.eigh(information)
        # Uphill also where the surface bends the wrong way: Newton's step with |eigenvalues|.
        bend = np.maximum(np.abs(values), 1e-9 * np.abs(values).max() + 1e-300)
        step = vectors @ ((vectors.T @ gradient) / bend)
        covariance = (vectors / bend) @ vectors.T
        sharp = bool(values.min() > 1e-9 * values.max() > 0)
        if abs(float(gradient @ step)) < _DECREMENT:
            return Maximum(at, covariance, height, sharp, iterations)
        at, risen = _climb(exact, at, step / max(1.0, float(np.abs(step).max())), height)
        if risen <= height:  # at the last digits of the likelihood
            flat = abs(float(gradient @ step)) < _DECREMENT_AT_LAST_DIGITS
            return Maximum(at, covariance, height, sharp and flat, iterations)
        height = risen
        if float(np.abs(at - start).max()) > _STRAY_MAX:
            break
    return Maximum(at, unknown, height, False, iterations)


def _climb(exact: LogLikelihood, at: Floats, step: Floats, height: float) -> tuple[Floats, float]:
    for halving in range(12):
        there = at + step * 0.5**halving
        risen = exact(there)
        if np.isfinite(risen) and risen > height:
            return there, risen
    return at, height


def _gradient(f: LogLikelihood, at: Floats) -> Floats:
    steps = np.eye(at.size) * _GRADIENT_STEP
    return np.array([(f(at + h) - f(at - h)) / (2 * _GRADIENT_STEP) for h in steps])


def _hessian(f: LogLikelihood, at: Floats) -> Floats:
    k, h = at.size, _HESSIAN_STEP
    steps = np.eye(k) * h
    here = f(at)
    up = [f(at + s) for s in steps]
    down = [f(at - s) for s in steps]
    hessian = np.empty((k, k))
    for i in range(k):
        hessian[i, i] = (up[i] - 2 * here + down[i]) / h**2
        for j in range(i):
            both = f(at + steps[i] + steps[j]) + f(at - steps[i] - steps[j])
            mixed = both - up[i] - up[j] - down[i] - down[j] + 2 * here
            hessian[i, j] = hessian[j, i] = mixed / (2 * h**2)
    return hessian
