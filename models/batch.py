"""The customers that a batch touches, and the rows that it asks to be valued.

A row is a moment at which a customer gets a score: an event applied, or a look at a tick. Before
most rows lies a silence, from the last look until now, in which the facts were those from before
the event: it is valued too, because silence may have crossed a threshold in it.
"""

from collections.abc import Callable
from typing import Final

from models.events import Event, Kind
from models.fact_rows import FactRows
from models.state import Outcome, State, decode
from models.valuation import Rules

NONE: Final = -1
"""No row, no silence."""

_ENGAGEMENT: Final = int(Kind.ENGAGEMENT)
_DUPLICATE: Final = Outcome.DUPLICATE
_MS_PER_S: Final = 1_000

Read = Callable[[bytes], bytes | None]


class Customer:
    """One customer while a batch is worked on.

    Attributes:
        key: Kafka key.
        state: a copy, changed event by event.
        as_of_ms: instant of the last row, or of the stored score.
        fact_row: number of the row that holds the facts as they are now; NONE before the first.
        last_row: number of the customer's last row; NONE before the first.
        tier: step of the tier; None before the first score, or if the name is not known.
        level: the same of the churn level.
        silent_s: epoch second of the last change that silence caused; 0 for none.
        was: tier, level, historic, predicted and at-risk minor units as stored; None if new.
    """

    __slots__ = (
        "as_of_ms", "fact_row", "key", "last_row", "level", "silent_s", "state", "tier", "was",
    )  # fmt: skip

    def __init__(self, rules: Rules, key: bytes, stored: bytes | None) -> None:
        self.key = key
        self.fact_row = NONE
        self.last_row = NONE
        if stored is None:
            self.state = State()
            self.as_of_ms = 0
            self.tier: int | None = None
            self.level: int | None = None
            self.was: tuple[str, str, int, int, int] | None = None
            self.silent_s = 0
            return
        self.state = state = decode(stored)
        self.as_of_ms = state.as_of_ms
        self.tier = rules.tiers.index(state.tier)
        self.level = rules.levels.index(state.churn_level)
        self.was = (
            state.tier,
            state.churn_level,
            state.historic_minor,
            state.predicted_minor,
            state.at_risk_minor,
        )
        self.silent_s = state.silent_s


class Batch:
    """Collects customers and rows; parallel lists, one entry a row.

    Attributes:
        rules: the policy.
        now_ms: the partition's time.
        read: what is stored by key, untouched by the batch.
        facts: rows of facts, which several rows may share.
        customers: by key, in the order in which they were touched.
        who: the customer of each row.
        events: the event of each row; None for a look.
        fact_rows: number of the facts of each row.
        at_ms: instant of each row.
        silent_rows: facts of the silence before each row; NONE where there is none.
        silent_from_ms: where that silence begins.
        earlier: number of the customer's row before; NONE where it is the first.
        last_ids: id of the customer's last event before the row.
    """

    def __init__(self, rules: Rules, read: Read, now_ms: int) -> None:
        self.rules = rules
        self.now_ms = now_ms
        self.facts = FactRows()
        self.customers: dict[bytes, Customer] = {}
        self.who: list[Customer] = []
        self.events: list[Event | None] = []
        self.fact_rows: list[int] = []
        self.at_ms: list[int] = []
        self.silent_rows: list[int] = []
        self.silent_from_ms: list[int] = []
        self.earlier: list[int] = []
        self.last_ids: list[str] = []
        self.read = read

    def customer(self, key: bytes) -> Customer:
        """The customer, decoded at the first touch."""
        found = self.customers.get(key)
        if found is None:
            found = self.customers[key] = Customer(self.rules, key, self.read(key))
        return found

    def apply(self, event: Event, timestamp_ms: int) -> Outcome:
        """Applies an event to its customer's facts, and adds a row unless it is a duplicate.

        Args:
            event: a checked event.
            timestamp_ms: of its Kafka record: it moves the partition's time no further.

        Raises:
            BadEvent: the facts refuse it; nothing has changed.
        """
        customer = self.customer(event.customer)
        state = customer.state
        now_ms = max(self.now_ms, min(event.at_ms, timestamp_ms))
        as_of_ms = max(now_ms, event.at_ms, customer.as_of_ms)
        before_ms = customer.as_of_ms
        silent_row = customer.fact_row
        engagement = event.kind == _ENGAGEMENT
        if silent_row == NONE and not engagement and 0 < state.deadline_s * _MS_PER_S <= as_of_ms:
            silent_row = self.facts.add(state)
        last_id = state.last_event_id
        outcome = state.apply(
            event, self.rules.days.day(event.at_ms), self.rules.policy.retention_days
        )
        if outcome is _DUPLICATE:
            return outcome
        state.revision += 1
        self.now_ms = now_ms
        # An engagement moves none of the facts that are valued: the silence goes on through it.
        if not engagement or customer.fact_row == NONE:
            customer.fact_row = self.facts.add(state)
            if engagement and before_ms:
                silent_row = customer.fact_row
        self._add(customer, event, as_of_ms, silent_row, before_ms, last_id)
        return outcome

    def look(self, customer: Customer) -> None:
        """Adds a row at the partition's time, or at the last score's if that is later."""
        state = customer.state
        customer.fact_row = self.facts.add(state)
        at_ms = max(self.now_ms, customer.as_of_ms)
        self._add(customer, None, at_ms, customer.fact_row, customer.as_of_ms, state.last_event_id)

    def _add(
        self,
        customer: Customer,
        event: Event | None,
        at_ms: int,
        silent_row: int,
        silent_from_ms: int,
        last_id: str,
    ) -> None:
        self.earlier.append(customer.last_row)
        customer.last_row = len(self.who)
        customer.as_of_ms = at_ms
        self.who.append(customer)
        self.events.append(event)
        self.fact_rows.append(customer.fact_row)
        self.at_ms.append(at_ms)
        self.silent_rows.append(silent_row if silent_from_ms < at_ms else NONE)
        self.silent_from_ms.append(silent_from_ms)
        self.last_ids.append(last_id)
