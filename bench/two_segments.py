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
    size = customers.frequency.size
    scores, group = np.zeros(1), np.zeros(size, dtype=np.intp)
    if first_order_minor is not None:
        scores, group = by_tenths(first_order_minor)
    parts = [np.flatnonzero(group == one) for one in range(scores.size)]
    rows = [tuple(v[part] for v in customers[2:5]) for part in parts]

    def unpacked(at: Floats) -> tuple[list[ModelParams], Floats, float]:
        params = [_params(kind, at[4 * i : 4 * i + 4]) for i, kind in enumerate(kinds)]
        shares = np.array([1.0])
        if len(kinds) > 1:
            shares = np.array([expit(at[8]), expit(-at[8])])
        return params, shares, float(at[-1]) if first_order_minor is not None else 0.0

    def joint(at: Floats, tenth: int) -> Floats:
        """(segments, m) log of share times density of the customers of a tenth."""
        params, shares, gain = unpacked(at)
        return np.array(
            [
                np.log(share)
                + MODELS[kind].log_likelihood(_shifted(one, gain * scores[tenth]), *rows[tenth])
                for kind, one, share in zip(kinds, params, shares, strict=True)
            ]
        )

    def total(at: Floats) -> float:
        return sum(float(np.logaddexp.reduce(joint(at, tenth)).sum()) for tenth in range(len(rows)))

    start = [np.log(_STARTS[kind]) for kind in kinds]
    start += [[1.0]] if len(kinds) > 1 else []
    start += [[0.1]] if first_order_minor is not None else []
    found = sharpen(total, search(lambda at: total(at) / size, [np.concatenate(start)]))
    if not found.converged:
        raise ArithmeticError(f"{kinds}: no sharp maximum")

    active, purchases = np.empty(size), np.empty(size)
    params, _, gain = unpacked(found.log_parameters)
    for tenth, part in enumerate(parts):
        logs = joint(found.log_parameters, tenth)
        belongs = np.exp(logs - np.logaddexp.reduce(logs))
        said = [
            MODELS[kind].forecast(_shifted(one, gain * scores[tenth]), *rows[tenth], holdout_days)
            for kind, one in zip(kinds, params, strict=True)
        ]
        active[part] = sum(w * f.p_active for w, f in zip(belongs, said, strict=True))
        purchases[part] = sum(w * f.expected_purchases for w, f in zip(belongs, said, strict=True))
    names = [f"{name} ({kind})" for kind in kinds for name in _NAMES[kind]]
    names += [f"share of {kinds[0]}"] if len(kinds) > 1 else []
    names += ["g"] if first_order_minor is not None else []
    values = [
        float(expit(v)) if n.startswith("share") else float(v) if n == "g" else float(np.exp(v))
        for n, v in zip(names, found.log_parameters, strict=True)
    ]
    errors = np.sqrt(np.diag(found.covariance)).tolist()
    return Fitted(
        dict(zip(names, values, strict=True)),
        dict(zip(names, errors, strict=True)),
        found.log_likelihood,
        active,
        purchases,
    )


def _params(kind: str, logs: Floats) -> ModelParams:
    known = dict(zip(_NAMES[kind], np.exp(logs).tolist(), strict=True))
    return ModelParams(model=kind, currency="XXX", **{**_NOTHING, **known})


def _shifted(params: ModelParams, log_rate: float) -> ModelParams:
    return replace(params, alpha=params.alpha * float(np.exp(-log_rate)))
