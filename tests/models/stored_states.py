"""The states of the golden files, and the worst state there can be.

`CLV_WRITE_GOLDEN=1 python -m tests.models.stored_states` writes the files of the current version
that are missing; a file that is there is never written again.
"""

import os
from pathlib import Path

from models.events import ENGAGEMENT_TYPES, Event
from models.facts import TOTAL_MINOR_MAX
from models.state import VERSION, State, encode
from tests.models.history import DAY_MS, ENGAGEMENT, FIRST_DAY, PURCHASE, REFUND

GOLDEN = Path(__file__).parent / "golden"
NAME_BYTES_MAX = 32  # of a tier or churn level
MORNING_MS = 34_200_123  # 09:30:00.123


def empty() -> State:
    return State()


def regular(purchases: int, engagements: int) -> State:
    """A customer who bought and came on days of their own, with five types of engagement."""
    state = State(
        revision=purchases + engagements,
        tier="gold",
        churn_level="low",
        deadline_s=1_600_000_000,
        as_of_ms=(FIRST_DAY + 300) * DAY_MS + MORNING_MS,
        predicted_minor=17_700,
        at_risk_minor=930,
        chance_bp=1_234,
    )
    for number in range(engagements):
        day = FIRST_DAY + 300 * number // engagements
        at_ms = day * DAY_MS + MORNING_MS
        event = Event(ENGAGEMENT, b"42", f"e-{number}", at_ms, 0, number % 5)
        state.apply(event, day, 730)
    for number in range(purchases):
        day = FIRST_DAY + 300 * number // purchases
        at_ms = day * DAY_MS + MORNING_MS
        state.apply(Event(PURCHASE, b"42", f"o-{number}", at_ms, 4999, -1), day, 730)
    state.last_event_id = "e-123456"
    return state


def eventful() -> State:
    """A customer with refunds, purchase days older than a year, and several events a day."""
    state = regular(4, 12)
    for number, day in enumerate((310, 310, 390, 500, 500, 900)):
        at_ms = (FIRST_DAY + day) * DAY_MS + MORNING_MS + number
        for kind in (REFUND, ENGAGEMENT, PURCHASE):
            amount = 0 if kind == ENGAGEMENT else 1_000 + number
            engagement = 16 if kind == ENGAGEMENT else -1
            event = Event(kind, b"42", f"x-{number}-{kind}", at_ms, amount, engagement)
            state.apply(event, FIRST_DAY + day, 730)
    return state


def daily(days: int, retention_days: int) -> State:
    """A customer who bought and came every day, and whose ids are as long as they may be."""
    state = State(tier="t" * NAME_BYTES_MAX, churn_level="c" * NAME_BYTES_MAX, chance_bp=10_000)
    for day in range(FIRST_DAY, FIRST_DAY + days):
        at_ms = day * DAY_MS + MORNING_MS
        long_id = f"{day}".rjust(256, "x")
        event = Event(ENGAGEMENT, b"c", long_id, at_ms, 0, day % len(ENGAGEMENT_TYPES))
        state.apply(event, day, retention_days)
        state.apply(Event(PURCHASE, b"c", long_id, at_ms, 10**12, -1), day, retention_days)
    return state


def worst(retention_days: int) -> State:
    """The same, each number as large as it can be: millions of events of 10^12 a day."""
    state = daily(retention_days + 2, retention_days)
    state.revision = state.deadline_s = state.orders = state.refunds = 2**32 - 1
    state.as_of_ms = state.first_at_ms = state.last_at_ms = 253_402_300_799_999
    state.predicted_minor = state.at_risk_minor = TOTAL_MINOR_MAX
    state.spend_minor = state.late_spend_minor = state.refunded_minor = TOTAL_MINOR_MAX
    state.first_day_spend_minor = TOTAL_MINOR_MAX
    state.purchase_orders = [2**32 - 1] * len(state.purchase_orders)
    state.purchase_net_minor = [-TOTAL_MINOR_MAX] * len(state.purchase_net_minor)
    state.engagement_day_counts = [2**32 - 1] * len(state.engagement_day_counts)
    state.engagement_counts = dict.fromkeys(range(len(ENGAGEMENT_TYPES)), 2**40)
    return state


STATES = {
    "empty": empty(),
    "regular": regular(5, 10),
    "eventful": eventful(),
    "daily": daily(700, 500),
}


def main() -> None:
    for name, state in STATES.items():
        path = GOLDEN / f"v{VERSION}-{name}.msgpack"
        if os.environ.get("CLV_WRITE_GOLDEN") == "1" and not path.exists():
            path.write_bytes(encode(state))


if __name__ == "__main__":
    main()
