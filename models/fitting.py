"""Fitting: the parameters under which what was seen is most likely, and how sure they are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import gamma_gamma
from models._maximum import LogLikelihood, Maximum, search, sharpen
from models.arrays import Floats
from models.histories import Histories
from models.parameters import PURCHASE_PARAMETERS, SPEND_PARAMETERS, ModelParams
from models.purchases import MODELS

# Below these no one could say what the parameters are, whatever the optimiser returns.
_REPEAT_CUSTOMERS_MIN = 10
# Rows that the way to the maximum is found with; all of them decide where it is.
_ROUGH_ROWS = 3_000
# A parameter that may as well be fifty times as large says nothing.
_LOG_ERROR_MAX = 2.0
# How far, in its logarithm, a weak prior lets a parameter be from its usual value: half of it
# within a factor of four, nearly all within fifty.
_PRIOR_DEVIATION = 2.0
_DROPOUT = frozenset({"a", "b", "s", "beta"})
_UNDETERMINED = (
    "the purchases do not determine the parameters: the likelihood rises towards an endless value "
    "of one of them, as it does where few customers came back, and where all buy about equally "
    "often, as subscribers do; more customers or a longer history help where customers differ"
)
_SPEND_UNDETERMINED = (
    "the order values do not determine the parameters: nearly all are one and the same amount, or "
    "too few are known to say how customers differ in them"
)
# A purchase model does not read these.
_NO_SPEND = {"p": 1.0, "q": 2.0, "v": 1.0}


class TooThin(ValueError):
    """Data that no model can be fitted to: one sentence that says why, and what would help."""


@dataclass(frozen=True)
class Fit:
    """One model fitted to one set of data."""

    model: str
    values: Mapping[str, float]
    """The parameters; times in days, money in minor units."""
    log_standard_errors: Mapping[str, float]
    """Standard error of each parameter's logarithm, from the observed information."""
    log_likelihood: float
    """Total, of densities per day and per minor unit."""
    customers: int
    """How many it was fitted to."""
    iterations: int
    log_covariance: tuple[tuple[float, ...], ...] = ()
    """Covariance of the parameters' logarithms, whose diagonal the standard errors are of."""
    held: tuple[str, ...] = ()
    """Parameters that the data alone do not determine, held near usual values by a weak prior."""

    def caveat(self) -> str:
        """What a reader of the parameters must know; empty where there is nothing."""
        if not self.held:
            return ""
        if self.model == "gamma-gamma":
            return (
                "the data hardly say how order values differ, between customers or within one: "
                "p, q and v are held near usual values by a weak prior. What is expected of an "
                "order is hardly moved by it: it is the mean, or each customer's own."
            )
        return (
            f"the data hardly say how customers leave: {' and '.join(self.held)} are held near "
            "usual values by a weak prior. It matters little for a horizon no longer than the "
            "history; a longer history, with customers who left, would settle it."
        )


def fit_purchases(model: str, customers: Histories) -> Fit:
    """Fit a purchase model by maximum likelihood.

    Where hardly anybody leaves, as in a grocery, the data say how many do, and not how customers
    differ in it: the likelihood rises for ever with one of the drop-out's parameters. Then, and
    only then, these have a weak prior (log-normal), and the fit says so in `held`.

    Args:
        model: `mbg-nbd`, `bg-nbd` or `pareto-nbd`.
        customers: their histories at the end of the calibration.

    Raises:
        TooThin: too few repeat customers, or data that do not determine the parameters.
    """
    _refuse_thin(customers)
    names = PURCHASE_PARAMETERS[model]
    rows, weights = np.unique(
        np.column_stack([customers.frequency, customers.recency, customers.age]),
        axis=0,
        return_counts=True,
    )
    density = MODELS[model].log_likelihood

    def over(part: slice) -> LogLikelihood:
        x, t_x, age = (np.ascontiguousarray(column) for column in rows[part].T)
        count = weights[part].astype(np.float64)

        def total(logs: Floats) -> float:
            values = dict(zip(names, np.exp(logs).tolist(), strict=True))
            params = _params(model, values, _NO_SPEND, "XXX")
            return float(count @ density(params, x, t_x, age))

        return total

    starts, size = _purchase_starts(names, customers), customers.frequency.size
    loose = np.array([name in _DROPOUT for name in names])
    prior = _prior(starts[0], loose)
    near = _near(over, len(rows), starts, size, prior)
    found, held = _sharpest(over(slice(None)), prior, near, loose)
    if found is None:
        raise TooThin(_UNDETERMINED)
    return _fit(model, names, found, size, held)


