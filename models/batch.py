"""The customers that a batch touches, and the rows that it asks to be valued.

A row is a moment at which a customer gets a score: an event applied, or a look at a tick. Before
most rows lies a silence, from the last look until now, in which the facts were those from before
the event: it is valued too, because silence may have crossed a threshold in it.

A batch has a part for each partition that takes part: its states and its time are its own. To
value rows costs mostly by the call, whatever their number: so the parts share their rows.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from models.arrays import Ints
from models.change_over import ChangeOver
from models.events import Event, Kind
from models.fact_rows import NONE, FactRows, int64s
from models.rules import Rules
from models.state import Outcome, State, decode
from models.times import MS_PER_S

_NUMBERS: Final = 5  # that are noted of each row
_ENGAGEMENT: Final = int(Kind.ENGAGEMENT)
_DUPLICATE: Final = Outcome.DUPLICATE

Read = Callable[[bytes], bytes | None]


class Customer(msgspec.Struct, gc=False):
    """One customer while a batch is worked on.

    Attributes:
        key: Kafka key.
        state: a copy, changed event by event.
        stored: as it was read, encoded; None if new.
        as_of_ms: instant of the last row, or of the stored score; 0 for neither.
        tier: step of the tier; None before the first score, or if the name is not known.
        level: the same of the churn level.
        silent_s: epoch second of the last change that silence caused; 0 for none.
        fact_row: number of the row that holds the facts as they are now; NONE before the first.
        last_row: number of the customer's last row; NONE before the first.
        judged: number of the customer's last silence in which a window ended (`models.verdicts`);
            NONE before the first.
        was_tier: name of the tier as stored; empty if new.
        was_level: the same of the churn level.
        was_id: id of the last event as stored.
        was_historic_minor: historic value as stored.
        was_predicted_minor: predicted value as stored.
        was_at_risk_minor: value at risk as stored.
    """

    key: bytes
    state: State
    stored: bytes | None = None
    as_of_ms: int = 0
    tier: int | None = None
    level: int | None = None
    silent_s: int = 0
    fact_row: int = NONE
    last_row: int = NONE
    was_tier: str = ""
    was_level: str = ""
    was_id: str = ""
    was_historic_minor: int = 0
    was_predicted_minor: int = 0
    was_at_risk_minor: int = 0
    judged: int = NONE


class Rows:
    """The numbers of all rows as columns; all (n,).

    Attributes:
        facts: row of facts of each row.
        at_ms: its instant.
        silent: facts of the silence before it; NONE where there is none.
        silent_from_ms: where that silence begins.
        earlier: the customer's row before it; NONE where it is the first.
    """

    __slots__ = ("at_ms", "earlier", "facts", "silent", "silent_from_ms")

    def __init__(self, numbers: Ints) -> None:
        self.facts, self.at_ms, self.silent, self.silent_from_ms, self.earlier = numbers


class Batch:
    """Collects rows, part by part.

    Attributes:
        rules: the policy.
        change_over: to the rules; None where none is under way.
        engaging: whether an engagement changes what is valued, also by the rules before a
            change-over.
        facts: rows of facts, which several rows may share.
        who: the customer of each row.
        events: the event of each row; None for a look.
        numbers: five of each row, end to end.
        begins: number of each part's first row.
    """

    __slots__ = (
        "begins",
        "change_over",
        "engaging",
        "events",
        "facts",
        "numbers",
        "rules",
        "who",
    )

    def __init__(self, rules: Rules, change_over: ChangeOver | None = None) -> None:
        self.rules = rules
        self.change_over = change_over
        self.engaging = rules.policy.params.engagement is not None or (
            change_over is not None and change_over.earlier.params.engagement is not None
        )
        self.facts = FactRows(engagements=self.engaging)
        self.who: list[Customer] = []
        self.events: list[Event | None] = []
        self.numbers: list[int] = []
        self.begins: list[int] = []

    def rows(self) -> Rows:
        """All rows, in the order in which they were added."""
        return Rows(int64s(self.numbers).reshape(-1, _NUMBERS).T.copy())

    def is_left(self, key: bytes) -> bool:
        """Whether the customer's score is still by the parameters before a change-over."""
        return self.change_over is not None and key in self.change_over.left

    def id_before(self, row: int, earlier: int) -> str:
        """Id of the customer's last event before a row."""
        if earlier == NONE:
            return self.who[row].was_id
        event = self.events[earlier]
        return self.who[row].was_id if event is None else event.id

    def by_part(self, rows: Sequence[int]) -> list[slice]:
        """For each part, which of some rows, ascending, are its own."""
        begins = [bisect_left(rows, begin) for begin in self.begins]
        return [slice(*ends) for ends in pairwise([*begins, len(rows)])]


