"""The recount's counting, by cases worked out by hand."""

import json
from typing import Any

from tests.recount.facts import Customer, Input, Recount, day_of
from tests.recount.judge import ENGAGEMENTS, PURCHASES, Rules

ONE = Rules(partitions=1)
LATER_MS = 4_000_000_000_000  # the records' own timestamps: nothing here is in the future


class Log:
    """Writes records with the offsets of one partition each."""

    def __init__(self, rules: Rules = ONE) -> None:
        self.counted = Recount(rules)
        self._next: dict[tuple[str, int], int] = {}

    def put(self, topic: str, fields: dict[str, Any], partition: int = 0) -> None:
        offset = self._next.get((topic, partition), 0)
        self._next[topic, partition] = offset + 1
        value = json.dumps(fields).encode()
        self.counted.add([Input(topic, partition, offset, LATER_MS, None, value)])

    def trade(self, event_id: str, day: str, amount: int, kind: str = "purchase") -> None:
        self.put(PURCHASES, trade(event_id, day, amount, kind))

    def visit(self, event_id: str, day: str, kind: str = "search") -> None:
        self.put(
            ENGAGEMENTS,
            {"id": event_id, "type": kind, "customer_id": "a", "occurred_at": f"{day}T12:00:00Z"},
        )

    @property
    def customer(self) -> Customer:
        return self.counted.customers["a"]


def trade(event_id: str, day: str, amount: int, kind: str = "purchase") -> dict[str, Any]:
    return {
        "id": event_id,
        "type": kind,
        "customer_id": "a",
        "occurred_at": f"{day}T12:00:00Z",
        "amount_minor": amount,
        "currency": "EUR",
    }


def test_facts_of_a_short_life() -> None:
    log = Log()
    log.trade("o-2", "2026-02-01", 500)
    log.trade("o-1", "2026-01-01", 300)  # out of order
    log.trade("o-3", "2026-02-01", 700)  # the same day again
    log.trade("r-1", "2026-02-03", 200, "refund")
    log.visit("e-1", "2026-02-05")
    log.visit("e-2", "2026-02-05", "dance")
    seen = log.customer
    assert (seen.orders, seen.refunds, seen.historic, seen.frequency) == (3, 1, 1300, 1)
    assert (seen.first_ms, seen.last_ms) == (1_767_268_800_000, 1_769_947_200_000)
    assert seen.engagements == {"search": 1, "other": 1}
    today = day_of(1_770_292_800_000, "UTC")  # 2026-02-05
    assert seen.window(today, 1) == (0, 0, 2)
    assert seen.window(today, 3) == (0, -200, 2)
    assert seen.window(today, 5) == (2, 1000, 2)
    assert seen.window(today, 35) == (2, 1000, 2)
    assert seen.window(today, 36) == (3, 1300, 2)


def test_an_id_is_remembered_for_64_more() -> None:
    log = Log()
    log.trade("again", "2026-01-01", 1)
    log.visit("again", "2026-01-01")  # engagements have a memory of their own
    for number in range(63):
        log.trade(f"o-{number}", "2026-01-01", 1)
    log.trade("again", "2026-01-01", 1)  # still within the last 64
    assert log.customer.orders == 64
    log.trade("o-63", "2026-01-01", 1)  # the 65th: "again" is forgotten
    log.trade("again", "2026-01-01", 1)
    assert log.customer.orders == 66
    assert log.customer.engagements == {"search": 1}
    assert log.counted.outcomes == {
        (PURCHASES, "processed"): 66,
        (PURCHASES, "duplicate"): 1,
        (ENGAGEMENTS, "processed"): 1,
    }


def test_late_events_add_to_the_lifetime_only() -> None:
    log = Log()
    log.trade("o-1", "2026-01-01", 100)
    log.trade("o-2", "2024-01-02", 10)  # 730 days before: just not late
    log.trade("o-3", "2024-01-01", 1)  # 731 days
    seen = log.customer
    assert (seen.orders, seen.historic, seen.frequency) == (3, 111, 1)
    assert seen.first_ms == 1_704_196_800_000  # 2024-01-02
    assert log.counted.outcomes[PURCHASES, "late"] == 1
    assert not seen.in_doubt(730)
    log.visit("e-1", "2026-01-02")  # had it come before o-2, that would have been late too
    assert seen.in_doubt(730)


def test_a_day_ends_at_midnight_of_the_time_zone() -> None:
    assert day_of(1_767_308_400_000, "UTC") == 20_454  # 2026-01-01T23:00Z
    assert day_of(1_767_308_399_999, "Europe/Berlin") == 20_454
    assert day_of(1_767_308_400_000, "Europe/Berlin") == 20_455


def test_misplaced_events_count_where_they_belong() -> None:
    log = Log(Rules(partitions=2))
    event = trade("o-1", "2026-01-01", 100)
    home = 0 if "a" in _home_of(event) else 1
    log.put(PURCHASES, event, 1 - home)
    assert not log.counted.customers
    log.put(PURCHASES, event, home)
    assert log.customer.orders == 1
    assert list(log.counted.rerouted.values()) == [1]


def _home_of(event: dict[str, Any]) -> set[str]:
    """The customers that an event placed in partition 0 counts for."""
    log = Log(Rules(partitions=2))
    log.put(PURCHASES, event, 0)
    return set(log.counted.customers)


def test_rubbish_is_kept_by_its_place() -> None:
    log = Log()
    log.trade("o-1", "2026-01-01", 100)
    log.trade("o-2", "2026-01-01", -100)
    assert {place: faults for place, (faults, _) in log.counted.bad.items()} == {
        (PURCHASES, 0, 1): {"bad_amount"}
    }
