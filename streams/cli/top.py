"""`clv top`: who is most valuable, and whom to call first, from Redis; who moved, from Kafka."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from models.score import document
from streams.cli.output import AsJson, amount, console, print_json, shortly
from streams.cli.tables import add_customer_column, print_table
from streams.cli.top_movers import top_movers
from streams.cli.visible import visible
from streams.complaint import Complaint
from streams.lookups import Lookups, Ranked
from streams.settings import Settings

DAYS = 7
DAYS_MAX = 3_660


class WrongUsage(Complaint):
    """Options that do not go together."""

    status = 2


class By(StrEnum):
    """What customers are ranked by."""

    TOTAL = "total"
    RISK = "risk"


def top(
    by: Annotated[
        By, typer.Option("--by", help="total: value so far and predicted; risk: value at risk.")
    ] = By.TOTAL,
    count: Annotated[
        int, typer.Option("-n", "--count", min=1, max=100_000, help="How many customers.")
    ] = 10,
    movers: Annotated[
        bool, typer.Option("--movers", help="Rank by how much the value moved lately.")
    ] = False,
    days: Annotated[
        int | None,
        typer.Option(min=1, max=DAYS_MAX, help=f"With --movers: over how many days [{DAYS}]."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Rank customers by value, or by the value that their silence has put at risk.

    With --movers, by how much that value rose or fell over the last days, counted back from the
    newest score. Two published scores are compared: a customer's newest, and the one that held
    when the days began. Both come from clv.scores, which Kafka compacts: where the earlier one is
    gone, the earliest that is left takes its place (marked *), and where only the newest is left,
    the customer is counted on stderr.
    """
    settings = Settings.load()
    if movers:
        top_movers(settings, by.value, DAYS if days is None else days, count, json=json)
        return
    if days is not None:
        raise WrongUsage("--days needs --movers: a ranking from Redis is of now.")
    ranked = Lookups(settings).top(by.value, count)
    if json:
        print_json([_document(place, row) for place, row in enumerate(ranked, start=1)])
    elif ranked:
        print_table(_table(ranked), console())
    else:
        raise Complaint(
            "Nobody is ranked yet: publish events and run a worker."
            if by is By.TOTAL
            else "Nobody's value is at risk."
        )


def _document(place: int, row: Ranked) -> dict[str, object]:
    score = None if row.score is None else document(row.score)
    return {
        "rank": place,
        "customer_id": row.customer_id,
        "value_minor": row.value_minor,
        "score": score,
    }


def _table(ranked: list[Ranked]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", justify="right")
    add_customer_column(table)
    for name in ("total", "at risk"):
        table.add_column(name, justify="right")
    for name in ("tier", "churn", "last purchase"):
        table.add_column(name)
    for place, (customer, _, score) in enumerate(ranked, start=1):
        if score is None:  # removed between the ranking and the look-up
            table.add_row(str(place), Text(visible(customer)))
            continue
        table.add_row(
            str(place),
            Text(visible(customer)),
            amount(score.total_clv_minor, score.currency),
            amount(score.value_at_risk_minor, score.currency),
            Text(score.tier),
            Text(score.churn_level),
            shortly(score.last_purchase_at)[:10],
        )
    return table
