"""`clv show CUSTOMER --at DATE` and `--if-purchase AMOUNT`: other instants, and one more order."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from models.events import AMOUNT_MINOR_MAX
from models.money import to_minor
from models.policy import Policy
from models.score import Score
from models.state import decode
from models.what_if import NextTier, next_tier, score_at, score_if_purchase
from streams.cli import stored
from streams.cli.output import amount, share, shortly, side_console
from streams.cli.tables import print_table
from streams.cli.visible import visible
from streams.complaint import Complaint
from streams.notation import read_duration
from streams.settings import Settings

_MS: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_AT_FORMS: Final = "a date such as 2026-03-31, a time such as 2026-03-31T12:00Z, or +30d from now"


class WrongOption(Complaint):
    """What was given for `--at` or `--if-purchase` is none."""

    status = 2


@dataclass(frozen=True)
class WhatIf:
    """A customer at an instant, and after one more purchase then.

    Attributes:
        at: the score at the instant, silence until then.
        bought: the score right after the purchase; None where none was asked for.
        amount_minor: of that purchase, minor units.
        next_tier: what is missing to the tier above, without the purchase; None at the highest.
    """

    at: Score
    bought: Score | None
    amount_minor: int
    next_tier: NextTier | None


def what_if(
    settings: Settings, policy: Policy, customer: str, at: str | None, purchase: str | None
) -> WhatIf | None:
    """Look at a customer's stored state; None where there is none.

    Instants before the stored score are answered from the input topics, event by event: the
    state does not tell any more what was true then.

    Raises:
        WrongOption: `at` or `purchase` cannot be read.
        Complaint: there is nothing to be said of that time.
    """
    amount_minor = 0 if purchase is None else _amount(purchase, settings.currency)
    asked = None if at is None else _instant(at, settings.timezone)
    key = customer.encode()
    found = stored.states(settings, key)
    state = found.states.get(key)
    if state is None:
        return None
    policy = found.scored_by(policy)
    stored_state = decode(state)
    now_ms = found.reached_ms if settings.clock == "events" else time.time_ns() // 1_000_000
    if asked is None:
        at_ms = max(now_ms, stored_state.as_of_ms)
    else:
        at_ms = asked if isinstance(asked, int) else now_ms + asked // _MS
    if at_ms < stored_state.as_of_ms:
        state = _recall(settings, policy, customer, at_ms, stored_state.orders)
    score = score_at(policy, key, state, at_ms)
    bought = None
    if purchase is not None:
        bought = score_if_purchase(policy, key, state, at_ms, amount_minor)
    return WhatIf(score, bought, amount_minor, next_tier(policy, key, state, at_ms, score))


def document(found: WhatIf) -> dict[str, Any]:
    """What `--json` prints where a purchase was asked for."""
    assert found.bought is not None, "a purchase was asked for"
    missing = found.next_tier
    return {
        "amount_minor": found.amount_minor,
        "at": msgspec.to_builtins(found.at),
        "if_purchase": msgspec.to_builtins(found.bought),
        "adds": {
            f"{name}_minor": getattr(found.bought, f"{name}_minor")
            - getattr(found.at, f"{name}_minor")
            for name in ("total_clv", "historic_clv", "predicted_clv", "tier_value")
        },
        "next_tier": None
        if missing is None
        else {
            "tier": missing.tier,
            "threshold_minor": missing.threshold_minor,
            "missing_minor": missing.missing_minor,
            "purchase_minor": missing.purchase_minor,
        },
    }


def print_purchase(found: WhatIf, to: Console) -> None:
    """Print for people what one more purchase changes."""
    before, after = found.at, found.bought
    assert after is not None, "a purchase was asked for"
    money = before.currency
    to.print(
        f"[bold]Customer {escape(visible(before.customer_id))}[/bold], if a purchase of "
        f"[bold]{amount(found.amount_minor, money)}[/bold] came on {shortly(before.as_of)}"
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("", "without", "with", "adds"):
        table.add_column(name, justify="right" if name else "left")
    for name, field in (
        ("total value", "total_clv_minor"),
        ("  so far", "historic_clv_minor"),
        ("  predicted", "predicted_clv_minor"),
        ("tier value", "tier_value_minor"),
        ("at risk", "value_at_risk_minor"),
    ):
        one, two = getattr(before, field), getattr(after, field)
        table.add_row(name, amount(one, money), amount(two, money), _signed(two - one, money))
    table.add_row("will buy", share(before.p_active), share(after.p_active), "")
    table.add_row("tier", escape(before.tier), escape(after.tier), "")
    table.add_row("churn level", escape(before.churn_level), escape(after.churn_level), "")
    print_table(table, to)


def print_next_tier(found: WhatIf, to: Console) -> None:
    """Print in one sentence what is missing to the tier above."""
    missing, money = found.next_tier, found.at.currency
    if missing is None:
        to.print(f"{escape(found.at.tier)} is the highest tier.")
        return
    if missing.purchase_minor is None:
        by = "no single purchase gets there"
    elif missing.purchase_minor == 0:  # what it lets expect is enough
        by = "any purchase gets there"
    else:
        by = f"one purchase of {amount(missing.purchase_minor, money)} gets there"
    to.print(
        f"To {escape(missing.tier)} ({amount(missing.threshold_minor, money)}) the tier value "
        f"lacks {amount(missing.missing_minor, money)}: {by}."
    )


def _signed(minor: int, money: str) -> str:
    return f"{'+' if minor > 0 else ''}{amount(minor, money)}"


def _recall(settings: Settings, policy: Policy, customer: str, at_ms: int, orders: int) -> bytes:
    past = stored.past(settings, policy, customer.encode(), at_ms)
    if past.state is None:
        raise Complaint(
            f"The input topics hold no event of customer {customer!r} until then: ask for a later "
            "date."
        )
    if past.orders < orders:
        side_console().print(
            f"The input topics hold only {past.orders:,} of {orders:,} orders of customer "
            f"{customer!r}, as older ones have been deleted: what was true then was more.",
            markup=False,
        )
    return past.state


def _instant(text: str, timezone: str) -> int | timedelta:
    """Epoch ms of a date (its beginning) or a time (of the settings' zone if it names none).

    How long after now, where it is such as +30d.
    """
    try:
        if text.startswith("+"):
            return read_duration(text[1:])
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            at = at.replace(tzinfo=ZoneInfo(timezone))
        return (at - _EPOCH) // _MS
    except (ValueError, OverflowError) as error:
        raise WrongOption(f"--at is {text!r}; it must be {_AT_FORMS}.") from error


def _amount(text: str, currency: str) -> int:
    """Minor units of an amount in major units."""
    try:
        minor = to_minor(Decimal(text), currency)
    except (InvalidOperation, ValueError, OverflowError):
        minor = -1
    if not 0 <= minor <= AMOUNT_MINOR_MAX:
        raise WrongOption(
            f"--if-purchase is {text!r}; it must be an amount in {currency}, such as 49.99."
        )
    return minor