def fit_spend(frequency: Floats, monetary_value: Floats) -> Fit:
    """Fit Gamma-Gamma by maximum likelihood, to the customers with repeat orders of some value.

    Where a customer always pays the same, or all of them spend alike, the likelihood rises for
    ever with p or q. Then, and only then, all three have a weak prior, as in `fit_purchases`.

    Args:
        frequency: (n,) repeat purchase days; customers with none are left out.
        monetary_value: (n,) their mean value in minor units; customers with 0 are left out.

    Raises:
        TooThin: too few repeat customers, order values that are all one or vary without bound.

    Source: Fader & Hardie (2013), eq. 1a.
    """
    kept = (frequency > 0) & (monetary_value > 0)
    x, m = frequency[kept], monetary_value[kept]
    if x.size < _REPEAT_CUSTOMERS_MIN:
        raise TooThin(
            f"only {x.size} customers have repeat orders with a value: the order value needs at "
            f"least {_REPEAT_CUSTOMERS_MIN}, and a few hundred to be of use"
        )
    if np.ptp(m) <= 1e-6 * m.mean():
        raise TooThin(
            "every customer spends the same on an order: there is nothing to fit, and the value "
            "of an order is simply that amount"
        )

    def over(part: slice) -> LogLikelihood:
        some_x, some_m = x[part], m[part]

        def total(logs: Floats) -> float:
            p, q, v = np.exp(logs).tolist()
            return float(gamma_gamma.log_likelihood(p, q, v, some_x, some_m).sum())

        return total

    starts = [np.log([p, q, m.mean() * (q - 1) / p]) for p, q in ((5.0, 3.0), (1.0, 2.0))]
    loose = np.ones(len(SPEND_PARAMETERS), dtype=np.bool_)
    prior = _prior(starts[0], loose)
    near = _near(over, x.size, starts, x.size, prior)
    found, held = _sharpest(over(slice(None)), prior, near, loose)
    if found is None:
        raise TooThin(_SPEND_UNDETERMINED)
    fit = _fit("gamma-gamma", SPEND_PARAMETERS, found, x.size, held)
    if fit.values["q"] <= 1:
        raise TooThin(
            f"order values vary so widely (q = {fit.values['q']:.2f}) that their mean would be "
            "infinite: leave out wholesale orders, or fit to more customers"
        )
    return fit


def _near(
    over: Callable[[slice], LogLikelihood],
    rows: int,
    starts: list[Floats],
    customers: int,
    prior: LogLikelihood,
) -> Floats:
    """About where the likelihood is highest, from some thousands of the rows."""
    stride = max(1, rows // _ROUGH_ROWS)
    part = over(slice(None, None, stride))
    scale = stride / customers
    return search(lambda at: part(at) * scale + prior(at) / customers, starts)


def _prior(usual: Floats, loose: NDArray[np.bool_]) -> LogLikelihood:
    """The weak prior of some of the parameters, around the logarithms of usual values."""

    def prior(logs: Floats) -> float:
        return -0.5 * float(np.sum(((logs - usual)[loose] / _PRIOR_DEVIATION) ** 2))

    return prior


def _sharpest(
    whole: LogLikelihood, prior: LogLikelihood, near: Floats, loose: NDArray[np.bool_]
) -> tuple[Maximum | None, NDArray[np.bool_]]:
    """The maximum, and which parameters the prior holds there; None where others need one."""
    found = sharpen(whole, near)
    if _determined(found, np.ones_like(loose)):
        return found, np.zeros_like(loose)
    found = sharpen(lambda at: whole(at) + prior(at), near)
    if not _determined(found, ~loose):
        return None, loose
    return found._replace(log_likelihood=whole(found.log_parameters)), loose


def _determined(found: Maximum, which: NDArray[np.bool_]) -> bool:
    """Whether these parameters have a maximum that is sharp enough to mean something."""
    variance = np.diag(found.covariance)[which]
    return found.converged and bool(variance.max(initial=0.0) <= _LOG_ERROR_MAX**2)


def _fit(
    model: str,
    names: tuple[str, ...],
    found: Maximum,
    customers: int,
    held: NDArray[np.bool_],
) -> Fit:
    errors = np.sqrt(np.diag(found.covariance))
    return Fit(
        model=model,
        values=dict(zip(names, np.exp(found.log_parameters).tolist(), strict=True)),
        log_standard_errors=dict(zip(names, errors.tolist(), strict=True)),
        log_likelihood=found.log_likelihood,
        customers=customers,
        iterations=found.iterations,
        log_covariance=tuple(map(tuple, found.covariance.tolist())),
        held=tuple(np.array(names)[held].tolist()),
    )


def combined(purchases: Fit, spend: Fit, currency: str) -> ModelParams:
    """Both fits as the parameters that a worker reads."""
    return _params(purchases.model, purchases.values, spend.values, currency)


def _params(
    model: str, purchases: Mapping[str, float], spend: Mapping[str, float], currency: str
) -> ModelParams:
    return ModelParams(
        model=model,
        r=purchases["r"],
        alpha=purchases["alpha"],
        a=purchases.get("a", 0.0),
        b=purchases.get("b", 0.0),
        s=purchases.get("s", 0.0),
        beta=purchases.get("beta", 0.0),
        p=spend["p"],
        q=spend["q"],
        v=spend["v"],
        currency=currency,
    )


def _refuse_thin(customers: Histories) -> None:
    count = customers.frequency.size
    repeat = int(np.count_nonzero(customers.frequency))
    if count == 0:
        raise TooThin("there is no purchase to fit to: check the file and the dates")
    if count == 1:
        raise TooThin("there is only one customer: a model of how customers differ needs many")
    if repeat == 0:
        raise TooThin(
            f"none of the {count} customers bought on a second day: nothing says how often "
            "customers come back; take a longer history"
        )
    if repeat < _REPEAT_CUSTOMERS_MIN:
        raise TooThin(
            f"only {repeat} of {count} customers bought on a second day: a fit needs at least "
            f"{_REPEAT_CUSTOMERS_MIN}, and a few hundred to be of use"
        )


def _purchase_starts(names: tuple[str, ...], customers: Histories) -> list[Floats]:
    rate = customers.frequency.sum() / max(float(customers.age.sum()), 1.0)
    age = max(float(customers.age.mean()), 1.0)
    starts = []
    for r, a, b in ((0.5, 0.8, 2.0), (2.0, 0.3, 3.0)):
        guess = {"r": r, "alpha": 0.5 * r / rate, "a": a, "b": b, "s": a, "beta": age * b / 4}
        starts.append(np.log([guess[name] for name in names]))
    return starts
