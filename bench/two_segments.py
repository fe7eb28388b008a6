"""Two kinds of customers, and what the first order says: a try at better than Pareto/NBD.

A share w of the customers buys as in Pareto/NBD, the others as in MBG/NBD, each with parameters
of its own; whose kind a customer is shows only in what they do. In both, the rate is
proportional to exp(g·z), z the standardised logarithm of the first order's value (0: g is not
fitted). That value is taken by tenths of the customers, so that the models' own functions serve:
within a tenth, alpha is one number.

Source: latent classes as in Wedel & Kamakura (2000), "Market Segmentation", chapter 6; covariates
on the rate as in Fader & Hardie (2007), "Incorporating time-invariant covariates into the
Pareto/NBD and BG/NBD models".
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models._maximum import search, sharpen
from models.arrays import Floats
from models.histories import Histories
from models.parameters import ModelParams
from models.purchases import MODELS

_TENTHS = 10
_NAMES = {"pareto-nbd": ("r", "alpha", "s", "beta"), "mbg-nbd": ("r", "alpha", "a", "b")}
# Where the search begins, in days: slow buyers who leave in time, quick ones who try and go.
_STARTS = {"pareto-nbd": (0.7, 110.0, 0.5, 60.0), "mbg-nbd": (0.4, 15.0, 0.8, 2.0)}
_NOTHING = {"a": 0.0, "b": 0.0, "s": 0.0, "beta": 0.0, "p": 1.0, "q": 2.0, "v": 1.0}


@dataclass(frozen=True)
class Fitted:
    """A mixture of one or two segments, at its maximum."""

    values: Mapping[str, float]
    log_standard_errors: Mapping[str, float]
    """Of the logarithm; of g itself, and of the log-odds of w."""
    log_likelihood: float
    active: Floats
    """(n,) probability of a purchase in the holdout."""
    purchases: Floats
    """(n,) expected purchases in the holdout."""

    @property
    def aic(self) -> float:
        """Akaike's information criterion: lower is better. Known without the holdout."""
        return 2 * (len(self.values) - self.log_likelihood)


