"""What a partition tells the metrics, batch by batch."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from models.arrays import Floats
from models.parameters import ModelParams
from models.population import Population
from models.reasons import Refusal
from models.step import Step
from models.times import MS_PER_S
from sinks.metrics import Metrics
from streams.intake import Intake


class Report:
    """The metrics of one partition number.

    Args:
        metrics: of the worker.
        partition: its number.
        wall_clock: ticks tell the time of day. Else their age and lateness mean nothing.
    """

    def __init__(self, metrics: Metrics, partition: int, *, wall_clock: bool) -> None:
        self._metrics, self._partition, self._wall_clock = metrics, partition, wall_clock
        self._arrived_ms: dict[str, Floats] = {}

    def recovering(self, applied: int, remaining: int) -> None:
        """Changelog records were applied, and so many are left."""
        self._metrics.recovery_started()
        self._metrics.recovery_progress(self._partition, remaining, applied)

    def recovered(self, population: Population) -> None:
        """The partition is whole; its population counts from now on."""
        self._metrics.revoked(self._partition)
        self.tick(int(time.time() * MS_PER_S))
        self._metrics.population(self._partition, population)

    def model(self, params: ModelParams, pending: int) -> None:
        """What the partition scores by, and how many of its customers are not scored by it yet."""
        self._metrics.model(self._partition, params.name, params.version)
        self._metrics.model_pending(self._partition, pending)

    def ended(self) -> None:
        """The partition is another worker's, or nobody's."""
        self._metrics.revoked(self._partition)

    def committed(self, seconds: float) -> None:
        """Kafka has taken a transaction's outputs, in so long."""
        self._metrics.sink("topics", seconds)

    def uncommitted(self) -> None:
        """A transaction failed, and its batch is done again."""
        self._metrics.sink_error("topics", "unavailable")

    def batch(self, seconds: float, result: Step, intake: Intake | None) -> None:
        """A transaction was committed, `seconds` after its batch was begun."""
        metrics = self._metrics
        outcomes: Counter[tuple[str, str]] = Counter()
        for (kind, outcome), count in result.outcomes.items():
            outcomes[f"clv.{kind}", outcome] += count
        newest_s: dict[str, float] = {}
        if intake is not None:
            for topic, reasons in _reasons(intake.all_refused(result)).items():
                outcomes[topic, "dead_letter"] += sum(reasons.values())
                metrics.dead_letters(topic, reasons)
            for topic, count in intake.rerouted_counts().items():
                outcomes[topic, "rerouted"] += count
            arrived_ms = intake.arrived_ms()
            # A publisher's clock that is ahead would hide that it falls silent.
            now_s = time.time()
            newest_s = {
                topic: min(now_s, float(ms.max()) / MS_PER_S) for topic, ms in arrived_ms.items()
            }
            refused = {index for index, _ in result.refused}
            self._arrived_ms = intake.arrived_ms(without=refused) if refused else arrived_ms
        metrics.batch(self._partition, seconds, outcomes, newest_s)
        published_ms = int(time.time() * MS_PER_S) if self._wall_clock else None
        metrics.tier_changes(result.tier_changes, published_ms)
        metrics.churn_changes(result.churn_changes, published_ms)
        metrics.score_refreshes(result.causes)
        metrics.verdicts(result.verdicts)
        metrics.population(self._partition, result.population)

    def state(self, size: int) -> None:
        """How much is kept, in bytes."""
        self._metrics.state_bytes(self._partition, size)

    def schedule(self, deadlines: int, earliest_s: int | None) -> None:
        """How many deadlines there are, and the epoch second of the earliest."""
        known_s = earliest_s if self._wall_clock else None
        self._metrics.deadlines(self._partition, deadlines, known_s)

    def ticks_refused(self, reason: str, records: int) -> None:
        """Records of the clock's topic were no ticks."""
        self._metrics.ticks_refused(reason, records)

    def tick(self, at_ms: int) -> None:
        """Time has come so far."""
        if self._wall_clock:
            self._metrics.tick(self._partition, at_ms / MS_PER_S)

    def readable(self) -> Callable[[], None]:
        """What to call when the last batch can be looked up: it observes each event's latency.

        That is the time until a score can be read that holds what the record says, so it is
        observed of duplicates, too: then, if not before, there is one. A dead letter has no
        score, and of a forwarded record it is observed where it is applied.
        """
        arrived_ms, self._arrived_ms = self._arrived_ms, {}

        def observe() -> None:
            now_ms = time.time() * MS_PER_S
            for topic, timestamps_ms in arrived_ms.items():
                # Below 0 the sum would fall, which Prometheus takes for a restart.
                late_ms = np.maximum(0.0, now_ms - timestamps_ms)
                self._metrics.end_to_end(topic, late_ms / MS_PER_S)

        return observe


def _reasons(refused: Sequence[tuple[Any, Refusal]]) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for record, why in refused:
        counts.setdefault(record.topic, Counter())[why.reason] += 1
    return counts
