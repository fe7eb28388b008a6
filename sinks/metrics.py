"""The worker's metrics: a batch is reported in a few calls, never event by event.

`Metrics` owns a registry of its own; nothing is registered on import. Its methods may be called
from the event loop while another thread renders a scrape: one lock makes each call atomic, so
that a scrape never sees a customer leave one tier before entering the other.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from threading import Lock
from typing import TypeVar

import numpy.typing as npt
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from models.population import Population
from models.verdicts import Verdicts
from sinks import metric_definitions as define
from sinks.change_metrics import ChangeMetrics, Crossing
from sinks.population_metrics import PopulationMetrics
from sinks.recovery_metrics import RecoveryMetrics
from sinks.series import (
    Counter,
    Gauge,
    Histogram,
    PartitionGauge,
    Series,
    gauge_family,
)
from sinks.verdict_metrics import VerdictCounters

INPUT_TOPICS = ("clv.purchases", "clv.engagements")
SINKS = ("redis", "topics")

S = TypeVar("S", bound=Series)


class Metrics(Collector):
    """Every metric of a worker.

    Population gauges hold one contribution for each owned partition: `population` adds deltas,
    `revoked` takes a partition out. Over workers they are therefore summed. What is not known
    (a tick's age before the first tick) is absent rather than 0.
    """

    def __init__(
        self,
        *,
        version: str,
        tiers: Sequence[str],
        levels: Sequence[str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Create all series on a new registry.

        Args:
            version: of the program.
            tiers: tier names, ascending.
            levels: churn level names, ascending, the lowest included.
            clock: Unix time in seconds; only the ages shown at a scrape read it.
        """
        self.registry = CollectorRegistry()
        self._clock = clock
        self._lock = Lock()
        self._series: list[Series] = []
        self._by_partition: list[PartitionGauge] = []
        self._tick_made_s: dict[int, float] = {}
        self._earliest_s: dict[int, float] = {}
        self._create_input()
        self._create_population(tiers, levels)
        self._create_output()
        build = self._keep(Gauge(define.BUILD_INFO))
        build.set((version,), 1)
        self.registry.register(self)
        # CPU, memory and open files of the process, read from /proc at a scrape.
        ProcessCollector(registry=self.registry)

    # -- called for each batch ---------------------------------------------------------------

    def batch(
        self,
        partition: int,
        seconds: float,
        outcomes: Mapping[tuple[str, str], int],
        newest_s: Mapping[str, float] | None = None,
    ) -> None:
        """Report a committed batch.

        Args:
            partition: number of the partition; not a label, for its series would be too many.
            seconds: from the start of the batch until its transaction was committed.
            outcomes: events by (topic, outcome); a tick has none.
            newest_s: by topic, the broker timestamp of the newest record, Unix seconds.
        """
        assert partition >= 0, "partition numbers start at 0"
        with self._lock:
            for labels, events in outcomes.items():
                self._events.add(labels, events)
            self._batch_seconds.observe((), seconds)
            self._batch_events.observe((), sum(outcomes.values()))
            for topic, timestamp_s in (newest_s or {}).items():
                self._last_event.raise_to((topic,), timestamp_s)

    def end_to_end(self, topic: str, seconds: npt.ArrayLike) -> None:
        """Report latencies of a batch's events, broker timestamp to readable in Redis: (n,) s."""
        with self._lock:
            self._end_to_end.observe((topic,), seconds)

    def population(self, partition: int, change: Population) -> None:
        """Add a batch's differences, or all of a partition after `revoked` and recovery."""
        with self._lock:
            self._population.add(partition, change)

    def tier_changes(self, changes: Iterable[Crossing], published_ms: int | None = None) -> None:
        """Count published tier changes and how late those that silence caused are.

        Args:
            changes: of one batch.
            published_ms: when they were committed, epoch ms; None: their `detected_at_ms`, for
                a clock that follows the events.
        """
        with self._lock:
            self._changes.count(self._changes.tiers, changes, published_ms)

    def churn_changes(self, changes: Iterable[Crossing], published_ms: int | None = None) -> None:
        """Count published churn changes, as `tier_changes` does."""
        with self._lock:
            self._changes.count(self._changes.levels, changes, published_ms)

    def verdicts(self, verdicts: Verdicts) -> None:
        """Count a committed batch's verdicts on past predictions."""
        with self._lock:
            self._verdicts.add(verdicts)

    def score_refreshes(self, causes: Mapping[str, int]) -> None:
        """Count published scores by what made them be computed (CONTRACT.md's causes)."""
        with self._lock:
            for cause, scores in causes.items():
                self._refreshes.add((cause,), scores)

    def dead_letters(self, topic: str, reasons: Mapping[str, int]) -> None:
        """Count a batch's dead letters of an input topic by reason code."""
        with self._lock:
            for reason, records in reasons.items():
                labels = self._dead.bounded((topic, reason), define.MAX_REASONS)
                self._dead.add(labels, records)

    def deadlines(self, partition: int, pending: int, earliest_s: float | None) -> None:
        """Report the schedule of a partition.

        Args:
            partition: whose schedule.
            pending: customers with a deadline ahead.
            earliest_s: Unix time of the earliest deadline; None where there is none, or where it
                is not measured by the time of day. Once it has passed, its age grows by itself.
        """
        with self._lock:
            self._deadlines.set(partition, (), pending)
            if earliest_s is None:
                self._earliest_s.pop(partition, None)
            else:
                self._earliest_s[partition] = earliest_s

    def state_bytes(self, partition: int, size: int) -> None:
        """Report the encoded size of all states of a partition, keys included, in bytes."""
        with self._lock:
            self._state_bytes.set(partition, (), size)

    def tick(self, partition: int, made_s: float) -> None:
        """Report the tick last applied to a partition by the Unix time at which it was made.

        Call it at the end of a recovery too: the age then counts from there, and a partition
        that never gets a tick shows.
        """
        with self._lock:
            self._tick_made_s[partition] = made_s

    def ticks_refused(self, reason: str, records: int) -> None:
        """Count records of `clv.clock` that were passed over, by why (`TICK_FAULTS`)."""
        with self._lock:
            self._ticks_refused.add((reason,), records)

    def clock_held(self, topic: str, *, held: bool) -> None:
        """Report whether a topic's publisher seems to be dead, so that time is held back."""
        with self._lock:
            self._clock_held.set((topic,), float(held))

    def lag(self, topic: str, partition: int, records: int, seconds: float) -> None:
        """Report what an owned partition has before it.

        Args:
            topic: input topic.
            partition: its number.
            records: from the next offset to apply to the end of the partition.
            seconds: age of the oldest fetched record that is not committed; 0 where none is.
        """
        with self._lock:
            self._lag.set(partition, (topic, str(partition)), records)
            self._lag_seconds.set(partition, (topic,), seconds)

    # -- sinks -------------------------------------------------------------------------------

    def sink(self, sink: str, seconds: float) -> None:
        """Report one batch's successful write to a sink."""
        with self._lock:
            self._sink_seconds.observe((sink,), seconds)

    def sink_error(self, sink: str, error: str) -> None:
        """Count a failed write by a short code such as `unavailable`, never a message."""
        with self._lock:
            self._sink_errors.add(self._sink_errors.bounded((sink, error), define.MAX_SINK_ERRORS))

    # -- partitions that come and go ---------------------------------------------------------

    def rebalance(self) -> None:
        """Count an assignment."""
        with self._lock:
            self._rebalances.add(())

    def revoked(self, partition: int) -> None:
        """Take a partition's contributions out of every gauge."""
        with self._lock:
            for gauge in self._by_partition:
                gauge.drop(partition)
            self._tick_made_s.pop(partition, None)
            self._earliest_s.pop(partition, None)
            self._recovery.end_if_done(self._clock())

    def recovery_started(self) -> None:
        """Start the clock of a recovery; one that is under way goes on."""
        with self._lock:
            self._recovery.started(self._clock())

    def recovery_progress(self, partition: int, remaining: int, applied: int) -> None:
        """Report changelog records left in a partition, and those applied since the last call."""
        with self._lock:
            self._recovery.progress(partition, remaining, applied, self._clock())

    def model(self, partition: int, model: str, version: str) -> None:
        """Name the model and parameters that a partition uses from now on."""
        with self._lock:
            self._model.drop(partition)
            self._model.set(partition, (model, version), 1)

    def model_pending(self, partition: int, customers: int) -> None:
        """Set how many customers of a partition are still scored by the parameters before."""
        with self._lock:
            self._model_pending.set(partition, (), customers)

    def model_refused(self) -> None:
        """Count published parameters that cannot be used."""
        with self._lock:
            self._model_refused.add(())

    # -- a scrape ----------------------------------------------------------------------------

    def collect(self) -> Iterator[Metric]:
        """All metrics at this instant, for the registry."""
        with self._lock:
            now_s = self._clock()
            self._recovery.measure(now_s)
            families = [series.family() for series in self._series]
            families += [self._tick_age(now_s), self._score_age(now_s)]
        yield from families

    def render(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)

    def _tick_age(self, now_s: float) -> GaugeMetricFamily:
        oldest = [max(0.0, now_s - min(self._tick_made_s.values()))] if self._tick_made_s else []
        return gauge_family(define.TICK_AGE, [((), age) for age in oldest])

    def _score_age(self, now_s: float) -> GaugeMetricFamily:
        age_s = max(0.0, now_s - min(self._earliest_s.values(), default=now_s))
        return gauge_family(define.SCORE_AGE, [((), age_s)])

    # -- creation ----------------------------------------------------------------------------

    def _keep(self, series: S) -> S:
        self._series.append(series)
        if isinstance(series, PartitionGauge):
            self._by_partition.append(series)
        return series

    def _keep_all(self, together: Iterable[Series]) -> None:
        for series in together:
            self._keep(series)

    def _create_input(self) -> None:
        topics = [(topic,) for topic in INPUT_TOPICS]
        self._events = self._keep(Counter(define.EVENTS, product(INPUT_TOPICS, define.OUTCOMES)))
        self._batch_seconds = self._keep(Histogram(define.BATCH_SECONDS))
        self._batch_events = self._keep(Histogram(define.BATCH_EVENTS))
        self._end_to_end = self._keep(Histogram(define.END_TO_END, topics))
        self._lag = self._keep(PartitionGauge(define.CONSUMER_LAG))
        self._lag_seconds = self._keep(PartitionGauge(define.CONSUMER_LAG_SECONDS, largest=True))
        self._last_event = self._keep(Gauge(define.LAST_EVENT))
        self._dead = self._keep(Counter(define.DEAD_LETTERS))
        self._ticks_refused = self._keep(Counter(define.TICKS_REFUSED, product(define.TICK_FAULTS)))
        self._clock_held = self._keep(Gauge(define.CLOCK_HELD))
        for topic in define.HOLDING_TOPICS:
            self._clock_held.set((topic,), 0)
        self._rebalances = self._keep(Counter(define.REBALANCES, [()]))
        self._recovery = RecoveryMetrics()
        self._keep_all(self._recovery.series)

    def _create_population(self, tiers: Sequence[str], levels: Sequence[str]) -> None:
        self._population = PopulationMetrics(tiers, levels)
        self._changes = ChangeMetrics(tiers, levels)
        self._verdicts = VerdictCounters()
        for together in (self._population, self._changes, self._verdicts):
            self._keep_all(together.series)
        self._deadlines = self._keep(PartitionGauge(define.DEADLINES, [()]))
        self._state_bytes = self._keep(PartitionGauge(define.STATE_BYTES, [()]))

    def _create_output(self) -> None:
        self._refreshes = self._keep(Counter(define.SCORE_REFRESHES, product(define.CAUSES)))
        self._sink_seconds = self._keep(Histogram(define.SINK_SECONDS, product(SINKS)))
        self._sink_errors = self._keep(
            Counter(define.SINK_ERRORS, product(SINKS, ("unavailable",)))
        )
        self._model = self._keep(PartitionGauge(define.MODEL_INFO, largest=True))
        self._model_pending = self._keep(PartitionGauge(define.MODEL_PENDING, [()]))
        self._model_refused = self._keep(Counter(define.MODEL_REFUSED, [()]))
