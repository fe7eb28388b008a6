"""`clv top --movers`: who moved most in value over the last days, from `clv.scores`."""

import asyncio
from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from models.times import MS_PER_DAY
from streams.cli.output import amount, console, print_json, shortly, side_console
from streams.cli.stored import bar
from streams.cli.tables import add_customer_column, print_table
from streams.cli.visible import visible
from streams.complaint import Complaint
from streams.movers import By, Mover, Movers, read_movers
from streams.settings import Settings

WHAT = {"total": "total value", "risk": "value at risk"}


def top_movers(settings: Settings, by: By, days: int, count: int, *, json: bool) -> None:
    """Print the movers, and on stderr of whom nothing can be said."""
    with bar() as told:
        found = asyncio.run(read_movers(settings, by, days, told))
    moves, unknown = found.moves()
    if json:
        print_json(_document(found, moves, unknown, count))
        return
    if not found.customers:
        raise Complaint("Nobody has a score yet: publish events and run a worker.")
    if moves:
        console().print(f"Moves of {WHAT[found.by]} within {_period(found)}")
        print_table(_table(moves[:count]), console())
    else:
        console().print(f"Nobody's {WHAT[by]} moved within {_period(found)}.")
    _tell(moves, unknown, days)


def _period(found: Movers) -> str:
    return f"{found.days} days, {shortly(found.begin)} to {shortly(found.until)}"


def _tell(moves: Sequence[Mover], unknown: int, days: int) -> None:
    side = side_console()
    if partly := sum(not mover.whole for mover in moves):
        side.print(
            f"* {partly:,} are compared with a later score: Kafka has compacted the earlier away.",
            style="dim",
        )
    if unknown:
        side.print(
            f"{unknown:,} customers have one score left in clv.scores, so nothing is known of "
            "their moves.",
            style="dim",
        )
    if partly or unknown:
        side.print(
            f"min.compaction.lag.ms={(days + 1) * MS_PER_DAY} on clv.scores keeps what "
            f"{days} days need.",
            style="dim",
        )


def _document(found: Movers, moves: Sequence[Mover], unknown: int, count: int) -> dict[str, Any]:
    return {
        "by": found.by,
        "from": found.begin or None,
        "to": found.until or None,
        "customers": found.customers,
        "moved": len(moves),
        "unknown": unknown,
        "movers": [
            {
                "rank": rank,
                "customer_id": mover.customer_id,
                "moved_minor": mover.moved_minor,
                "before_minor": mover.before_minor,
                "now_minor": mover.now_minor,
                "currency": mover.newest.currency,
                "tier": mover.newest.tier,
                "since": mover.since,
                "as_of": mover.newest.as_of,
                "whole_period": mover.whole,
            }
            for rank, mover in enumerate(moves[:count], start=1)
        ],
    }


def _table(moves: Sequence[Mover]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", justify="right")
    add_customer_column(table)
    for name in ("moved", "before", "now"):
        table.add_column(name, justify="right")
    for name in ("tier", "against"):
        table.add_column(name)
    for rank, mover in enumerate(moves, start=1):
        currency = mover.newest.currency
        sign = "+" if mover.moved_minor > 0 else ""
        moved = f"{sign}{amount(mover.moved_minor, currency)}".removesuffix(f" {currency}")
        against = (
            "new" if mover.since is None else f"{mover.since[:10]}{'' if mover.whole else '*'}"
        )
        table.add_row(
            str(rank),
            Text(visible(mover.customer_id)),
            Text(moved, style="green" if mover.moved_minor > 0 else "red"),
            amount(mover.before_minor, currency).removesuffix(f" {currency}"),
            amount(mover.now_minor, currency),
            Text(mover.newest.tier),
            against,
        )
    return table
