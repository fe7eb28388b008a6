"""`clv calendar`: who will fall on which day, if nobody buys."""

import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from models.outlook import Day, by_day, falls
from models.policy import Policy
from models.rules import rules_of
from streams.cli import stored
from streams.cli.output import AsJson, amount, console, print_json
from streams.cli.plot_file import drawable, drawing_to
from streams.cli.tables import print_table
from streams.complaint import Complaint
from streams.settings import Settings
from streams.shop_history import day_of

DAYS_MAX = 3660


def calendar(
    days: Annotated[
        int, typer.Option(min=1, max=DAYS_MAX, help="How many days, today included.")
    ] = 30,
    plot: Annotated[Path | None, typer.Option(help="Draw the days to a PNG.")] = None,
    json: AsJson = False,
) -> None:
    """Tell how many customers will fall by tier and churn level on each day, if silent.

    Whoever buys does not fall: it is the list of whom there is still time to reach. Value at
    stake is the value at risk, right after their falls, of the customers who fall that day. The
    instants are exact, from the states that the workers keep; days are those of CLV_TIMEZONE.
    With CLV_CLOCK=events today is the day that time has reached.
    """
    settings = Settings.load()
    picture = None if plot is None else drawable(plot)
    policy = settings.policy()
    found = stored.states(settings)
    if not found.states and not json:  # a program gets days on which nobody falls
        raise Complaint("There is no customer yet: publish events and run a worker.")
    policy = found.scored_by(policy)
    start_ms = found.reached_ms if settings.clock == "events" else time.time_ns() // 1_000_000
    table = _outlook(policy, found.states, start_ms, days)
    if picture is not None:
        with drawing_to(picture):
            from streams.cli.calendar_plot import draw  # noqa: PLC0415 - it imports matplotlib

            draw(picture, table, policy)
    if json:
        print_json(document(table, policy, start_ms))
    else:
        print_table(_table(table, policy), console())


def _outlook(policy: Policy, states: dict[bytes, bytes], start_ms: int, days: int) -> list[Day]:
    zone = rules_of(policy).days
    first_day = zone.day(start_ms)
    end_ms = zone.start_ms(first_day + days) - 1
    return by_day(policy, falls(policy, states.items(), start_ms, end_ms), first_day, days)


def document(table: Sequence[Day], policy: Policy, start_ms: int) -> dict[str, Any]:
    """What `--json` prints."""
    at = datetime.fromtimestamp(start_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return {
        "from": at.replace("+00:00", "Z"),
        "timezone": policy.timezone,
        "currency": policy.currency,
        "days": [
            {
                "date": day_of(day.day).isoformat(),
                "customers": day.customers,
                "tiers": {name: day.tiers[name] for name in policy.tier_names[:-1]},
                "levels": {name: day.levels[name] for name in policy.level_names[1:]},
                "value_at_risk_minor": day.at_risk_minor,
                "predicted_clv_minor": day.predicted_minor,
            }
            for day in table
        ],
    }


def _table(table: Sequence[Day], policy: Policy) -> Table:
    tiers, levels = policy.tier_names[-2::-1], policy.level_names[1:]
    shown = Table(
        title="Falls to come, if silent",
        title_justify="left",
        box=None,
        pad_edge=False,
        header_style="dim",
        show_footer=True,
        footer_style="bold",
    )
    total_tiers: Counter[str] = sum((day.tiers for day in table), Counter())
    total_levels: Counter[str] = sum((day.levels for day in table), Counter())
    shown.add_column("day", footer="all")
    for name in tiers:
        shown.add_column(Text(f"to\n{name}"), footer=f"{total_tiers[name]:,}", justify="right")
    for name in levels:
        shown.add_column(Text(f"{name}\nrisk"), footer=f"{total_levels[name]:,}", justify="right")
    # Without a sum: who falls on two days has the same value at stake on both.
    shown.add_column("value at stake", justify="right")
    for day in table:
        counts = [day.tiers[name] for name in tiers] + [day.levels[name] for name in levels]
        shown.add_row(
            f"{day_of(day.day):%a %d %b %Y}",
            *(f"{count:,}" if count else "[dim]-" for count in counts),
            amount(day.at_risk_minor, policy.currency) if day.customers else "[dim]-",
        )
    return shown
