"""`clv fit FILE`: a model fitted to a CSV of transactions."""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import orjson
import typer
from rich.table import Table

from models.evaluation import predict
from models.fitting import Fit, TooThin, combined, fit_purchases, fit_spend
from models.histories import Histories, PurchaseDays, histories, per_customer
from models.parameters import ModelParams, log_unit, released
from models.summaries import Floats
from streams.cli.fit_engagements import document as offset_document
from streams.cli.fit_engagements import engaged_at, fit_offset, print_offset
from streams.cli.output import AsJson, amount, console, print_json
from streams.complaint import Complaint
from streams.settings import Settings
from streams.shop_history import ShopHistory, day_number, day_of, load

_TIER_SHARES = {"platinum": 0.05, "gold": 0.15, "silver": 0.30}
_ROLLING_DAYS = 365


class Model(StrEnum):
    """The purchase models that can be fitted."""

    MBG = "mbg-nbd"
    BG = "bg-nbd"
    PARETO = "pareto-nbd"


class TimeUnit(StrEnum):
    """Units of time that a parameter file may be in."""

    DAY = "day"
    WEEK = "week"


class MoneyUnit(StrEnum):
    """Units of money that a parameter file may be in."""

    MINOR = "minor"
    MAJOR = "major"


def fit(
    file: Annotated[str, typer.Argument(help="A CSV of transactions; or cdnow, cdnow-full.")],
    model: Annotated[Model, typer.Option(help="How purchases come and end.")] = Model.MBG,
    until: Annotated[
        datetime | None,
        typer.Option(
            "--until",
            "--calibration-end",
            formats=["%Y-%m-%d"],
            help="Last day to fit to; default: the file's last.",
        ),
    ] = None,
    time_unit: Annotated[TimeUnit, typer.Option(help="Of the JSON's times.")] = TimeUnit.DAY,
    money_unit: Annotated[MoneyUnit, typer.Option(help="Of the JSON's v.")] = MoneyUnit.MINOR,
    engagements: Annotated[
        Path | None,
        typer.Option(
            help="Engagements, a CSV or JSON lines: fit what they say of who will buy, too."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the JSON to this file as well.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Fit a purchase model and Gamma-Gamma by maximum likelihood.

    The JSON is what CLV_MODEL_PARAMS takes: parameters in days and minor units, with their
    standard errors, the extent of the data, a version and a checksum.
    """
    settings = Settings.load()
    shop = load(file, settings.currency, settings.timezone)
    end_day = shop.last_day if until is None else day_number(until.date())
    customers = histories(shop.purchases, end_day)
    try:
        purchases = fit_purchases(model.value, customers)
        spend = fit_spend(customers.frequency, customers.monetary_value)
    except TooThin as error:
        raise Complaint(f"{file}: {error}.") from error
    extent = {
        "customers": int(customers.customer.size),
        "repeat_customers": int(np.count_nonzero(customers.frequency)),
        "purchase_days": int(customers.frequency.sum()) + int(customers.customer.size),
        "first_day": day_of(int(customers.first_day.min())).isoformat(),
        "last_day": day_of(end_day).isoformat(),
    }
    params = combined(purchases, spend, shop.currency)
    engagement = None
    if engagements is not None:
        engagement = fit_offset(engagements, shop, model.value, end_day, spend, settings)
        params = replace(params, engagement=engagement.fit.offset)
    params = released(params, extent)
    horizon_days = settings.horizon.total_seconds() / 86_400
    seen = None if engagement is None else engaged_at(engagement, customers, end_day)
    thresholds = tier_thresholds(params, shop.purchases, customers, end_day, horizon_days, seen)
    repeats = float(customers.frequency.sum())
    document = {
        **params.to_json(time_unit.value, money_unit.value),
        "log_standard_errors": {
            "purchases": dict(purchases.log_standard_errors),
            "spend": dict(spend.log_standard_errors),
        },
        # Of densities: per unit of time for each repeat purchase, of money for each customer.
        "log_likelihood": {
            "purchases": purchases.log_likelihood + repeats * log_unit(time_unit.value),
            "spend": spend.log_likelihood
            + spend.customers * log_unit(money_unit.value, shop.currency),
        },
        "converged": True,
        "held": list(purchases.held),
        "iterations": {"purchases": purchases.iterations, "spend": spend.iterations},
        "spend_customers": spend.customers,
        "tier_thresholds_minor": thresholds,
        "tiers": _tiers(thresholds),
        "left_out": dict(shop.left_out),
    }
    if engagement is not None:
        document["engagement_fit"] = offset_document(engagement)
    if output is not None:
        try:
            output.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
        except OSError as error:
            raise Complaint(f"{output} cannot be written: {error.strerror}.") from error
    if json:
        print_json(document)
        return
    if engagement is not None:
        print_offset(engagement, horizon_days, console())
    _print(document, params, purchases, spend, shop, output)


def tier_thresholds(
    params: ModelParams,
    purchases: PurchaseDays,
    customers: Histories,
    end_day: int,
    horizon_days: float,
    engaged: Floats | None = None,
) -> dict[str, int]:
    """Thresholds in minor units that 5, 15 and 30 % of the customers are above.

    Of the `rolling` value: revenue of the trailing 365 days plus predicted value.
    """
    trailing = purchases.between(end_day - _ROLLING_DAYS, end_day)
    _, revenue = per_customer(trailing, customers.customer)
    value = revenue + predict(params, customers, horizon_days, engaged).value_minor
    shares = 1.0 - np.array(list(_TIER_SHARES.values()))
    found = np.ceil(np.quantile(value, shares)).astype(int).tolist()
    return dict(zip(_TIER_SHARES, found, strict=True))


def _tiers(thresholds: dict[str, int]) -> str:
    ascending = sorted(thresholds.items(), key=lambda item: item[1])
    return ",".join(["bronze:0", *(f"{name}:{minor}" for name, minor in ascending)])


def _print(
    document: dict[str, Any],
    params: ModelParams,
    purchases: Fit,
    spend: Fit,
    shop: ShopHistory,
    output: Path | None,
) -> None:
    out = console()
    extent = params.extent
    out.print(
        f"[bold]{params.name}[/bold] of {extent['customers']:,} customers "
        f"({extent['repeat_customers']:,} came back), {extent['first_day']} to "
        f"{extent['last_day']}"
    )
    table = Table("parameter", "", "estimate", "95 % interval", "s.e. of ln")
    units = {"alpha": "days", "beta": "days", "v": f"{params.currency}, minor units"}
    for one in (purchases, spend):
        for name, value in one.values.items():
            error = one.log_standard_errors[name]
            low, high = value * np.exp([-1.96 * error, 1.96 * error])
            table.add_row(
                name,
                units.get(name, ""),
                f"{value:.4g}",
                f"{low:.4g} to {high:.4g}",
                f"{error:.3f}",
            )
    out.print(table)
    out.print(
        f"Converged. Log likelihood {purchases.log_likelihood:,.2f} (purchases, per day), "
        f"{spend.log_likelihood:,.2f} (order value of {spend.customers:,} customers, per minor "
        "unit)."
    )
    if purchases.held:
        out.print(f"Mind: {purchases.caveat()}")
    shares = ", ".join(
        f"{name} from {amount(document['tier_thresholds_minor'][name], params.currency)}"
        for name in _TIER_SHARES
    )
    out.print(f"5, 15 and 30 % of the customers would be in the tiers {shares}:")
    out.print(f"  CLV_TIERS={document['tiers']}", soft_wrap=True)
    for reason, count in shop.left_out.items():
        out.print(f"Left out: {count:,} rows, {reason}.")
    for bad in shop.first_bad:
        out.print(f"  line {bad.line}: {bad.detail}", markup=False)
    if output is None:
        out.print("Write the parameters to a file with --output, and name it in CLV_MODEL_PARAMS.")
    else:
        out.print(f"For workers: CLV_MODEL_PARAMS={output}", soft_wrap=True)
