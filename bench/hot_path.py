"""What one event costs in the pure core, part by part: `python -m bench.hot_path`.

The least of several repetitions, in microseconds of one core. Budget: an event's bytes to an
`Event` 1.5; state decoded, changed and encoded 6 for 5 purchases and 15 engagements; windows of
20 buckets 1.5; the head of a state 1; in a batch of 2,000 the forecast of a customer
1.5 and the interval of the predicted value 3.
"""

import time
import timeit
from collections.abc import Callable

import numpy as np

from models.days import Days
from models.events import Decoder, Event
from models.fact_rows import FactRows
from models.gamma_gamma import expected_order_value
from models.parameters import CDNOW
from models.purchases import forecast_for
from models.state import State, decode, decode_summary, encode, facts_digest
from models.value_bounds import value_bounds
from models.windows import window_sums

AT_MS = 1_772_357_400_000
DAY_MS = 86_400_000
DAY = AT_MS // DAY_MS
PURCHASE = (
    b'{"id": "o-1001", "type": "purchase", "customer_id": "42", '
    b'"occurred_at": "2026-03-01T09:30:00Z", "amount_minor": 4999, "currency": "EUR", '
    b'"order_id": "1001", "channel": "web", "category": "shoes"}'
)
ENGAGEMENT = (
    b'{"id": "e-1", "type": "page_view", "customer_id": "42", "occurred_at": 1772357400000, '
    b'"channel": "app", "properties": {"nps": 9}}'
)


def customer(purchases: int, engagements: int) -> State:
    """One whose events lie a week apart, the newest on DAY."""
    state = State(revision=20, tier="gold", churn_level="low", deadline_s=AT_MS // 1000)
    state.as_of_ms, state.predicted_minor, state.at_risk_minor = AT_MS, 17_700, 930
    for number in range(engagements):
        day = DAY - 7 * (engagements - 1 - number)
        state.apply(Event(2, b"42", f"e-{number}", day * DAY_MS, 0, number % 5), day, 730)
    for number in range(purchases):
        day = DAY - 21 * (purchases - 1 - number)
        state.apply(Event(0, b"42", f"o-{number}", day * DAY_MS, 4999, -1), day, 730)
    return state


def report(name: str, call: Callable[[], object], per_call: int = 1) -> None:
    """Prints the least time of a call, divided by the rows that one call treats."""
    count = max(20_000 // per_call, 1)
    least = (
        min(timeit.repeat(call, number=count, repeat=15, timer=time.process_time))
        / count
        / per_call
    )
    print(f"{name:52s} {least * 1e6:7.2f} us")


def main() -> None:
    """Measures each part."""
    report_decoding()
    report_state()
    for rows in (1, 100, 2_000):
        report_windows(customer(5, 15), rows)
    report_values(2_000)


def report_decoding() -> None:
    """From an event's bytes to an `Event`, and the day that it counts for."""
    decoder = Decoder("EUR", {"USD": 0.92}, 3_600_000)
    dollars = PURCHASE.replace(b"EUR", b"USD")
    report("decode a purchase", lambda: decoder.purchase(PURCHASE, b"42", AT_MS))
    report("decode a purchase in another currency", lambda: decoder.purchase(dollars, b"42", AT_MS))
    report("decode an engagement", lambda: decoder.engagement(ENGAGEMENT, b"42", AT_MS))
    berlin = Days("Europe/Berlin")
    report("day of an instant (Berlin)", lambda: berlin.day(AT_MS))


def report_state() -> None:
    """What is done with a customer's state for each event."""
    state = customer(5, 15)
    data = encode(state)
    print(f"state of 5 purchases and 15 engagements: {len(data)} bytes")
    report("decode the state", lambda: decode(data))
    report("encode the state", lambda: encode(state))
    report("decode its head", lambda: decode_summary(data))
    report("digest of its facts", lambda: facts_digest(state))
    for name, kind, day in (
        ("engagement, same day", 2, DAY),
        ("engagement, new day", 2, DAY + 1),
        ("purchase, same day", 0, DAY),
        ("purchase, new day", 0, DAY + 1),
        ("purchase, 30 days out of order", 0, DAY - 30),
        ("refund, same day", 1, DAY),
        ("purchase, late", 0, DAY - 731),
        ("duplicate", 2, DAY),
    ):
        event_id = "e-3" if name == "duplicate" else "new-1"
        event = Event(kind, b"42", event_id, day * DAY_MS, 4999, 3)

        def update(event: Event = event, day: int = day) -> None:
            changed = decode(data)
            changed.apply(event, day, 730)
            encode(changed)

        report(f"decode, apply, encode: {name}", update)


def report_windows(state: State, rows: int) -> None:
    """The windows of a customer, in a batch of so many."""
    collected = FactRows()
    for _ in range(rows):
        collected.add(state)
    columns, numbers = collected.columns(CDNOW), np.arange(rows)
    today, states = np.full(rows, DAY), [state] * rows
    report(
        f"windows, a customer of {rows}",
        lambda: window_sums(columns, numbers, states, today),
        rows,
    )


def report_values(rows: int) -> None:
    """What the forecast of a customer costs, and the interval of the predicted value apart."""
    rng = np.random.default_rng(1)
    frequency = rng.geometric(0.4, rows) - 1.0
    age = rng.uniform(0.0, 730.0, rows)
    recency = np.where(frequency > 0, age * rng.uniform(size=rows), 0.0)
    forecast, bounds = forecast_for(CDNOW), value_bounds(CDNOW, 365.0)
    _, active, expected = forecast(CDNOW, frequency, recency, age, 365.0)
    predicted = expected * expected_order_value(CDNOW, [0.0], [0.0])
    report(
        f"forecast, a batch of {rows}",
        lambda: forecast(CDNOW, frequency, recency, age, 365.0),
        rows,
    )
    report(
        f"interval of the predicted value, a batch of {rows}",
        lambda: bounds.interval(frequency, age, active, predicted),
        rows,
    )


if __name__ == "__main__":
    main()
