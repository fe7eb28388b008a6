"""Committed batches, made by hand or by the core, for tests of sinks."""

from collections.abc import Mapping

import orjson

from models.events import Event, Kind
from models.policy import Policy
from models.step import Step, step
from sinks.redis_portions import Scored
from sinks.sink import Committed

NOON_MS = 1_772_366_400_000  # 2026-03-01T12:00:00Z


def score(customer: str, revision: int) -> bytes:
    """As much of a score as tests look at."""
    return orjson.dumps({"schema": 1, "customer_id": customer, "revision": revision})


def scored(revisions: Mapping[str, int]) -> Scored:
    """Scores whose total is 100 a revision, and whose risk is 1 a revision."""
    scores = [(name.encode(), score(name, revision)) for name, revision in revisions.items()]
    ranks = [(name.encode(), 100 * revision, revision) for name, revision in revisions.items()]
    return Scored(scores, ranks)


def batch(prior: int, mark: int, revisions: Mapping[str, int], partition: int = 0) -> Committed:
    """A batch that gives customers these revisions."""
    scores, ranks = scored(revisions)
    result = Step(NOON_MS, scores=list(scores), ranks=list(ranks))
    return Committed(partition, result, prior, mark)


class Shop:
    """One partition of the real core, with a changelog that is only counted."""

    def __init__(self, partition: int = 0) -> None:
        self.partition = partition
        self.states: dict[bytes, bytes] = {}
        self.mark = -1
        self._events = 0
        self._now_ms = 0

    def buy(self, *customers: str, amount_minor: int = 60_000) -> Committed:
        """One batch in which each of these customers buys once."""
        events = []
        for customer in customers:
            self._events += 1
            at_ms = NOON_MS + self._events * 1000
            name = f"o-{self._events}"
            event = Event(int(Kind.PURCHASE), customer.encode(), name, at_ms, amount_minor, -1)
            events.append((event, at_ms))
        result = step(Policy(), self.states.get, events, self._now_ms)
        self.states.update(result.states)
        self._now_ms = result.now_ms
        # One changelog record a customer, and a commit marker between the batches.
        prior, self.mark = self.mark, self.mark + 1 + len(result.states)
        return Committed(self.partition, result, prior, self.mark)
