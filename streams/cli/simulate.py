"""`clv simulate`: customers drawn from the model itself, as the events that they cause."""

import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from models.times import MS_PER_DAY
from streams.cli.output import side_console
from streams.cli.sending import Source, report, send
from streams.complaint import Complaint
from streams.event_lines import Router
from streams.settings import Settings
from streams.simulated_lines import Shares, lines
from streams.simulated_shop import draw_purchases

_WRITTEN_AT_ONCE = 10_000


def _share(what: str) -> Any:
    return typer.Option(min=0.0, max=0.99, metavar="P", help=f"Share of lines: {what}.")


def simulate(
    customers: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many customers there are.")
    ] = 1000,
    days: Annotated[
        int, typer.Option(min=1, max=7300, metavar="D", help="Days the shop is watched.")
    ] = 365,
    events: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Scale all purchase rates to give exactly so many lines."
        ),
    ] = None,
    engagements: Annotated[float, _share("engagements")] = 0.0,
    refunds: Annotated[float, _share("refunds")] = 0.0,
    duplicates: Annotated[float, _share("sent twice")] = 0.0,
    late: Annotated[float, _share("out of order")] = 0.0,
    rubbish: Annotated[float, _share("no events")] = 0.0,
    seed: Annotated[
        int, typer.Option(min=0, metavar="S", help="The same seed gives the same lines.")
    ] = 1,
    start: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            metavar="DATE",
            help="First day. Default: so that the last one was yesterday.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help="File for the lines; default: stdout."),
    ] = None,
    publish: Annotated[bool, typer.Option("--publish", help="Publish them to Kafka.")] = False,
    rate: Annotated[
        float | None, typer.Option(min=0.1, metavar="N", help="With --publish: lines a second.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="With --publish: say what was published as JSON.")
    ] = False,
) -> None:
    """Draw customers from the model, and write their events as JSON lines.

    Lines are in the order of time, except those that are late. Shares are of all lines; what is
    left are purchases. The model is that of CLV_MODEL_PARAMS, or CDNOW's.
    """
    settings = Settings.load()
    started = time.monotonic()
    shares = Shares(engagements, refunds, duplicates, rubbish, late)
    first_day = start.replace(tzinfo=UTC) if start else _days_ago(days)
    made = _lines(settings, customers, days, events, shares, seed, first_day)
    if publish:
        router = Router(settings, refuse_bad=False)
        numbered = iter(enumerate(made, start=1))
        send(settings, router, Source(numbered, len(made), lambda: router.tally.lines), rate)
        report(router.tally, time.monotonic() - started, json=json, dry_run=False)
    else:
        _write(made, output)
        side_console().print(f"{len(made):,} lines in {time.monotonic() - started:.1f} s")


def _days_ago(days: int) -> datetime:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=days)


def _lines(
    settings: Settings,
    customers: int,
    days: int,
    events: int | None,
    shares: Shares,
    seed: int,
    first_day: datetime,
) -> list[bytes]:
    if shares.purchases <= 0:
        raise typer.BadParameter("shares together must leave some lines for purchases: lower one")
    if shares.refunds > shares.purchases:
        raise typer.BadParameter(
            "there is at most one refund a purchase: lower --refunds or other shares"
        )
    counts = shares.of(events) if events is not None else None
    if counts is not None and counts.purchases < customers:
        raise typer.BadParameter(
            f"{events:,} lines have {counts.purchases:,} purchases, and every customer has one: "
            f"raise --events, or lower --customers from {customers:,}"
        )
    rng = np.random.default_rng(seed)
    start_ms = int(first_day.timestamp() * 1000)
    purchases = draw_purchases(
        settings.params(),
        customers=customers,
        days=days,
        start_ms=start_ms,
        total=counts.purchases if counts else None,
        rng=rng,
    )
    bought = purchases.customer.size
    return lines(
        purchases,
        counts or shares.of(round(bought / shares.purchases)),
        end_ms=start_ms + days * MS_PER_DAY - 1,
        currency=settings.currency,
        id_prefix=str(seed),
        rng=rng,
    )


def _write(made: list[bytes], output: Path | None) -> None:
    try:
        stream = (
            output.open("wb") if output else os.fdopen(sys.stdout.fileno(), "wb", closefd=False)
        )
    except OSError as error:
        raise Complaint(f"{output} cannot be written: {error.strerror}.") from error
    with stream:
        for first in range(0, len(made), _WRITTEN_AT_ONCE):
            stream.write(b"\n".join(made[first : first + _WRITTEN_AT_ONCE]) + b"\n")
