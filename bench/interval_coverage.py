"""Do the intervals of `clv fit` hold the truth: `python -m bench.interval_coverage [--seeds N]`.

Customers are drawn from each purchase model with Gamma-Gamma order values, and fitted; counted is
how often the 95 % interval of a log parameter holds the one that they were drawn with. Over 40
seeds of 5,000 customers that must be 89 to 99 % of all cases, which the exit status says.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from models.fitting import fit_purchases, fit_spend
from models.histories import Histories
from models.parameters import CDNOW, ModelParams
from models.simulation import simulate_customers

SEEDS, CUSTOMERS = 40, 5_000
LEAST, MOST = 0.89, 0.99
DAYS, JOINING_DAYS = 730.0, 365.0
_SPEND = {"p": CDNOW.p, "q": CDNOW.q, "v": CDNOW.v, "currency": "USD"}
# The last two as fitted to CDNOW, in weeks, by Fader, Hardie & Lee (2005), "'Counting Your
# Customers' the Easy Way: An Alternative to the Pareto/NBD Model".
TRUTHS = (
    CDNOW,
    ModelParams(model="bg-nbd", r=0.243, alpha=7 * 4.414, a=0.793, b=2.426, **_SPEND),
    ModelParams(model="pareto-nbd", r=0.553, alpha=7 * 10.578, s=0.606, beta=7 * 11.669, **_SPEND),
)


def drawn(params: ModelParams, customers: int, seed: int) -> Histories:
    """Histories after two years of customers who came in the first; their times are not rounded."""
    rng = np.random.default_rng(seed)
    shop = simulate_customers(params, customers, DAYS, rng, joining_days=JOINING_DAYS)
    first = np.flatnonzero(np.diff(shop.customer, prepend=-1))
    x = np.diff(np.append(first, shop.customer.size)) - 1.0
    last = shop.at_days[np.append(first[1:], shop.customer.size) - 1]
    spent = np.add.reduceat(shop.amount_minor, first) - shop.amount_minor[first]
    none, started = np.zeros(customers, dtype=np.int64), shop.started_days
    return Histories(none, none, x, last - started, DAYS - started, spent / np.maximum(x, 1))


def covered(params: ModelParams, customers: int, seeds: Iterable[int]) -> Mapping[str, list[bool]]:
    """For each parameter, whether each seed's interval holds it."""
    inside: dict[str, list[bool]] = {}
    for seed in seeds:
        histories = drawn(params, customers, seed)
        for fit in (
            fit_purchases(params.model, histories),
            fit_spend(histories.frequency, histories.monetary_value),
        ):
            for name, value in fit.values.items():
                miss = abs(np.log(value / getattr(params, name)))
                held = bool(miss < 1.96 * fit.log_standard_errors[name])
                inside.setdefault(name, []).append(held)
    return inside


def main() -> None:
    """Draw, fit, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    arguments = parser.parse_args()
    table = Table("model", "all", "each parameter")
    within = True
    for params in TRUTHS:
        seeds = track(range(100, 100 + arguments.seeds), params.model, console=Console(stderr=True))
        inside = covered(params, arguments.customers, seeds)
        share = float(np.mean(list(inside.values())))
        within = within and LEAST <= share <= MOST
        each = ", ".join(f"{name} {np.mean(hits):.1%}" for name, hits in inside.items())
        table.add_row(params.model, f"{share:.1%}", each)
    Console().print(table)
    sys.exit(0 if within else 1)


if __name__ == "__main__":
    main()
