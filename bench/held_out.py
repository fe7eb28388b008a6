"""Three tries at a model better than a refitted Pareto/NBD on CDNOW: `python -m bench.held_out`.

Each is fitted to the calibration (to 1997-09-30), and judged by the 39 weeks after it, beside the
project's models; differences to Pareto/NBD have 95 % intervals of a paired bootstrap. The choice
among the tries is AIC's, which does not see the holdout. docs/models.md has the figures.
"""

import argparse
from collections.abc import Mapping
from datetime import date

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bench import gamma_gaps, two_segments
from models.arrays import Floats
from models.evaluation import Evaluation, evaluate
from models.gamma_gamma import expected_order_value
from models.metrics import Metric, Prediction, bootstrap, metrics
from streams.shop_history import day_number, load

END, HOLDOUT_DAYS = date(1997, 9, 30), 273
RESAMPLES, SEED = 1000, 1
FIGURES = (
    *("log_score", "brier", "ece", "auc_active"),
    *("auc_purchases", "rmse", "mae", "top_decile_capture", "total"),
)
ACTIVE_ONLY = {"log_score", "brier", "ece", "auc_active"}
BASE = "pareto-nbd"
TRIES = {
    "first order": (("pareto-nbd",), True),
    "two segments": (("pareto-nbd", "mbg-nbd"), False),
    "two segments, first order": (("pareto-nbd", "mbg-nbd"), True),
}


def main() -> None:
    """Fit, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", default="cdnow", choices=("cdnow", "cdnow-full"))
    shop = load(parser.parse_args().data, "USD", "UTC")
    end = day_number(END)
    ours = evaluate(shop.purchases, end, HOLDOUT_DAYS, "USD", resamples=0)
    known = shop.purchases.between(-(10**9), end)
    firsts = known.amount_minor[np.diff(known.customer, prepend=-1) != 0].astype(np.float64)
    said = {name: scored.prediction for name, scored in ours.models.items()}
    out = Console(width=140, highlight=False)
    lines = {
        name: (fit.log_likelihood, len(fit.values)) for name, fit in ours.purchase_fits.items()
    }
    log_gaps = gamma_gaps.sum_of_log_gaps(known, ours.customers)
    gaps = gamma_gaps.fit(ours.customers, log_gaps, HOLDOUT_DAYS)
    lines["gamma gaps"] = (gaps.log_likelihood, len(gaps.values))
    nan = np.full(gaps.active.size, np.nan)
    said["gamma gaps"] = Prediction(nan, gaps.active, nan)
    _print_values(out, "gamma gaps", gaps.values, gaps.log_standard_errors)
    value = _order_value(ours)
    for name, (kinds, covariate) in TRIES.items():
        fitted = two_segments.fit(
            kinds, ours.customers, firsts if covariate else None, HOLDOUT_DAYS
        )
        lines[name] = (fitted.log_likelihood, len(fitted.values))
        said[name] = Prediction(fitted.purchases, fitted.active, fitted.purchases * value)
        _print_values(out, name, fitted.values, fitted.log_standard_errors)
    _print_figures(out, said, ours, lines)


def _order_value(ours: Evaluation) -> Floats:
    customers, params = ours.customers, ours.params[BASE]
    known = np.where(customers.monetary_value > 0, customers.frequency, 0.0)
    return expected_order_value(params, known, customers.monetary_value)


def _print_values(
    out: Console, name: str, values: Mapping[str, float], errors: Mapping[str, float]
) -> None:
    said = ", ".join(f"{key} {value:.4g} ({errors[key]:.2f})" for key, value in values.items())
    out.print(f"{name}: {said}")


def _print_figures(
    out: Console,
    said: Mapping[str, Prediction],
    ours: Evaluation,
    lines: Mapping[str, tuple[float, int]],
) -> None:
    measures: dict[str, Mapping[str, Metric]] = {
        name: {figure: metrics(one, ours.outcome)[figure] for figure in FIGURES}
        for name, one in said.items()
    }
    size = ours.customers.customer.size
    drawn = bootstrap(measures, size, RESAMPLES, SEED)
    everyone = np.ones(size)
    table = Table("", *measures, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_row("parameters", *(str(lines[name][1]) for name in measures))
    table.add_row("log likelihood", *(f"{lines[name][0]:,.2f}" for name in measures))
    table.add_row(
        "AIC", *(f"{2 * (n - height):,.2f}" for height, n in (lines[name] for name in measures))
    )
    for figure in FIGURES:
        cells = []
        for name in measures:
            if np.isnan(said[name].purchases).any() and figure not in ACTIVE_ONLY:
                cells.append("-")
                continue
            text = f"{measures[name][figure](everyone):.4f}"
            if name != BASE:
                miss = drawn[name][figure] - drawn[BASE][figure]
                low, high = np.quantile(miss, (0.025, 0.975)).tolist()
                text += f"\n{low:+.4f} {high:+.4f}"
            cells.append(text)
        table.add_row(figure.replace("_", " "), *cells)
    out.print(table)
    out.print(f"Below each figure: 95 % interval of its difference to {BASE}, paired bootstrap.")


if __name__ == "__main__":
    main()
