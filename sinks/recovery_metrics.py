"""How far a recovery is, and how long it takes or took."""

from sinks import metric_definitions as define
from sinks.series import Counter, Gauge, PartitionGauge, Series


class RecoveryMetrics:
    """The series of recoveries, and the clock of the one that is under way.

    Attributes:
        series: all series.
    """

    def __init__(self) -> None:
        """No duration is shown before the first recovery: it would be 0, and none was."""
        self._remaining = PartitionGauge(define.RECOVERING, [()])
        self._applied = Counter(define.RECOVERED, [()])
        self._seconds = Gauge(define.RECOVERY_SECONDS)
        self._started_s: float | None = None
        self.series: tuple[Series, ...] = (self._remaining, self._applied, self._seconds)

    def started(self, now_s: float) -> None:
        """Start the clock, Unix time in seconds; one that is running goes on."""
        if self._started_s is None:
            self._started_s = now_s

    def progress(self, partition: int, remaining: int, applied: int, now_s: float) -> None:
        """Take what happened since the last call.

        Args:
            partition: its number.
            remaining: changelog records that it still has to read.
            applied: changelog records read.
            now_s: Unix time.
        """
        self._remaining.set(partition, (), remaining)
        self._applied.add((), applied)
        self.end_if_done(now_s)

    def end_if_done(self, now_s: float) -> None:
        """Stop the clock when no partition has anything left, be it that it was revoked."""
        if self._started_s is not None and not self._remaining.total():
            self.measure(now_s)
            self._started_s = None

    def measure(self, now_s: float) -> None:
        """Bring the duration up to this instant, while the clock runs."""
        if self._started_s is not None:
            self._seconds.set((), max(0.0, now_s - self._started_s))
