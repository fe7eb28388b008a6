"""`clv fit`: a model fitted to a CSV of transactions, or to what workers have stored."""

import asyncio
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import orjson
import typer
from rich.table import Table

from models.fitting import Fit, TooThin, combined, fit_purchases, fit_spend
from models.parameters import ModelParams, log_unit, released
from streams.cli import stored
from streams.cli.fit_engagements import document as offset_document
from streams.cli.fit_engagements import engaged_at, fit_offset, print_offset
from streams.cli.fit_tiers import TIER_SHARES, rolling_value, tier_thresholds, tiers_setting
from streams.cli.output import AsJson, amount, console, print_json, progress
from streams.cli.tables import print_table
from streams.complaint import Complaint
from streams.fit_data import FitData, from_file, from_states
from streams.parameter_files import publish_parameters, read_parameters
from streams.settings import Settings
from streams.shop_history import day_of
from streams.topics import MODEL_PARAMS


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
    file: Annotated[
        str | None, typer.Argument(help="A CSV of transactions; or cdnow, cdnow-full.")
    ] = None,
    from_kafka: Annotated[
        bool,
        typer.Option("--from-kafka", help="Fit to what workers have stored: no export needed."),
    ] = False,
    parameters: Annotated[
        Path | None,
        typer.Option(help="Fit nothing: publish what --output wrote, as to go back to it."),
    ] = None,
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
    publish: Annotated[
        bool, typer.Option("--publish", help=f"Put them on {MODEL_PARAMS}: workers change over.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Fit a purchase model and Gamma-Gamma by maximum likelihood.

    The JSON is what CLV_MODEL_PARAMS takes: parameters in days and minor units, with their
    standard errors, the extent of the data, a version and a checksum.
    """
    settings = Settings.load()
    _check_together(file, parameters, from_kafka=from_kafka, publish=publish)
    if file is None and not (until is None and engagements is None):
        raise typer.BadParameter("--until and --engagements need a FILE with the purchases")
    if parameters is not None:
        _publish(settings, read_parameters(parameters, settings), quiet=json)
        return
    if file is None:
        data = from_states(stored.states(settings), settings)
    else:
        data = from_file(file, settings, None if until is None else until.date())
    purchases, spend = _fitted(model.value, data)
    params = combined(purchases, spend, data.currency)
    engagement = engaged = None
    if engagements is not None:
        assert data.shop is not None, "there is a file"
        engagement = fit_offset(engagements, data.shop, model.value, data.end_day, spend, settings)
        engaged = engaged_at(engagement, data.customers, data.end_day)
        params = replace(params, engagement=engagement.fit.offset)
    params = released(params, _extent(data))
    value = rolling_value(params, data, settings, engaged)
    thresholds = tier_thresholds(value)
    document = {
        **params.to_json(time_unit.value, money_unit.value),
        **_statistics(purchases, spend, data, (time_unit.value, money_unit.value)),
        "tier_thresholds_minor": thresholds,
        "tiers": tiers_setting(thresholds),
        "left_out": dict(data.left_out),
        **({} if engagement is None else {"engagement_fit": offset_document(engagement)}),
    }
    if output is not None:
        _write(output, document)
    if json:
        print_json(document)
    else:
        if engagement is not None:
            print_offset(engagement, settings.horizon_days, console())
        _print(document, params, purchases, spend, data)
        _print_next(output, publish=publish)
    if publish:
        _publish(settings, params, quiet=json)


def _check_together(
    file: str | None, parameters: Path | None, *, from_kafka: bool, publish: bool
) -> None:
    if sum([file is not None, from_kafka, parameters is not None]) != 1:
        raise typer.BadParameter("give one of FILE, --from-kafka and --parameters")
    if parameters is not None and not publish:
        raise typer.BadParameter("--parameters is for --publish")


def _fitted(model: str, data: FitData) -> tuple[Fit, Fit]:
    customers = data.customers
    try:
        with progress(None) as bar:
            bar.add_task("fitting", total=None, note=f"{customers.frequency.size:,} customers")
            return (
                fit_purchases(model, customers),
                fit_spend(customers.frequency, customers.monetary_value),
            )
    except TooThin as error:
        raise Complaint(f"{data.source}: {error}.") from error


def _extent(data: FitData) -> dict[str, int | str]:
    """What the parameters were fitted to."""
    customers = data.customers
    return {
        "customers": int(customers.customer.size),
        "repeat_customers": int(np.count_nonzero(customers.frequency)),
        "purchase_days": int(customers.frequency.sum()) + int(customers.customer.size),
        "first_day": day_of(int(customers.first_day.min())).isoformat(),
        "last_day": day_of(data.end_day).isoformat(),
    }


def _statistics(
    purchases: Fit, spend: Fit, data: FitData, units: tuple[str, str]
) -> dict[str, object]:
    """How sure the parameters are, in the units of time and money of the document."""
    time_unit, money_unit = units
    repeats = float(data.customers.frequency.sum())
    return {
        "log_standard_errors": {
            "purchases": dict(purchases.log_standard_errors),
            "spend": dict(spend.log_standard_errors),
        },
        # Of densities: per unit of time for each repeat purchase, of money for each customer.
        "log_likelihood": {
            "purchases": purchases.log_likelihood + repeats * log_unit(time_unit),
            "spend": spend.log_likelihood + spend.customers * log_unit(money_unit, data.currency),
        },
        "converged": True,
        "held": [*purchases.held, *spend.held],
        "iterations": {"purchases": purchases.iterations, "spend": spend.iterations},
        "spend_customers": spend.customers,
    }


def _write(output: Path, document: dict[str, Any]) -> None:
    try:
        output.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    except OSError as error:
        raise Complaint(f"{output} cannot be written: {error.strerror}.") from error


def _publish(settings: Settings, params: ModelParams, *, quiet: bool) -> None:
    asyncio.run(publish_parameters(settings, params))
    if not quiet:
        console().print(
            f"Published {params.version} to {MODEL_PARAMS}: running workers change over now.",
            soft_wrap=True,
        )


def _print(
    document: dict[str, Any],
    params: ModelParams,
    purchases: Fit,
    spend: Fit,
    data: FitData,
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
    print_table(table, out)
    out.print(
        f"Converged. Log likelihood {purchases.log_likelihood:,.2f} (purchases, per day), "
        f"{spend.log_likelihood:,.2f} (order value of {spend.customers:,} customers, per minor "
        "unit)."
    )
    for caveat in (_silence(data), purchases.caveat(), spend.caveat()):
        if caveat:
            out.print(f"Mind: {caveat}")
    shares = ", ".join(
        f"{name} from {amount(document['tier_thresholds_minor'][name], params.currency)}"
        for name in TIER_SHARES
    )
    out.print(
        f"By their rolling value, 5, 15 and 30 % of the customers would be in the tiers {shares}:"
    )
    out.print(f"  CLV_TIERS={document['tiers']}", soft_wrap=True)
    for reason, count in data.left_out.items():
        out.print(f"Left out: {count:,}, {reason}.")
    for bad in data.first_bad:
        out.print(f"  line {bad.line}: {bad.detail}", markup=False)


def _silence(data: FitData) -> str:
    """What a reader must know of days after the end of a file; empty where there are none."""
    if data.shop is None or data.end_day <= data.shop.last_day:
        return ""
    return (
        f"the last purchase is of {day_of(data.shop.last_day)}, and the time from then until "
        f"{day_of(data.end_day)} counts as one in which nobody bought."
    )


def _print_next(output: Path | None, *, publish: bool) -> None:
    """What to do with the parameters, where nothing is done yet."""
    if output is not None:
        console().print(f"For workers at their start: CLV_MODEL_PARAMS={output}", soft_wrap=True)
    elif not publish:
        console().print(
            "Give them to running workers with --publish, or write them to a file with --output "
            "and name it in CLV_MODEL_PARAMS."
        )
