"""Metric values as plain numbers, cheap to update by the batch, turned into samples at a scrape.

prometheus_client's own objects take one lock and one call per observation, and add a `_created`
series to each counter and histogram. A batch has thousands of latencies: here they are counted
into buckets by one numpy call, and only the exposition is prometheus_client's.

None of these classes locks: `sinks.metrics.Metrics` does, once around a whole update.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.utils import floatToGoString

from sinks.metric_definitions import Definition

LabelValues = tuple[str, ...]
"""Values of a definition's labels, in its order."""


class Series(Protocol):
    """All series of one metric."""

    def family(self) -> Metric:
        """The metric as it stands, for a scrape."""
        ...


class Counter:
    """Totals that only grow, by label values."""

    def __init__(self, definition: Definition, preset: Iterable[LabelValues] = ()) -> None:
        """Start the `preset` label values at 0, so that the first increase is seen by `rate`."""
        self._definition = definition
        self._totals: dict[LabelValues, float] = dict.fromkeys(preset, 0)

    def add(self, labels: LabelValues, amount: float = 1) -> None:
        """Add `amount` >= 0 to one series."""
        assert amount >= 0, f"{self._definition.name} only grows"
        self._totals[labels] = self._totals.get(labels, 0) + amount

    def bounded(self, labels: LabelValues, limit: int) -> LabelValues:
        """`labels`, with the last value `other` once its siblings number `limit`."""
        if labels in self._totals:
            return labels
        siblings = sum(known[:-1] == labels[:-1] for known in self._totals)
        return labels if siblings < limit else (*labels[:-1], "other")

    def family(self) -> Metric:
        """The counter's series."""
        family = CounterMetricFamily(
            self._definition.name, self._definition.help, labels=self._definition.labels
        )
        for labels, total in self._totals.items():
            family.add_metric(labels, total)
        return family


class Gauge:
    """Values that come and go, by label values."""

    def __init__(self, definition: Definition) -> None:
        """Start without series: an unknown value is absent, not 0."""
        self._definition = definition
        self._values: dict[LabelValues, float] = {}

    def set(self, labels: LabelValues, value: float) -> None:
        """Replace one series' value."""
        self._values[labels] = value

    def raise_to(self, labels: LabelValues, value: float) -> None:
        """Replace one series' value by a larger one only."""
        self._values[labels] = max(value, self._values.get(labels, value))

    def clear(self) -> None:
        """Forget every series."""
        self._values.clear()

    def family(self) -> Metric:
        """The gauge's series."""
        return gauge_family(self._definition, self._values.items())


class PartitionGauge:
    """A gauge to which each owned partition contributes, so that a revoked one can be taken out.

    Contributions are Python integers or floats and are summed only at a scrape: sums of money
    stay exact whatever the number of deltas, and nothing is left over after a revocation.
    """

    def __init__(
        self, definition: Definition, preset: Iterable[LabelValues] = (), *, largest: bool = False
    ) -> None:
        """Show `preset` at 0 from the start; `largest` takes the maximum instead of the sum."""
        self._definition = definition
        self._preset = tuple(preset)
        self._largest = largest
        self._partitions: dict[int, dict[LabelValues, float]] = {}

    def add(self, partition: int, labels: LabelValues, delta: float) -> None:
        """Add `delta` to the contribution of a partition."""
        values = self._partitions.setdefault(partition, {})
        values[labels] = values.get(labels, 0) + delta

    def set(self, partition: int, labels: LabelValues, value: float) -> None:
        """Replace the contribution of a partition."""
        self._partitions.setdefault(partition, {})[labels] = value

    def drop(self, partition: int) -> None:
        """Forget a partition that another worker owns now."""
        self._partitions.pop(partition, None)

    def total(self) -> float:
        """The sum of all contributions."""
        return sum(value for values in self._partitions.values() for value in values.values())

    def family(self) -> Metric:
        """The contributions taken together."""
        together: dict[LabelValues, float] = dict.fromkeys(self._preset, 0)
        for values in self._partitions.values():
            for labels, value in values.items():
                if self._largest and labels in together:
                    together[labels] = max(together[labels], value)
                else:
                    together[labels] = together.get(labels, 0) + value
        return gauge_family(self._definition, together.items())


class Histogram:
    """Observations counted into buckets, by label values."""

    def __init__(self, definition: Definition, preset: Iterable[LabelValues] = ((),)) -> None:
        """Start the `preset` label values with no observation."""
        assert list(definition.bounds) == sorted(set(definition.bounds)), "bounds ascend"
        self._definition = definition
        self._bounds = np.array(definition.bounds, dtype=np.float64)
        self._counts: dict[LabelValues, npt.NDArray[np.int64]] = {}
        self._sums: dict[LabelValues, float] = {}
        for labels in preset:
            self._start(labels)

    def _start(self, labels: LabelValues) -> None:
        self._counts[labels] = np.zeros(len(self._bounds) + 1, dtype=np.int64)
        self._sums[labels] = 0.0

    def observe(self, labels: LabelValues, values: npt.ArrayLike) -> None:
        """Count one value or many; a value equal to a bound belongs to that bound's bucket."""
        observed = np.atleast_1d(np.asarray(values, dtype=np.float64))
        if not len(observed):
            return
        if labels not in self._counts:
            self._start(labels)
        buckets = np.searchsorted(self._bounds, observed, side="left")
        self._counts[labels] += np.bincount(buckets, minlength=len(self._bounds) + 1)
        self._sums[labels] += float(observed.sum())

    def family(self) -> Metric:
        """The histogram's cumulative buckets, counts and sums."""
        family = HistogramMetricFamily(
            self._definition.name, self._definition.help, labels=self._definition.labels
        )
        names = [*map(floatToGoString, self._definition.bounds), "+Inf"]
        for labels, counts in self._counts.items():
            cumulative = np.cumsum(counts).tolist()
            family.add_metric(labels, list(zip(names, cumulative, strict=True)), self._sums[labels])
        return family


def gauge_family(
    definition: Definition, values: Iterable[tuple[Sequence[str], float]]
) -> GaugeMetricFamily:
    """A gauge's samples from label values and values."""
    family = GaugeMetricFamily(definition.name, definition.help, labels=definition.labels)
    for labels, value in values:
        family.add_metric(labels, value)
    return family
