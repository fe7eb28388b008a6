"""Every customer of a shop computed again each day, the way a nightly job would.

Nothing of the pipeline is used, and none of its formulas: facts are arrays over all customers,
values come from the published equations with SciPy's 2F1, and what silence did is found by looking
at everyone at the end and at the beginning of each day. No refunds: silence only lets values fall.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from scipy.special import hyp2f1

from models.policy import Policy

DAY_MS = 86_400_000
WINDOW_DAYS = 365

Array = np.ndarray[Any, Any]


class Fall(NamedTuple):
    """One step that silence led down the tiers, or up the churn levels."""

    kind: str
    customer: str
    from_: str
    to: str
    day: int


class Purchase(NamedTuple):
    """Day after the epoch at whose beginning it happened, and amount in minor units."""

    customer: str
    day: int
    amount_minor: int


@dataclass
class DailyBatch:
    """A table of a shop's customers that is computed again at both ends of each day."""

    policy: Policy
    purchases: list[Purchase]
    falls: list[Fall] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.names = list(dict.fromkeys(p.customer for p in self.purchases))
        number = {name: index for index, name in enumerate(self.names)}
        self.start = min(p.day for p in self.purchases)
        self.by_day: dict[int, list[tuple[int, int]]] = {}
        for p in self.purchases:
            self.by_day.setdefault(p.day, []).append((number[p.customer], p.amount_minor))
        size = len(self.names)
        self.first, self.last, self.days = (np.zeros(size, np.int64) for _ in range(3))
        self.first_spend, self.spend = np.zeros(size, np.int64), np.zeros(size, np.int64)
        self.tier, self.level = np.full(size, -1), np.full(size, -1)
        keep = 1.0 - self.policy.hysteresis
        self.up = np.array([t for _, t in self.policy.tiers][1:], dtype=float)
        self.down = self.up * keep
        self.level_up = np.array([t for _, t in self.policy.churn_levels])
        self.level_down = self.level_up * keep
        span = max(self.by_day) - self.start + 1
        self.revenue = np.zeros((size, span + 1), np.int64)  # sums up to a day, not included

    # -- values ------------------------------------------------------------------------------

    def alive(self, who: Array, age: Array) -> Array:
        """Batislam, Denizel & Filiztekin (2007), eq. 7."""
        m = self.policy.params
        x, recency = self.days[who] - 1.0, (self.last - self.first)[who]
        odds = m.a / (m.b + x) * ((m.alpha + age) / (m.alpha + recency)) ** (m.r + x)
        return 1.0 / (1.0 + odds)

    def active(self, who: Array, age: Array) -> Array:
        """Probability of a purchase within the horizon."""
        m, x = self.policy.params, self.days[who] - 1.0
        none = ((m.alpha + age) / (m.alpha + age + self.policy.horizon_days)) ** (m.r + x)
        return self.alive(who, age) * (1.0 - none)

    def predicted(self, who: Array, age: Array) -> Array:
        """Eq. 9 there, times Fader & Hardie's (2013) expected order value; minor units."""
        m, x = self.policy.params, self.days[who] - 1.0
        horizon = self.policy.horizon_days
        left = (m.alpha + age) / (m.alpha + age + horizon)
        f = hyp2f1(m.r + x, m.b + x + 1.0, m.a + m.b + x, 1.0 - left)
        count = (m.a + m.b + x) / (m.a - 1.0) * (1.0 - left ** (m.r + x) * f)
        repeat = (self.spend - self.first_spend)[who]
        order = (m.v + repeat) * m.p / (m.p * x + m.q - 1.0)
        return self.alive(who, age) * count * order

    def window(self, who: Array, day: int) -> Array:
        """Revenue of the 365 days that end with this one, minor units."""
        span = self.revenue.shape[1] - 1
        ends = [min(max(d - self.start, 0), span) for d in (day + 1, day + 1 - WINDOW_DAYS)]
        return self.revenue[who, ends[0]] - self.revenue[who, ends[1]]

    def decline(self, who: Array, age: Array) -> Array:
        recency = (self.last - self.first)[who].astype(float)
        return 1.0 - self.active(who, age) / self.active(who, recency)

    # -- days --------------------------------------------------------------------------------

    def run(self, until_day: int) -> None:
        """Up to the beginning of a day, itself included."""
        for day in range(self.start, until_day + 1):
            self.silence(day - 1, float(day) - 1.0 / DAY_MS, step_by_step=True)
            # Between these two a day leaves the window at once: steps that fall together.
            self.silence(day, float(day), step_by_step=False)
            for who, amount_minor in self.by_day.get(day, []):
                self.buy(who, day, amount_minor)

    def silence(self, day: int, now: float, *, step_by_step: bool) -> None:
        """Whoever fell until now did so on this day."""
        names = self.policy.tier_names, self.policy.level_names
        known = np.flatnonzero(self.days > 0)
        some = known[self.tier[known] > 0]
        value = self.window(some, day) + self.predicted(some, now - self.first[some])
        fallen = np.minimum(self.tier[some], np.searchsorted(self.down, value, side="right"))
        self.note("tier", names[0], some, fallen, day, step_by_step=step_by_step)
        self.tier[some] = fallen
        decline = self.decline(known, now - self.first[known])
        risen = np.maximum(self.level[known], np.searchsorted(self.level_up, decline, side="right"))
        self.note("churn", names[1], known, risen, day, step_by_step=step_by_step)
        self.level[known] = risen

    def note(
        self,
        kind: str,
        names: tuple[str, ...],
        who: Array,
        now: Array,
        day: int,
        *,
        step_by_step: bool,
    ) -> None:
        was = (self.tier if kind == "tier" else self.level)[who]
        for index in np.flatnonzero(was != now).tolist():
            before, after = int(was[index]), int(now[index])
            by = (1 if after > before else -1) if step_by_step else after - before
            for at in range(before, after, by):
                customer = self.names[who[index]]
                self.falls.append(Fall(kind, customer, names[at], names[at + by], day))

    def buy(self, who: int, day: int, amount_minor: int) -> None:
        if self.days[who] == 0:
            self.first[who] = day
        if self.days[who] == 0 or self.last[who] != day:
            self.days[who] += 1
        self.last[who] = day
        self.spend[who] += amount_minor
        if day == self.first[who]:
            self.first_spend[who] += amount_minor
        self.revenue[who, day - self.start + 1 :] += amount_minor
        one = np.array([who])
        age = np.array([float(day - self.first[who])])
        value = self.window(one, day) + self.predicted(one, age)
        lowest = np.searchsorted(self.up, value, side="right")[0]
        highest = np.searchsorted(self.down, value, side="right")[0]
        self.tier[who] = lowest if self.tier[who] < lowest else min(self.tier[who], highest)
        self.level[who] = 0  # a purchase brings the decline back to 0
