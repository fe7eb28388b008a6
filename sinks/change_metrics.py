"""Published tier and churn changes, as counters, and how late those that silence caused are."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Protocol

from sinks import metric_definitions as define
from sinks.series import Counter, Histogram, LabelValues, Series

MS_PER_S = 1000.0


class Crossing(Protocol):
    """What is counted of a published tier or churn change (`models.changes.Change`)."""

    @property
    def from_(self) -> str | None:
        """Name before, None for the customer's first."""
        ...

    @property
    def to(self) -> str:
        """Name after."""
        ...

    @property
    def cause(self) -> str:
        """One of `sinks.metric_definitions.CAUSES`."""
        ...

    @property
    def crossed_at_ms(self) -> int:
        """Exact instant of the crossing, epoch milliseconds."""
        ...

    @property
    def detected_at_ms(self) -> int:
        """Instant at which the worker found it, epoch milliseconds."""
        ...


class ChangeMetrics:
    """The series of changes.

    Attributes:
        tiers: tier changes.
        levels: churn changes.
        series: all series.
    """

    def __init__(self, tiers: Sequence[str], levels: Sequence[str]) -> None:
        self.tiers = Counter(define.TIER_CHANGES, _transitions(tiers))
        self.levels = Counter(define.CHURN_CHANGES, _transitions(levels))
        self._lateness = Histogram(define.LATENESS)
        self.series: tuple[Series, ...] = (self.tiers, self.levels, self._lateness)

    def count(
        self, counter: Counter, changes: Iterable[Crossing], published_ms: int | None
    ) -> None:
        """Count changes with one of the counters.

        Args:
            counter: `tiers` or `levels`.
            changes: of one batch.
            published_ms: when they were committed, epoch ms; None: their `detected_at_ms`.
        """
        late_s: list[float] = []
        for change in changes:
            counter.add((change.from_ or define.NOBODY, change.to, change.cause))
            if change.cause == "silence":
                known_ms = change.detected_at_ms if published_ms is None else published_ms
                late_s.append(max(0, known_ms - change.crossed_at_ms) / MS_PER_S)
        self._lateness.observe((), late_s)


def _transitions(names: Sequence[str]) -> Iterator[LabelValues]:
    """Every (from, to, cause): shown at 0, or `increase` would miss the first of each."""
    for origin, to, cause in product((define.NOBODY, *names), names, define.CAUSES):
        if origin != to:
            yield origin, to, cause
