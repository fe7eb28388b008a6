"""`clv evaluate FILE --calibration-end DATE`: held-out accuracy of every model."""

from datetime import datetime
from math import isnan
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from models.accuracy import Scored
from models.evaluation import Evaluation
from models.evaluation import evaluate as judge
from models.fitting import TooThin
from models.purchases import MODELS
from models.total_misses import total_misses
from streams.cli.evaluate_engagements import document as engaged_document
from streams.cli.evaluate_engagements import judge_engagement, print_engagement
from streams.cli.evaluation_figures import SHOWN, cell, figures, revenue_row
from streams.cli.fit import Model
from streams.cli.output import AsJson, amount, console, print_json, progress
from streams.cli.plot_file import drawable, drawing_to
from streams.cli.tables import print_table
from streams.complaint import Complaint
from streams.settings import Settings
from streams.shop_history import ShopHistory, day_number, day_of, load


def evaluate(
    file: Annotated[str, typer.Argument(help="A CSV of transactions; or cdnow, cdnow-full.")],
    calibration_end: Annotated[
        datetime,
        typer.Option(formats=["%Y-%m-%d"], help="Last day of the calibration."),
    ],
    holdout_days: Annotated[
        int | None, typer.Option(min=1, help="Days after it; default: to the file's last day.")
    ] = None,
    resamples: Annotated[
        int, typer.Option(min=0, help="Bootstrap resamples for the intervals; 0: none.")
    ] = 200,
    engagements: Annotated[
        Path | None,
        typer.Option(help="Engagements, a CSV or JSON lines: judge what they add, too."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw calibration, tracking and frequencies to a PNG.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Fit all models to the days until a date, and judge them by the days after.

    Side by side with two rivals: the past rate carried forward, and a curve over the days since
    the last purchase. The model chosen is the most likely one in the calibration: the holdout
    has no say in it.
    """
    settings = Settings.load()
    picture = None if plot is None else drawable(plot)
    shop = load(file, settings.currency, settings.timezone)
    end_day = day_number(calibration_end.date())
    held_out = shop.last_day - end_day if holdout_days is None else holdout_days
    _refuse_dates(file, shop, end_day, held_out)
    work = len(MODELS) + resamples * (1 if engagements is None else 2)
    judged = None
    with progress(work) as bar:
        task = bar.add_task("evaluating", total=work, note="")

        def begun(what: str) -> None:
            bar.update(task, advance=1, note=what)

        try:
            result = judge(
                shop.purchases, end_day, held_out, shop.currency, resamples=resamples, begun=begun
            )
        except TooThin as error:
            raise Complaint(f"{file}: {error}.") from error
        if engagements is not None:
            judged = judge_engagement(engagements, result, shop, settings, resamples, begun)
    if picture is not None:
        with drawing_to(picture):
            from streams.cli.evaluation_plot import draw  # noqa: PLC0415 - it imports matplotlib

            draw(picture, result, shop.purchases)
    if json:
        print_json(
            document(result, shop)
            | ({} if judged is None else {"with_engagements": engaged_document(judged)})
        )
        return
    _print(result, shop)
    if judged is not None:
        console().print()
        print_engagement(judged, result.holdout_days, console())


def document(result: Evaluation, shop: ShopHistory) -> dict[str, Any]:
    """What `--json` prints; `models.metrics` says what each figure is."""
    return {
        "chosen": result.chosen,
        "models": {
            name: {**figures(scored), "value_coverage": result.value_coverage[name]}
            for name, scored in result.models.items()
        },
        "rivals": {name: figures(scored) for name, scored in result.rivals.items()},
        "fits": {
            name: {
                "parameters": dict(fit.values),
                "log_likelihood": fit.log_likelihood,
                "held": list(fit.held),
            }
            for name, fit in {**result.purchase_fits, "gamma-gamma": result.spend_fit}.items()
        },
        "not_fitted": dict(result.not_fitted),
        "customers": int(result.customers.customer.size),
        "calibration_end": day_of(result.end_day).isoformat(),
        "holdout_days": result.holdout_days,
        "currency": shop.currency,
        "left_out": _left_out(result, shop),
        "merged": {"same_day_orders": shop.same_day},
        "free_orders": shop.free,
        "notes": _notes(result),
    }


def _refuse_dates(file: str, shop: ShopHistory, end_day: int, holdout_days: int) -> None:
    first, last = day_of(shop.first_day), day_of(shop.last_day)
    if not shop.first_day <= end_day < shop.last_day:
        raise Complaint(
            f"--calibration-end {day_of(end_day)} leaves nothing to fit to or nothing to judge "
            f"by: {file} has purchases from {first} to {last}; take a day well between them."
        )
    if end_day + holdout_days > shop.last_day:
        raise Complaint(
            f"--holdout-days {holdout_days} goes beyond the last purchase of {file}, on {last}: "
            f"at most {shop.last_day - end_day} days are known."
        )


def _left_out(result: Evaluation, shop: ShopHistory) -> dict[str, int]:
    return {**shop.left_out, "customers_first_seen_in_holdout": result.newcomers}


def _notes(result: Evaluation) -> list[str]:
    """What a reader must not overlook."""
    chosen = result.models[result.chosen].figures
    notes = [f"{name} was not fitted: {why}." for name, why in result.not_fitted.items()]
    notes += [
        f"{name}: {why}"
        for name, fit in {**result.purchase_fits, "gamma-gamma": result.spend_fit}.items()
        if (why := fit.caveat())
    ]
    if isnan(chosen["auc_active"]):
        who = "Everybody" if chosen["actual_total"] else "Nobody"
        notes.append(f"{who} bought in the holdout: there is no telling who ranks before whom.")
    return notes + _missed(result) + _beaten(result)


def _missed(result: Evaluation) -> list[str]:
    """By how much the chosen model missed the totals, where that is no chance."""
    chosen, currency = result.models[result.chosen].figures, result.params[result.chosen].currency
    purchases, revenue = total_misses(result)
    notes = []
    if abs(purchases.too_much) > purchases.chance:
        notes.append(
            f"The chosen model expected {chosen['total']:,.0f} purchases where "
            f"{chosen['actual_total']:,.0f} came: {abs(purchases.too_much):,.0f} too "
            f"{'many' if purchases.too_much > 0 else 'few'}, where chance explains up to "
            f"{purchases.chance:,.0f} (95 %)."
        )
    if abs(revenue.too_much) > revenue.chance:
        miss, chance = (amount(round(abs(of)), currency) for of in revenue)
        notes.append(
            f"The chosen model's expected revenue is {miss} too "
            f"{'high' if revenue.too_much > 0 else 'low'}, where chance explains up to {chance} "
            "(95 %)."
        )
    return notes


def _beaten(result: Evaluation) -> list[str]:
    """In what a rival did better than the chosen model."""
    chosen = result.models[result.chosen].figures
    notes = []
    rule = result.rivals["recency"]
    for figure, what in (
        ("auc_active", "probability of a purchase"),
        ("auc_purchases", "expected purchases"),
    ):
        if rule.figures[figure] > chosen[figure]:
            notes.append(
                f"The days since the last purchase alone rank better (AUC "
                f"{rule.figures[figure]:.4f}) than the chosen model's {what} "
                f"({chosen[figure]:.4f}){_by_chance(rule, figure)}."
            )
    for name, figure in (("log score", "log_score"), ("Brier", "brier"), ("RMSE", "rmse")):
        better = [
            f"{rival.replace('_', ' ')}{_by_chance(scored, figure)}"
            for rival, scored in result.rivals.items()
            if scored.figures[figure] < chosen[figure]
        ]
        if better:
            notes.append(f"In {name} the chosen model is beaten by: {', '.join(better)}.")
    return notes


def _by_chance(scored: Scored, figure: str) -> str:
    """What to add where a figure differs from the chosen model's by no more than chance."""
    _, low, high = scored.against_chosen.get(figure, (0.0, 1.0, 1.0))
    return ", by no more than chance" if low <= 0.0 <= high else ""


def _print(result: Evaluation, shop: ShopHistory) -> None:
    out = console()
    chosen = result.models[result.chosen].figures
    out.print(
        f"{result.customers.customer.size:,} customers known on {day_of(result.end_day)}, and "
        f"what they bought in the {result.holdout_days} days after: "
        f"{chosen['actual_total']:,.0f} repeat purchases, "
        f"{amount(round(chosen['actual_revenue_minor']), shop.currency)}."
    )
    everyone = {**result.models, **result.rivals}
    table = Table(
        "",
        *(_title(name, result.chosen) for name in everyone),
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for figure, title in SHOWN.items():
        table.add_row(title, *(cell(scored, figure) for scored in everyone.values()))
    table.add_row(*revenue_row(list(everyone.values()), shop.currency))
    held = (f"{result.value_coverage[name]:.1%}" for name in result.models)
    table.add_row("80 % int.", *held, *("" for _ in result.rivals))
    print_table(table, out)
    intervals = result.models[result.chosen].intervals
    out.print(
        "* chosen: the most likely in the calibration. AUC (E) ranks by expected purchases, "
        "AUC (P) by the probability of any; total and "
        f"{shop.currency} are expected purchases and revenue. "
        f"{'Below each figure: 95 % bootstrap interval over the customers. ' if intervals else ''}"
        "MAE, RMSE, ECE, Brier and log score: lower is better. 80 % int.: "
        "the share of the customers whose revenue was within the interval that a score states."
    )
    for note in _notes(result):
        out.print(note)
    if result.chosen != Model.MBG:
        out.print(f"clv fit takes {Model.MBG}, unless --model {result.chosen} is given.")
    for reason, count in _left_out(result, shop).items():
        if count:
            out.print(f"Left out: {count:,} ({reason.replace('_', ' ')}).")
    if shop.same_day:
        out.print(f"Merged: {shop.same_day:,} orders into others of their customer and day.")
    if shop.free:
        out.print(f"Free of charge: {shop.free:,} orders, which count as purchases of no value.")
    for bad in shop.first_bad:
        out.print(f"  line {bad.line}: {bad.detail}", markup=False)


def _title(name: str, chosen: str) -> str:
    return f"{name.replace('_', ' ')}{' *' if name == chosen else ''}"
