"""MBG/NBD whose gaps between purchases are Gamma instead of exponential: regular, or in clumps.

Gaps have shape k and the customer's own rate lambda ~ Gamma(r, alpha); k = 1 is MBG/NBD, above 1
purchases are regular, below they come in clumps. What the customers' histories must say beyond
frequency and recency is the sum of the logarithms of the gaps. With s = r + kx and A = alpha + t_x,
a silence of tau days has, over lambda ~ Gamma(s, A), the probability

    k-th gap survives: tau^k·A^s / (s·B(s, k)·(A + tau)^(s+k)) · 2F1(1, s+k; s+1; A/(A+tau)).

Source: Platzer & Reutterer (2016), "Ticking away the moments", Marketing Science 35(5), for the
gaps; Batislam, Denizel & Filiztekin (2007) for the drop-out; the survival is Gradshteyn & Ryzhik,
6.455.1.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import betaln, gammaln, hyp2f1

from models._maximum import search, sharpen
from models.arrays import Floats
from models.histories import Histories, PurchaseDays


class Fitted(NamedTuple):
    """The maximum, and what it says of the holdout."""

    values: dict[str, float]
    log_standard_errors: dict[str, float]
    log_likelihood: float
    active: Floats


def sum_of_log_gaps(purchases: PurchaseDays, customers: Histories) -> Floats:
    """(n,) sum of the logarithms of each customer's gaps in days; 0 where there is none."""
    repeat = np.diff(purchases.customer, prepend=-1) == 0
    gaps = np.log(np.diff(purchases.day, prepend=0)[repeat])
    place = np.searchsorted(customers.customer, purchases.customer[repeat])
    return np.bincount(place, gaps, customers.customer.size)


def log_survival(k: float, s: Floats, scale: Floats, tau: Floats) -> Floats:
    """Log of the probability that a gap is longer than tau, over the customer's rate."""
    later = np.maximum(tau, 1e-300)
    series = hyp2f1(1.0, s + k, s + 1.0, scale / (scale + later))
    log_beta = gammaln(s) + gammaln(k) - gammaln(s + k)
    logs = k * np.log(later) + s * np.log(scale) - (s + k) * np.log(scale + later)
    return np.where(tau > 0, logs - np.log(s) - log_beta + np.log(series), 0.0)


def fit(customers: Histories, log_gaps: Floats, holdout_days: float) -> Fitted:
    """Fit by maximum likelihood, and say who will be active."""
    x, t_x, age = customers[2:5]
    tau = age - t_x

    def parts(at: Floats) -> tuple[Floats, Floats, Floats]:
        k, r, alpha, a, b = np.exp(at).tolist()
        s = r + k * x
        common = r * np.log(alpha) - gammaln(r) + (k - 1) * log_gaps - x * gammaln(k)
        common += gammaln(s) - s * np.log(alpha + t_x) - betaln(a, b)
        there = betaln(a, b + x + 1) + log_survival(k, s, alpha + t_x, tau)
        return common, there, betaln(a + 1, b + x)

    def total(at: Floats) -> float:
        common, there, left = parts(at)
        return float((common + np.logaddexp(there, left)).sum())

    start = np.log([1.0, 0.5, 43.0, 0.9, 1.6])
    found = sharpen(total, search(lambda at: total(at) / x.size, [start]))
    if not found.converged:
        raise ArithmeticError("Gamma gaps: no sharp maximum")
    _, there, left = parts(found.log_parameters)
    k, r, alpha, *_ = np.exp(found.log_parameters).tolist()
    s = r + k * x
    waits = log_survival(k, s, alpha + t_x, tau + holdout_days)
    quiet = waits - log_survival(k, s, alpha + t_x, tau)
    names = ("k", "r", "alpha", "a", "b")
    return Fitted(
        dict(zip(names, np.exp(found.log_parameters).tolist(), strict=True)),
        dict(zip(names, np.sqrt(np.diag(found.covariance)).tolist(), strict=True)),
        found.log_likelihood,
        np.exp(there - np.logaddexp(there, left)) * -np.expm1(quiet),
    )
