"""Predictions judged the slow way: every instant of the grid, against the whole history.

Nothing of the pipeline is used but the models' formulas: what was known at an instant is looked up
in the list of all events, and so is whether the customer bought in the 30 days after it.
"""

import zlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from scipy.special import expit, logit

from models.events import Event
from models.policy import Policy
from models.purchases import model_for
from models.verdicts import Verdicts
from tests.models.naive import Naive

DAY_MS = 86_400_000
WINDOW_MS = 30 * DAY_MS
LOWER_BOUNDS = [0, 100, 200, 500, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000]
"""Basis points."""


class Told(NamedTuple):
    """An event, and what time it was for its customer when it was applied."""

    event: Event
    as_of_ms: int


class Judged(NamedTuple):
    began_ms: int
    chance_bp: int
    active: bool


@dataclass
class Recount:
    policy: Policy
    told: dict[bytes, list[Told]] = field(default_factory=dict)
    now_ms: int = 0

    def apply(self, event: Event, timestamp_ms: int) -> None:
        """A new event, as the partition sees it."""
        self.now_ms = max(self.now_ms, min(event.at_ms, timestamp_ms))
        history = self.told.setdefault(event.customer, [])
        if any(event.id == known.event.id for known in history):
            return
        before_ms = history[-1].as_of_ms if history else 0
        history.append(Told(event, max(self.now_ms, event.at_ms, before_ms)))

    def tick(self, now_ms: int) -> None:
        self.now_ms = max(self.now_ms, now_ms)

    def predictions(self, customer: bytes, end_ms: int) -> tuple[list[Judged], int | None]:
        """All whose window is over at the end, and the chance that is open then."""
        history = self.told[customer]
        moved_ms = zlib.crc32(customer) * 1000
        first_ms = history[0].as_of_ms
        began_ms = first_ms + (moved_ms - first_ms) % WINDOW_MS
        if began_ms == first_ms:
            began_ms += WINDOW_MS
        judged: list[Judged] = []
        open_bp = None
        while began_ms <= end_ms:
            open_bp = self.chance_bp(self.known(history, began_ms), began_ms)
            ended_ms = began_ms + WINDOW_MS
            if open_bp is not None and ended_ms <= end_ms:
                then = self.known(history, ended_ms)
                active = any(event.kind == 0 and event.at_ms >= began_ms for event in then)
                judged.append(Judged(began_ms, open_bp, active))
            began_ms = ended_ms
        return judged, open_bp

    def known(self, history: list[Told], at_ms: int) -> list[Event]:
        """What was applied before the customer's time had come to an instant."""
        return [event for event, as_of_ms in history if as_of_ms < at_ms]

    def chance_bp(self, known: list[Event], at_ms: int) -> int | None:
        bought_ms = [event.at_ms for event in known if event.kind == 0]
        if not bought_ms:
            return None
        zone = ZoneInfo(self.policy.timezone)
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        days = {(epoch + timedelta(milliseconds=t)).astimezone(zone).date() for t in bought_ms}
        first_ms, last_ms = min(bought_ms), max(bought_ms)
        params = self.policy.params
        chance = model_for(params).p_active(
            params,
            float(len(days) - 1),
            (last_ms - first_ms) / DAY_MS,
            (at_ms - first_ms) / DAY_MS,
            30.0,
        )
        offset = params.engagement
        if offset is not None:
            engaged = Naive(self.policy, events=known).engaged([at_ms])
            chance = expit(logit(chance) + offset.intercept + offset.slope * np.log(1 + engaged))
        return round(chance.item() * 10_000)

    def verdicts(self, end_ms: Callable[[bytes], int]) -> Verdicts:
        """The sums over all customers, each until an instant."""
        total = Verdicts()
        for customer in self.told:
            for _, chance_bp, active in self.predictions(customer, end_ms(customer))[0]:
                number = bisect_right(LOWER_BOUNDS, chance_bp) - 1
                total.judged[number] += 1
                total.active[number] += active
                total.chance_bp[number] += chance_bp
                total.squared_error_bp2 += (chance_bp - 10_000 * active) ** 2
        return without_zeros(total)


def without_zeros(verdicts: Verdicts) -> Verdicts:
    """The same sums, those that are 0 left out."""
    columns = (verdicts.judged, verdicts.active, verdicts.chance_bp)
    return Verdicts(
        *(Counter({k: v for k, v in column.items() if v}) for column in columns),
        verdicts.squared_error_bp2,
    )


def add(total: Verdicts, part: Verdicts) -> None:
    """Adds the sums of a batch."""
    total.judged.update(part.judged)
    total.active.update(part.active)
    total.chance_bp.update(part.chance_bp)
    total.squared_error_bp2 += part.squared_error_bp2
