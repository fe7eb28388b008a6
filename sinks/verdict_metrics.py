"""How the worker's past predictions came true, as counters: Brier score and calibration by bin.

Over any time and any workers, with Grafana's `increase`: predictions of a bin came true in
active / judged of the cases, where probability / judged had been said; the Brier score is
squared error / judged.
"""

from itertools import product

from models.verdicts import BASIS_POINTS, BINS, Verdicts
from sinks import metric_definitions as define
from sinks.series import Counter, Series

_BINS = tuple(product(BINS))


class VerdictCounters:
    """The series of `models.verdicts`.

    Attributes:
        series: all of them.
    """

    def __init__(self) -> None:
        """Start all bins at 0, so that `increase` sees the first verdict."""
        self._judged = Counter(define.PREDICTIONS_JUDGED, _BINS)
        self._active = Counter(define.PREDICTIONS_ACTIVE, _BINS)
        self._probability = Counter(define.PREDICTIONS_PROBABILITY, _BINS)
        self._squared_error = Counter(define.PREDICTIONS_SQUARED_ERROR, [()])
        self.series: tuple[Series, ...] = (
            *(self._judged, self._active, self._probability, self._squared_error),
        )

    def add(self, verdicts: Verdicts) -> None:
        """Count the verdicts of a batch."""
        for bin_, judged in verdicts.judged.items():
            labels = _BINS[bin_]
            self._judged.add(labels, judged)
            self._active.add(labels, verdicts.active[bin_])
            self._probability.add(labels, verdicts.chance_bp[bin_] / BASIS_POINTS)
        if verdicts.judged:
            self._squared_error.add((), verdicts.squared_error_bp2 / BASIS_POINTS**2)
