"""One customer scored the slow way: from the whole list of events, scanned through each silence.

Nothing of the pipeline is used but the models' formulas: facts are recounted, windows are summed
event by event, days come from `zoneinfo`, and crossings are found by looking every few hours and
at each midnight, and halving what lies between.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from scipy.special import expit, logit

from models.events import Event
from models.facts import BUCKET_DAYS
from models.gamma_gamma import expected_order_value
from models.policy import Policy
from models.purchases import model_for

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
PURCHASE, REFUND, ENGAGEMENT = 0, 1, 2
CAUSES = {PURCHASE: "purchase", REFUND: "refund", ENGAGEMENT: "engagement"}


class Crossed(NamedTuple):
    """A change, without the numbers in it."""

    kind: str
    from_: str | None
    to: str
    cause: str
    cause_id: str
    at_ms: int


class Worth(NamedTuple):
    tier_value: float
    decline: float
    at_purchase: float


@dataclass
class Naive:
    policy: Policy
    scan_ms: int = 6 * HOUR_MS
    events: list[Event] = field(default_factory=list)
    changes: list[Crossed] = field(default_factory=list)
    tier: int | None = None
    level: int | None = None
    as_of_ms: int = 0
    silent_s: int = 0

    # -- values ------------------------------------------------------------------------------

    def date_number(self, at_ms: int) -> int:
        zone = ZoneInfo(self.policy.timezone)
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
        return at.astimezone(zone).toordinal()

    def midnights(self, start_ms: int, end_ms: int) -> list[int]:
        zone = ZoneInfo(self.policy.timezone)
        ordinals = range(self.date_number(start_ms), self.date_number(end_ms) + 2)
        starts = (datetime.fromordinal(n).replace(tzinfo=zone).timestamp() for n in ordinals)
        return [int(s) * 1000 for s in starts if start_ms < s * 1000 <= end_ms]

    def worth(self, instants: list[int]) -> list[Worth]:
        """The figures at instants, none before the last event."""
        purchases = [event for event in self.events if event.kind == PURCHASE]
        refunded = sum(event.amount_minor for event in self.events if event.kind == REFUND)
        steady = self._steady(instants, sum(p.amount_minor for p in purchases) - refunded)
        if not purchases:
            return [Worth(float(s), 0.0, 0.0) for s in steady]
        params, horizon = self.policy.params, self.policy.horizon_days
        days = [self.date_number(p.at_ms) for p in purchases]
        x = float(len(set(days)) - 1)
        first, last = min(p.at_ms for p in purchases), max(p.at_ms for p in purchases)
        repeat = sum(
            p.amount_minor for p, day in zip(purchases, days, strict=True) if day != min(days)
        )
        order = expected_order_value(params, x, repeat / x if x else 0.0)
        recency = (last - first) / DAY_MS
        ages = np.array([*instants, last], dtype=np.int64)
        age = (ages - first) / DAY_MS
        model = model_for(params)
        active = model.p_active(params, x, recency, age, horizon)
        expected = model.expected_purchases(
            params, x, recency, age, horizon, self.policy.discount_rate
        )
        if params.engagement is not None:
            # Log odds, as they are written; right after the last purchase only what was by then.
            of = np.append(self.engaged(instants), self.engaged([last], self.date_number(last)))
            shifted = logit(active) + params.engagement.intercept
            shifted += params.engagement.slope * np.log(1.0 + of)
            active, before = expit(shifted), active
            expected = expected * active / before
        predicted = expected * order
        return [
            Worth(s + p, 1.0 - a / active[-1], float(predicted[-1]))
            for s, p, a in zip(steady, predicted.tolist(), active.tolist(), strict=False)
        ]

    def engaged(self, instants: list[int], until: int = 10**9) -> np.ndarray:
        """Engagements until a day, each worth half after each half-life."""
        numbers = [(self.date_number(e.at_ms), e.kind) for e in self.events]
        newest = max(number for number, _ in numbers)
        total = np.zeros(len(instants))
        for number, kind in numbers:
            if kind == ENGAGEMENT and newest - BUCKET_DAYS < number <= until:
                ago = (np.array(instants) - self.begins_ms(number)) / DAY_MS
                total += 0.5 ** (ago / self.policy.params.engagement.half_life_days)
        return total

    def begins_ms(self, number: int) -> int:
        zone = ZoneInfo(self.policy.timezone)
        return int(datetime.fromordinal(number).replace(tzinfo=zone).timestamp()) * 1000

    def _steady(self, instants: list[int], lifetime_minor: int) -> list[int]:
        if self.policy.tier_metric == "predicted":
            return [0] * len(instants)
        if self.policy.tier_metric == "total":
            return [lifetime_minor] * len(instants)
        money = sorted(
            (self.date_number(e.at_ms), e.amount_minor if e.kind == PURCHASE else -e.amount_minor)
            for e in self.events
            if e.kind != ENGAGEMENT
        )
        days = [day for day, _ in money]
        sums = [0, *np.cumsum([minor for _, minor in money], dtype=np.int64).tolist()]
        return [sums[-1] - sums[bisect_right(days, self.date_number(t) - 365)] for t in instants]

    # -- steps -------------------------------------------------------------------------------

    def settled(self, worth: Worth) -> tuple[int, int]:
        """Tier and level after a look at these figures."""
        h = self.policy.hysteresis
        tier = clamp(self.tier, worth.tier_value, [float(t) for _, t in self.policy.tiers], h)
        if worth.at_purchase < self.policy.churn_min_value_minor:
            return tier, self.level or 0
        thresholds = [0.0, *(t for _, t in self.policy.churn_levels)]
        return tier, clamp(self.level, worth.decline, thresholds, h)

    def silence(self, end_ms: int) -> None:
        """Lets time pass without an event."""
        start_ms = self.as_of_ms
        if end_ms <= start_ms or not self.events:
            return
        regular = range(start_ms + self.scan_ms, end_ms, self.scan_ms)
        instants = sorted({*regular, *self.midnights(start_ms, end_ms), end_ms})
        before_ms = start_ms
        for at_ms, worth in zip(instants, self.worth(instants), strict=True):
            while self.settled(worth) != (self.tier, self.level):
                before_ms = self.halve(before_ms, at_ms)
            before_ms = at_ms
        self.as_of_ms = end_ms

    def halve(self, low_ms: int, high_ms: int) -> int:
        """Takes the first change in (low, high], and returns its instant."""
        while high_ms - low_ms > 1:
            middle_ms = (low_ms + high_ms) // 2
            if self.settled(self.worth([middle_ms])[0]) != (self.tier, self.level):
                high_ms = middle_ms
            else:
                low_ms = middle_ms
        last_id = self.events[-1].id
        self.move(*self.settled(self.worth([high_ms])[0]), "silence", last_id, high_ms)
        self.silent_s = high_ms // 1000
        return high_ms

    def apply(self, event: Event, now_ms: int) -> None:
        """One new event, at the partition's time."""
        as_of_ms = max(now_ms, event.at_ms, self.as_of_ms)
        self.silence(as_of_ms)
        self.events.append(event)
        late = self.tier is not None and event.at_ms // 1000 < self.silent_s
        cause = "late_event" if late else CAUSES[event.kind]
        self.as_of_ms = as_of_ms
        self.move(*self.settled(self.worth([as_of_ms])[0]), cause, event.id, as_of_ms)

    def move(self, tier: int, level: int, cause: str, cause_id: str, at_ms: int) -> None:
        names = self.policy.tier_names, self.policy.level_names
        for kind, before, after, name in (
            ("tier", self.tier, tier, names[0]),
            ("churn", self.level, level, names[1]),
        ):
            if before != after:
                from_ = None if before is None else name[before]
                self.changes.append(Crossed(kind, from_, name[after], cause, cause_id, at_ms))
        self.tier, self.level = tier, level


def clamp(before: int | None, value: float, thresholds: list[float], hysteresis: float) -> int:
    """The step after a value, by walking one step at a time."""
    step = 0 if before is None else before
    while step + 1 < len(thresholds) and value >= thresholds[step + 1]:
        step += 1
    while step > 0 and value < thresholds[step] * (1.0 - hysteresis):
        step -= 1
    return step
