"""`clv show CUSTOMER`: the current score, from Redis; or another one, from the changelog."""

import sys
from itertools import zip_longest
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from models.score import NOT_SAID, Score
from streams.cli.output import AsJson, amount, console, print_json, share, shortly
from streams.cli.show_what_if import document, print_next_tier, print_purchase, what_if
from streams.cli.tables import print_table
from streams.cli.visible import visible
from streams.complaint import Complaint
from streams.lookups import Lookups
from streams.settings import Settings


def show(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="A customer_id.")],
    at: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="Score at another instant, as if silent until then: a date (its beginning in "
            "CLV_TIMEZONE), a time, or +30d from now.",
        ),
    ] = None,
    if_purchase: Annotated[
        str | None,
        typer.Option(
            metavar="AMOUNT",
            help="What one more purchase adds, and what is missing to the next tier.",
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Show a customer's current score; or with --at and --if-purchase another one.

    The current score comes from Redis. The others are computed from the customer's state, which
    is read from the changelog; for the past, from the input topics. Ends with exit status 1
    where there is no such customer.
    """
    settings = Settings.load()
    if at is not None or if_purchase is not None:
        _show_other(settings, customer, at, if_purchase, json=json)
        return
    lookups = Lookups(settings)
    found = lookups.score_json(customer)
    if found is None:
        raise Complaint(
            f"There is no score of customer {customer!r} among {lookups.customers():,}: look at "
            "the spelling, and whether a worker has processed the customer's events."
        )
    if json:
        sys.stdout.buffer.write(found + b"\n")
        return
    score = lookups.score(customer)
    assert score is not None, "found a moment ago"
    print_score(score, console())


def _show_other(
    settings: Settings, customer: str, at: str | None, purchase: str | None, *, json: bool
) -> None:
    found = what_if(settings, settings.policy(), customer, at, purchase)
    if found is None:
        raise Complaint(
            f"There is no state of customer {customer!r}: look at the spelling, and whether a "
            "worker has processed the customer's events."
        )
    if json:
        print_json(msgspec.to_builtins(found.at) if purchase is None else document(found))
        return
    if purchase is None:
        print_score(found.at, console())
    else:
        print_purchase(found, console())
    print_next_tier(found, console())


def print_score(score: Score, to: Console) -> None:
    """Print a score for people.

    Args:
        score: what is printed.
        to: where.
    """
    money = score.currency
    to.print(
        f"[bold]Customer {escape(visible(score.customer_id))}[/bold] is "
        f"[bold]{escape(score.tier)}[/bold], "
        f"churn level [bold]{escape(score.churn_level)}[/bold]",
        markup=True,
    )
    until = f", until {shortly(score.valid_until)} if silent" if score.valid_until else ""
    to.print(f"as of {shortly(score.as_of)}{until}; revision {score.revision}", style="dim")
    print_table(_facts(score, money), to)
    print_table(_windows(score, money), to)
    if score.engagements:
        ordered = sorted(score.engagements.items(), key=lambda item: -item[1])
        to.print(
            "engagements: " + ", ".join(f"{name} {count:,}" for name, count in ordered),
            markup=False,
        )
    to.print(f"model {score.model}, {score.model_version}", style="dim", markup=False)


def _facts(score: Score, money: str) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for _ in range(2):
        table.add_column(style="dim")
        table.add_column(justify="right")
    worth = (
        ("total value", amount(score.total_clv_minor, money)),
        ("  so far", amount(score.historic_clv_minor, money)),
        ("  predicted", amount(score.predicted_clv_minor, money)),
        ("    four in five", _interval(score, money)),
        ("at risk", amount(score.value_at_risk_minor, money)),
        ("tier value", amount(score.tier_value_minor, money)),
        ("purchases to come", f"{score.expected_purchases:.1f}"),
        ("value of an order", amount(score.expected_order_value_minor, money)),
        ("still there", share(score.p_alive)),
    )
    history = (
        ("orders", f"{score.orders:,}"),
        ("refunds", f"{score.refunds:,}"),
        ("first purchase", shortly(score.first_purchase_at)),
        ("last purchase", shortly(score.last_purchase_at)),
        ("next expected", shortly(score.expected_next_purchase_at)),
        ("churn risk", share(score.churn_risk)),
        ("decline", share(score.activity_decline)),
        ("will buy", share(score.p_active)),
    )
    for left, right in zip_longest(worth, history, fillvalue=("", "")):
        table.add_row(*left, *right)
    return table


def _interval(score: Score, money: str) -> str:
    """What the predicted value will be in four cases of five, such as `0.00 to 97.20 EUR`."""
    if score.predicted_clv_high_minor == NOT_SAID:
        return "-"
    low = amount(score.predicted_clv_low_minor, money).removesuffix(f" {money}")
    return f"{low} to {amount(score.predicted_clv_high_minor, money)}"


def _windows(score: Score, money: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("last days")
    for name in ("orders", "revenue", "engagements"):
        table.add_column(name, justify="right")
    windows = score.windows
    for days, window in (
        ("7", windows.days_7),
        ("30", windows.days_30),
        ("90", windows.days_90),
        ("365", windows.days_365),
    ):
        revenue = amount(window.revenue_minor, money)
        table.add_row(days, f"{window.orders:,}", revenue, f"{window.engagements:,}")
    return table