class Part:
    """Collects the customers and the rows of one partition.

    Args:
        batch: that it is part of; the part before gets no more rows.
        read: what is stored by key, untouched by the batch.
        now_ms: the partition's time.

    Attributes:
        now_ms: the partition's time.
        customers: by key, in the order in which they were touched.
    """

    __slots__ = ("_batch", "_facts", "_read", "_rules", "customers", "now_ms")

    def __init__(self, batch: Batch, read: Read, now_ms: int) -> None:
        self._batch, self._rules, self._facts = batch, batch.rules, batch.facts
        self._read = read
        batch.begins.append(len(batch.who))
        self.now_ms = now_ms
        self.customers: dict[bytes, Customer] = {}

    @property
    def scored(self) -> list[Customer]:
        """Those who got a row."""
        return [customer for customer in self.customers.values() if customer.last_row != NONE]

    def customer(self, key: bytes) -> Customer:
        """The customer, decoded at the first touch."""
        found = self.customers.get(key)
        if found is None:
            stored = self._read(key)
            found = Customer(key, State()) if stored is None else self._decoded(key, stored)
            self.customers[key] = found
        return found

    def apply(self, event: Event, timestamp_ms: int) -> Outcome:
        """Applies an event to its customer's facts, and adds a row unless it is a duplicate.

        Args:
            event: a checked event.
            timestamp_ms: of its Kafka record: it moves the partition's time no further.

        Raises:
            BadEvent: the facts refuse it; nothing has changed.
        """
        # Each time a comparison, as min() and max() take three times as long.
        at_ms = event.at_ms
        now_ms = timestamp_ms if timestamp_ms < at_ms else at_ms  # noqa: FURB136
        if now_ms < self.now_ms:  # noqa: PLR1730
            now_ms = self.now_ms
        customer = self.customers.get(event.customer) or self.customer(event.customer)
        state = customer.state
        before_ms = customer.as_of_ms
        as_of_ms = at_ms if at_ms > now_ms else now_ms  # noqa: FURB136
        if as_of_ms < before_ms:  # noqa: PLR1730
            as_of_ms = before_ms
        silent = customer.fact_row
        same = event.kind == _ENGAGEMENT and not self._batch.engaging
        if silent == NONE:
            # The facts of the silence are those before the event. Unless there is an offset, an
            # engagement adds nothing to what is valued, so one row serves before and after it;
            # but it may be what makes the state forget a day that still counted while the
            # customer was silent.
            if same:
                customer.fact_row = self._facts.add(state)
                silent = customer.fact_row if before_ms else NONE
            elif 0 < state.deadline_s * MS_PER_S <= as_of_ms:
                silent = self._facts.add(state)
        rules = self._rules
        outcome = state.apply(event, rules.days.day(at_ms), rules.policy.retention_days)
        if outcome is _DUPLICATE:
            return outcome
        state.revision += 1
        self.now_ms = now_ms
        if not same:
            # If there is a silent row, it is the customer's newest: only the event lies between.
            customer.fact_row = self._facts.add(state, silent)
        self._add(customer, event, as_of_ms, silent if before_ms < as_of_ms else NONE)
        return outcome

    def look(self, customer: Customer) -> None:
        """Adds a row at the partition's time, or at the last score's if that is later."""
        at_ms = max(self.now_ms, customer.as_of_ms)
        customer.fact_row = self._facts.add(customer.state)
        self._add(customer, None, at_ms, customer.fact_row if customer.as_of_ms < at_ms else NONE)

    def change(self, customer: Customer) -> None:
        """Adds the row by which a customer changes over: nothing happened but the model."""
        change_over = self._batch.change_over
        assert change_over is not None, "somebody is left"
        customer.state.revision += 1
        at_ms = max(change_over.since_ms, customer.as_of_ms)
        customer.fact_row = self._facts.add(customer.state)
        self._add(customer, None, at_ms, NONE)

    def change_all(self, keys: Iterable[bytes]) -> None:
        """Lets customers change over who are left; nobody is where no change-over is under way."""
        if self._batch.change_over is not None:
            for key in dict.fromkeys(keys):
                if self._batch.is_left(key):
                    self.change(self.customer(key))

    def _add(self, customer: Customer, event: Event | None, at_ms: int, silent: int) -> None:
        batch = self._batch
        who = batch.who
        batch.numbers += (
            customer.fact_row,
            at_ms,
            silent,
            customer.as_of_ms,
            customer.last_row,
        )
        customer.as_of_ms = at_ms
        customer.last_row = len(who)
        who.append(customer)
        batch.events.append(event)

    def _decoded(self, key: bytes, stored: bytes) -> Customer:
        state = decode(stored)
        return Customer(
            key,
            state,
            stored,
            state.as_of_ms,
            self._rules.tiers.numbers.get(state.tier),
            self._rules.levels.numbers.get(state.churn_level),
            state.silent_s,
            NONE,
            NONE,
            state.tier,
            state.churn_level,
            state.last_event_id,
            state.spend_minor + state.late_spend_minor - state.refunded_minor,
            state.predicted_minor,
            state.at_risk_minor,
        )
