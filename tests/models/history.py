"""Histories of one customer, and an independent recount of their facts from the whole list."""

from collections import Counter
from typing import NamedTuple

from hypothesis import strategies as st

from models.events import Event
from models.facts import BUCKET_DAYS
from models.state import State, decode, encode

DAY_MS = 86_400_000
FIRST_DAY = 18_262  # 2020-01-01
PURCHASE, REFUND, ENGAGEMENT = 0, 1, 2


class Happening(NamedTuple):
    """An event before it has an id."""

    kind: int
    day: int  # after FIRST_DAY
    ms: int  # after midnight
    amount_minor: int
    engagement: int

    def event(self, number: int) -> Event:
        at_ms = (FIRST_DAY + self.day) * DAY_MS + self.ms
        if self.kind == ENGAGEMENT:
            return Event(ENGAGEMENT, b"c", f"e-{number}", at_ms, 0, self.engagement)
        return Event(self.kind, b"c", f"e-{number}", at_ms, self.amount_minor, -1)


def day_of(event: Event) -> int:
    return event.at_ms // DAY_MS


def newest_day(state: State) -> int:
    """Newest day of any event that was not late; 0 for none."""
    return max(state.purchase_last_day, state.engagement_last_day)


def histories(days: int, max_size: int = 40) -> st.SearchStrategy[list[Event]]:
    """Lists of events; some days are drawn often, so that days and instants are shared."""
    near_edges = st.sampled_from([0, 1, 364, 365, 366, 367, days // 2, days - 1, days])
    happening = st.builds(
        Happening,
        st.sampled_from([PURCHASE, PURCHASE, REFUND, ENGAGEMENT]),
        st.one_of(near_edges.map(lambda day: min(day, days)), st.integers(0, days)),
        st.sampled_from([0, 1, DAY_MS - 1]) | st.integers(0, DAY_MS - 1),
        st.sampled_from([0, 1, 4999, 10**12]) | st.integers(0, 10**12),
        st.integers(0, 16),
    )
    return st.lists(happening, min_size=1, max_size=max_size).map(
        lambda all_of_them: [one.event(number) for number, one in enumerate(all_of_them)]
    )


def play(events: list[Event], retention_days: int, *, stored: bool = False) -> State:
    """The state after the events, none of them refused; `stored`: through bytes each time."""
    state = State()
    for event in events:
        state.apply(event, day_of(event), retention_days)
        if stored:
            state = decode(encode(state))
    return state


def facts(state: State) -> dict[str, object]:
    """What a recount must equal."""
    return {
        "orders": state.orders,
        "refunds": state.refunds,
        "spend_minor": state.spend_minor,
        "late_spend_minor": state.late_spend_minor,
        "refunded_minor": state.refunded_minor,
        "first_at_ms": state.first_at_ms,
        "last_at_ms": state.last_at_ms,
        "first_day": state.first_day,
        "first_day_spend_minor": state.first_day_spend_minor,
        "frequency": state.frequency,
        "old_days": state.old_days,
        "purchase_buckets": list(state.purchase_buckets()),
        "engagement_buckets": list(state.engagement_buckets()),
        "engagement_counts": state.engagement_counts,
        "historic_minor": state.historic_minor,
        "repeat_spend_minor": state.repeat_spend_minor,
    }


def recount(events: list[Event], retention_days: int) -> dict[str, object]:
    """The facts of events that all came within the retention, by looking at all of them at once."""
    newest = max(map(day_of, events))
    purchases = [event for event in events if event.kind == PURCHASE]
    refunds = [event for event in events if event.kind == REFUND]
    engagements = [event for event in events if event.kind == ENGAGEMENT]
    days = sorted({day_of(event) for event in purchases})
    buckets: dict[int, list[int]] = {}
    for event in purchases + refunds:
        if day_of(event) > newest - BUCKET_DAYS:
            bucket = buckets.setdefault(day_of(event), [0, 0])
            bucket[0] += event.kind == PURCHASE
            bucket[1] += event.amount_minor if event.kind == PURCHASE else -event.amount_minor
    visits = Counter(day_of(event) for event in engagements)
    spend = sum(event.amount_minor for event in purchases)
    refunded = sum(event.amount_minor for event in refunds)
    on_first_day = sum(event.amount_minor for event in purchases if day_of(event) == days[0])
    return {
        "orders": len(purchases),
        "refunds": len(refunds),
        "spend_minor": spend,
        "late_spend_minor": 0,
        "refunded_minor": refunded,
        "first_at_ms": min((event.at_ms for event in purchases), default=0),
        "last_at_ms": max((event.at_ms for event in purchases), default=0),
        "first_day": days[0] if days else 0,
        "first_day_spend_minor": on_first_day,
        "frequency": max(len(days) - 1, 0),
        "old_days": [d for d in days if newest - retention_days <= d <= newest - BUCKET_DAYS],
        "purchase_buckets": [(day, *buckets[day]) for day in sorted(buckets)],
        "engagement_buckets": [
            (day, count) for day, count in sorted(visits.items()) if day > newest - BUCKET_DAYS
        ],
        "engagement_counts": dict(Counter(event.engagement for event in engagements)),
        "historic_minor": spend - refunded,
        "repeat_spend_minor": spend - on_first_day,
    }