def by_tenths(first_order_minor: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Standardised log value of each tenth of the customers, and which one each is in."""
    logs = np.log1p(first_order_minor / 100)
    edges = np.unique(np.quantile(logs, np.linspace(0, 1, _TENTHS + 1)[1:-1]))
    group = np.searchsorted(edges, logs, side="right")
    means = np.bincount(group, logs) / np.bincount(group)
    return (means - logs.mean()) / logs.std(), group


def fit(
    kinds: tuple[str, ...],
    customers: Histories,
    first_order_minor: Floats | None,
    holdout_days: float,
) -> Fitted:
    """Fit by maximum likelihood, and forecast.

    Args:
        kinds: one or two models, by name.
        customers: at the end of the calibration.
        first_order_minor: (n,) value of each one's first order; None: no covariate.
        holdout_days: of the forecast.
    """
    mixture = _Mixture.of(kinds, customers, first_order_minor)
    size = customers.frequency.size
    found = sharpen(mixture.total, search(lambda at: mixture.total(at) / size, [mixture.start()]))
    if not found.converged:
        raise ArithmeticError(f"{kinds}: no sharp maximum")
    active, purchases = mixture.forecast(found.log_parameters, holdout_days)
    values = mixture.named(found.log_parameters)
    errors = np.sqrt(np.diag(found.covariance)).tolist()
    return Fitted(
        values,
        dict(zip(values, errors, strict=True)),
        found.log_likelihood,
        active,
        purchases,
    )


@dataclass(frozen=True)
class _Mixture:
    """Segments and their customers, by tenth of the first order's value.

    The vector that is fitted, `at`, holds the logarithms of each segment's four parameters, then
    the log-odds of w where there are two segments, then g where there is a covariate.

    Attributes:
        kinds: the segments' models.
        covariate: whether g is fitted.
        scores: (tenths,) standardised log value; a single 0 without a covariate.
        parts: by tenth, the places of its customers.
        rows: by tenth, their frequency, recency and age.
    """

    kinds: tuple[str, ...]
    covariate: bool
    scores: Floats
    parts: list[NDArray[np.intp]]
    rows: list[tuple[Floats, ...]]

    @classmethod
    def of(
        cls, kinds: tuple[str, ...], customers: Histories, first_order_minor: Floats | None
    ) -> Self:
        """Arguments as of `fit`."""
        scores, group = np.zeros(1), np.zeros(customers.frequency.size, dtype=np.intp)
        if first_order_minor is not None:
            scores, group = by_tenths(first_order_minor)
        parts = [np.flatnonzero(group == one) for one in range(scores.size)]
        rows = [tuple(v[part] for v in customers[2:5]) for part in parts]
        return cls(kinds, first_order_minor is not None, scores, parts, rows)

    def start(self) -> Floats:
        """Where the search begins."""
        start = [np.log(_STARTS[kind]) for kind in self.kinds]
        start += [[1.0]] if len(self.kinds) > 1 else []
        start += [[0.1]] if self.covariate else []
        return np.concatenate(start)

    def total(self, at: Floats) -> float:
        """Log likelihood of all customers."""
        return sum(
            float(np.logaddexp.reduce(self._joint(at, tenth)).sum())
            for tenth in range(len(self.rows))
        )

    def forecast(self, at: Floats, days: float) -> tuple[Floats, Floats]:
        """(n,) probability of a purchase, and (n,) expected purchases, in days to come."""
        size = sum(part.size for part in self.parts)
        active, purchases = np.empty(size), np.empty(size)
        for tenth, part in enumerate(self.parts):
            logs = self._joint(at, tenth)
            belongs = np.exp(logs - np.logaddexp.reduce(logs))
            said = [
                MODELS[kind].forecast(params, *self.rows[tenth], days)
                for kind, params in zip(self.kinds, self._segments(at, tenth), strict=True)
            ]
            active[part] = sum(w * f.p_active for w, f in zip(belongs, said, strict=True))
            purchases[part] = sum(
                w * f.expected_purchases for w, f in zip(belongs, said, strict=True)
            )
        return active, purchases

    def named(self, at: Floats) -> dict[str, float]:
        """The parameters themselves, by name, in the order of the vector."""
        names = [f"{name} ({kind})" for kind in self.kinds for name in _NAMES[kind]]
        values = np.exp(at[: len(names)]).tolist()
        if len(self.kinds) > 1:
            names.append(f"share of {self.kinds[0]}")
            values.append(float(expit(at[8])))
        if self.covariate:
            names.append("g")
            values.append(float(at[-1]))
        return dict(zip(names, values, strict=True))

    def _joint(self, at: Floats, tenth: int) -> Floats:
        """(segments, m) log of share times density of the customers of a tenth."""
        return np.array(
            [
                np.log(share) + MODELS[kind].log_likelihood(params, *self.rows[tenth])
                for kind, params, share in zip(
                    self.kinds, self._segments(at, tenth), self._shares(at), strict=True
                )
            ]
        )

    def _shares(self, at: Floats) -> Floats:
        return np.array([expit(at[8]), expit(-at[8])] if len(self.kinds) > 1 else [1.0])

    def _segments(self, at: Floats, tenth: int) -> list[ModelParams]:
        """Each segment's parameters, as they are for a tenth."""
        log_rate = float(at[-1]) * self.scores[tenth] if self.covariate else 0.0
        params = [_params(kind, at[4 * i : 4 * i + 4]) for i, kind in enumerate(self.kinds)]
        return [replace(one, alpha=one.alpha * float(np.exp(-log_rate))) for one in params]


def _params(kind: str, logs: Floats) -> ModelParams:
    known = dict(zip(_NAMES[kind], np.exp(logs).tolist(), strict=True))
    return ModelParams(model=kind, currency="XXX", **{**_NOTHING, **known})
