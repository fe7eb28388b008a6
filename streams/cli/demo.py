"""`clv demo`: CDNOW through a worker, with everything embedded."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from models.score import Score
from streams import logs
from streams.cli.output import amount, console, progress, side_console
from streams.cli.show import print_score
from streams.cli.tables import print_table
from streams.ctrl_c import CtrlC
from streams.datasets import CURRENCY
from streams.demo import Played, play, purchases
from streams.embedded.broker import EmbeddedBroker
from streams.embedded.redis import EmbeddedRedis
from streams.lookups import Lookups
from streams.settings import Settings
from streams.topics import every_topic
from streams.transport.app import LaneApp
from streams.worker import run

LAST: Final = 6
"""How many of the last changes of each kind are shown."""

STILL_THERE: Final = 0.5
"""`p_alive` from which on a score says when the next purchase is expected."""


def demo(
    customers: Annotated[
        int | None, typer.Option(min=1, help="Play only so many of the 2,357 customers.")
    ] = None,
    keep_running: Annotated[
        bool, typer.Option("--keep-running", help="Stay up afterwards, until Ctrl-C.")
    ] = False,
) -> None:
    """Play CDNOW through a worker, with an embedded broker and Redis: nothing to install.

    The purchases of 2,357 customers of a music shop in 18 months, moved from 1997 to 2025, go
    through the very worker that production runs. At the end you see who is worth what, whose
    tier and churn level changed and why, and one look-up.

    The embedded broker lives in memory and keeps 5 MB a partition: enough for this, not for more.
    """
    logs.set_up("text", logging.WARNING)
    side = side_console()
    with CtrlC() as ctrl_c:
        with EmbeddedBroker() as broker, EmbeddedRedis() as redis:
            settings = Settings.load(
                kafka_bootstrap=broker.bootstrap,
                kafka_security_protocol="PLAINTEXT",
                redis_url=redis.url,
                currency=CURRENCY,
                clock="events",
                partitions=4,
                metrics_port=0,
                instance=None,
                model_params=None,
            )
            broker.create([topic.name for topic in every_topic(settings)])
            side.print("Worker, embedded broker and embedded Redis start ...")
            asyncio.run(_demo(settings, customers, ctrl_c, keep_running=keep_running))
        if ctrl_c.pressed:
            raise KeyboardInterrupt


async def _demo(
    settings: Settings, customers: int | None, ctrl_c: CtrlC, *, keep_running: bool
) -> None:
    stop = asyncio.Event()
    running: asyncio.Future[LaneApp] = asyncio.get_running_loop().create_future()
    worker = asyncio.create_task(
        run(settings, stop=stop, embedded=True, started=running.set_result)
    )
    try:
        # Ctrl-C waits until it runs: only then does a worker end without leaving tasks behind.
        await _first(worker, running)
        if running.done():
            showing = asyncio.create_task(
                _show(settings, running.result(), customers, keep_running=keep_running)
            )
            interrupting = asyncio.create_task(ctrl_c.wait())
            await _first(worker, showing, interrupting)
            interrupting.cancel()
            showing.cancel()
            with suppress(asyncio.CancelledError):
                await showing
    finally:
        stop.set()
        await worker


async def _first(*ends: asyncio.Future[Any]) -> None:
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)


async def _show(
    settings: Settings, app: LaneApp, customers: int | None, *, keep_running: bool
) -> None:
    called = _summarize(console(), settings, await _play(settings, app, customers))
    if keep_running:
        _invite(console(), settings, called)
        await asyncio.Event().wait()  # for ever: whoever awaits this ends it


async def _play(settings: Settings, app: LaneApp, customers: int | None) -> Played:
    rows = purchases(customers)
    await app.ready()
    with progress(len(rows)) as bar:
        task = bar.add_task("purchases", total=len(rows), note="")

        def told(at_ms: int, sent: int) -> None:
            day = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%d %b %Y")
            bar.update(task, completed=sent, note=day)

        return await play(settings, app, rows, told)


def _summarize(to: Console, settings: Settings, played: Played) -> str:
    """Show what there is to see; the id of the customer who was looked up."""
    lookups = Lookups(settings)
    scores = list(lookups.scores())
    to.print(
        f"\n[bold]{played.purchases:,} purchases of {len(scores):,} customers[/bold], "
        f"January 2025 to June 2026, in {played.seconds:.0f} seconds\n"
    )
    print_table(_tiers(scores, [name for name, _ in settings.tiers]), to)
    to.print()
    for title, changes, value, header in (
        ("Last tier changes", played.tier_changes, "tier_value_minor", "tier value"),
        ("Last churn-risk changes", played.churn_changes, "value_at_risk_minor", "at risk"),
    ):
        print_table(_changes(title, changes, value, header), to)
        to.print()
    silent = Counter(c["cause"] for c in [*played.tier_changes, *played.churn_changes])["silence"]
    total = len(played.tier_changes) + len(played.churn_changes)
    to.print(f"{silent:,} of {total:,} changes had no event: silence alone caused them.\n")
    called = _whom_to_call(scores)
    begun = time.perf_counter()
    score = lookups.score(called.customer_id)
    milliseconds = 1000 * (time.perf_counter() - begun)
    to.print(
        "[bold]Whom to call first[/bold] of those who are probably still there, looked up in "
        f"{milliseconds:.1f} ms:\n"
    )
    if score is not None:
        print_score(score, to)
    to.print("\nAt risk is what silence has cost: predicted after the last purchase, less now.")
    return called.customer_id


def _whom_to_call(scores: Sequence[Score]) -> Score:
    """The most value at risk of those who are probably still there: others no call brings back."""
    there = [score for score in scores if (score.p_alive or 0.0) >= STILL_THERE]
    return max(there or scores, key=lambda score: score.value_at_risk_minor)


def _tiers(scores: Sequence[Score], names: Sequence[str]) -> Table:
    table = Table(title="Customers by tier", title_justify="left", box=None, pad_edge=False)
    for column in ("tier", "customers", "revenue so far", "predicted, 1 year", "value at risk"):
        table.add_column(column, justify="left" if column == "tier" else "right")
    for name in reversed(names):
        members = [score for score in scores if score.tier == name]
        table.add_row(name, f"{len(members):,}", *_sums(members))
    table.add_row("[bold]all", f"{len(scores):,}", *_sums(scores), style="bold")
    return table


def _sums(scores: Sequence[Score]) -> list[str]:
    return [
        amount(sum(values), CURRENCY)
        for values in (
            [score.historic_clv_minor for score in scores],
            [score.predicted_clv_minor for score in scores],
            [score.value_at_risk_minor for score in scores],
        )
    ]


def _changes(title: str, changes: Sequence[dict[str, Any]], value: str, header: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("when", "customer", "from", "to", "cause", header):
        table.add_column(column, justify="right" if column == header else "left")
    for change in changes[-LAST:]:
        table.add_row(
            str(change["crossed_at"])[:16].replace("T", " "),
            str(change["customer_id"]),
            str(change["from"] or "-"),
            str(change["to"]),
            str(change["cause"]),
            amount(int(change[value]), CURRENCY),
        )
    return table


def _invite(to: Console, settings: Settings, customer: str) -> None:
    url = settings.redis_url.get_secret_value()
    to.print(
        "\nThe worker stays up. In another terminal:\n\n"
        f"  export CLV_KAFKA_BOOTSTRAP={settings.kafka_bootstrap} CLV_REDIS_URL={url} "
        f"CLV_CURRENCY={CURRENCY} CLV_CLOCK={settings.clock}\n"
        "  .venv/bin/clv top --by risk\n"
        f"  .venv/bin/clv show {customer}\n"
        f"  .venv/bin/clv show {customer} --if-purchase 49.99\n"
        "  .venv/bin/clv calendar\n"
        "  .venv/bin/clv publish FILE.csv\n\n"
        "`clv topics` and further workers need a real Kafka.\n"
        "Ctrl-C ends it, and with it all that was published.",
        soft_wrap=True,
    )
