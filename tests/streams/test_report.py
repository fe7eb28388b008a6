"""What a partition tells of its batches: here, whose latency is observed."""

import time
from typing import Any

from models.policy import Policy
from models.step import step
from sinks.metrics import Metrics
from streams.intake import take_in
from streams.report import Report
from streams.topics import ENGAGEMENTS, PURCHASES
from tests.streams.test_intake import DECODER, PARTITIONS, record, residents

HOUR_S = 3600


def observed(metrics: Metrics, topic: str) -> tuple[float, float]:
    """Count and sum of `clv_end_to_end_seconds`; 0 where there is none."""
    name, labels = "clv_end_to_end_seconds", {"topic": topic}
    registry = metrics.registry
    return (
        registry.get_sample_value(f"{name}_count", labels) or 0.0,
        registry.get_sample_value(f"{name}_sum", labels) or 0.0,
    )


def test_latency_is_that_of_events_that_were_applied() -> None:
    metrics = Metrics(
        version="0",
        tiers=[name for name, _ in Policy().tiers],
        levels=["low", "medium", "high"],
    )
    report = Report(metrics, 0, wall_clock=False)
    (here,), (there,) = residents(0, 1), residents(2, 1)
    hour_ago_ms = int((time.time() - HOUR_S) * 1000)

    def arrived(topic: str, offset: int, customer: str = here, **changes: Any) -> Any:
        return record(topic, offset, customer, hour_ago_ms, **changes)

    records = {
        PURCHASES: [
            arrived(PURCHASES, 0),
            arrived(PURCHASES, 1, value=b"{"),
            arrived(PURCHASES, 2, timestamp=1),  # an event from the future, by its record's clock
            arrived(PURCHASES, 3, there),
            arrived(PURCHASES, 0),  # again: what it says can be read, too
            arrived(PURCHASES, 4),
        ],
        ENGAGEMENTS: [arrived(ENGAGEMENTS, 0)],
    }
    intake = take_in(DECODER, records, 0, PARTITIONS, known={})
    result = step(Policy(), {}.get, intake.events, 0)
    last = max(index for index, source in enumerate(intake.sources) if source.offset == 4)
    result.refused.append((last, intake.refused[0][1]))  # as of a total over 2^62
    report.batch(0.05, result, intake)
    assert observed(metrics, PURCHASES) == (0, 0), "it cannot be read yet"
    observe = report.readable()
    report.batch(0.05, result, None)  # silence comes before Redis has the batch
    report.readable()()
    observe()
    count, seconds = observed(metrics, PURCHASES)
    assert count == 2
    assert 2 * HOUR_S <= seconds < 2 * HOUR_S + 60
    assert observed(metrics, ENGAGEMENTS)[0] == 1


def test_a_publisher_whose_clock_is_ahead_hides_nothing() -> None:
    """Else the alert on its silence would wait until its time has come."""
    metrics = Metrics(version="0", tiers=[name for name, _ in Policy().tiers], levels=["low"])
    report = Report(metrics, 0, wall_clock=True)
    (here,) = residents(0, 1)
    before_s = time.time()
    ahead_ms = int((before_s + 20 * HOUR_S) * 1000)
    records = {PURCHASES: [record(PURCHASES, 0, here, ahead_ms)]}
    intake = take_in(DECODER, records, 0, PARTITIONS, known={})
    report.batch(0.05, step(Policy(), {}.get, intake.events, 0), intake)
    report.readable()()
    assert observed(metrics, PURCHASES) == (1, 0)
    newest_s = metrics.registry.get_sample_value(
        "clv_last_event_timestamp_seconds", {"topic": PURCHASES}
    )
    assert newest_s is not None
    assert before_s <= newest_s <= time.time()
