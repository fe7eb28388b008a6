"""A partition in a test: a table, a schedule and a clock around the pure step."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import msgspec
from hypothesis import strategies as st

from models.batch import Read
from models.change_over import ChangeOver
from models.changes import Change
from models.engagement import EngagementOffset
from models.events import Event
from models.parameters import CDNOW
from models.policy import Policy
from models.schedule import Schedule
from models.score import Score
from models.silent_step import SilentWork, silence_together
from models.step import Step, step
from tests.models.naive import Crossed

DAY_MS = 86_400_000
START_MS = 1_577_836_800_000  # 2020-01-01T00:00:00Z
PURCHASE, REFUND, ENGAGEMENT = 0, 1, 2


# With an offset: half-lives of days and months, weak and strong, up and down.
ENGAGING = [
    replace(CDNOW, engagement=EngagementOffset(half_life_days=h, intercept=at, slope=slope))
    for h, at, slope in ((3.0, -0.6, 1.5), (30.0, 0.2, 0.4), (200.0, -1.0, 0.8))
]


def silence(
    policy: Policy,
    read: Read,
    due_now: Sequence[bytes],
    now_ms: int,
    change_over: ChangeOver | None = None,
) -> Step:
    """A tick of a single partition."""
    return silence_together(policy, [SilentWork(read, due_now, now_ms)], change_over)[0]


@dataclass
class Partition:
    policy: Policy
    table: dict[bytes, bytes] = field(default_factory=dict)
    schedule: Schedule = field(default_factory=Schedule)
    now_ms: int = 0
    changes: list[tuple[str, Change]] = field(default_factory=list)
    scores: dict[bytes, bytes] = field(default_factory=dict)
    deadlines: dict[bytes, int] = field(default_factory=dict)
    refreshes: int = 0
    looks: int = 0

    def play(self, events: Iterable[tuple[Event, int]]) -> Step:
        return self.take(step(self.policy, self.table.get, list(events), self.now_ms))

    def one(self, event: Event) -> Step:
        return self.play([(event, event.at_ms)])

    def tick(self, now_ms: int, limit: int = 1_000) -> None:
        self.now_ms = max(now_ms, self.now_ms)
        while due := self.schedule.due(self.now_ms, limit):
            self.looks += len(due)
            result = silence(self.policy, self.table.get, due, self.now_ms)
            self.refreshes += len(result.scores)
            self.take(result)

    def take(self, result: Step) -> Step:
        self.table.update(result.states)
        self.now_ms = result.now_ms
        self.scores.update(result.scores)
        self.deadlines.update(result.deadlines)
        for customer, deadline_s in result.deadlines:
            self.schedule.put(customer, deadline_s)
        self.changes += [("tier", change) for change in result.tier_changes]
        self.changes += [("churn", change) for change in result.churn_changes]
        return result

    def crossed(self, kind: str) -> list[Crossed]:
        found = []
        for of, change in self.changes:
            if of == kind:
                value = msgspec.json.decode(change.value)
                found.append(
                    Crossed(
                        kind,
                        change.from_,
                        change.to,
                        change.cause,
                        value["cause_id"],
                        change.crossed_at_ms,
                    )
                )
        return found


def purchase(number: int, day: float, amount_minor: int = 5_000, customer: bytes = b"42") -> Event:
    at_ms = START_MS + int(day * DAY_MS)
    return Event(PURCHASE, customer, f"o-{number}", at_ms, amount_minor, -1)


def refund(number: int, day: float, amount_minor: int, customer: bytes = b"42") -> Event:
    at_ms = START_MS + int(day * DAY_MS)
    return Event(REFUND, customer, f"r-{number}", at_ms, amount_minor, -1)


def visit(number: int, day: float, kind: int = 0, customer: bytes = b"42") -> Event:
    at_ms = START_MS + int(day * DAY_MS)
    return Event(ENGAGEMENT, customer, f"v-{number}", at_ms, 0, kind)


def score_of(partition: Partition, customer: bytes = b"42") -> Score:
    return msgspec.json.decode(partition.scores[customer], type=Score)


@st.composite
def purchase_histories(
    draw: st.DrawFn, max_size: int = 10, gap_days: float = 150.0, customers: int = 1
) -> list[Event]:
    """Events in the order of time; a third of the gaps are short, amounts near the thresholds."""
    size = draw(st.integers(1, max_size))
    at_ms = START_MS
    events = []
    for number in range(size):
        gap = draw(st.floats(0.0, 3.0) | st.floats(0.0, gap_days) | st.floats(0.0, gap_days))
        at_ms += int(gap * DAY_MS) + draw(st.sampled_from([0, 1]))
        kind = draw(st.sampled_from([PURCHASE] * 6 + [REFUND] * 2 + [ENGAGEMENT] * 4))
        amount = 0 if kind == ENGAGEMENT else draw(st.integers(0, 12_000))
        customer = f"c{draw(st.integers(1, customers))}".encode()
        engagement = draw(st.integers(0, 16)) if kind == ENGAGEMENT else -1
        events.append(Event(kind, customer, f"e-{number}", at_ms, amount, engagement))
    return events


def policies() -> st.SearchStrategy[Policy]:
    """Policies with thresholds that a handful of small orders crosses."""
    return st.builds(
        Policy,
        horizon_days=st.sampled_from([30.0, 365.0]),
        discount_rate=st.sampled_from([0.0, 0.0, 0.1]),
        tiers=st.just((("bronze", 0), ("silver", 3_000), ("gold", 8_000), ("platinum", 16_000))),
        tier_metric=st.sampled_from(["rolling", "rolling", "rolling", "total", "predicted"]),
        hysteresis=st.sampled_from([0.0, 0.1, 0.1, 0.4]),
        churn_min_value_minor=st.sampled_from([0, 0, 2_000]),
        timezone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
        params=st.sampled_from([CDNOW, CDNOW, *ENGAGING]),
    )


@st.composite
def arrivals(draw: st.DrawFn) -> list[tuple[Event, int]]:
    """Events of three customers, some late, early or twice, with their records' timestamps."""
    found = []
    for event in draw(purchase_histories(max_size=24, gap_days=60.0, customers=3)):
        delay = draw(st.sampled_from([0, 0, 1_000, DAY_MS, -3_600_000]))
        found.append((event, event.at_ms + delay))
        if draw(st.integers(0, 9)) == 0:
            found.append((event, event.at_ms + DAY_MS))
    for _ in range(draw(st.integers(0, 5))):
        moved = found.pop(draw(st.integers(0, len(found) - 1)))
        found.insert(draw(st.integers(0, len(found))), moved)
    return found
