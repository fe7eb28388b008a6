"""What the worker measures: every metric's name, type, unit, labels and reason, once.

Dashboards and alerts go by the names: they may be added to, and none is renamed. `sinks.metrics`
creates exactly these series and nothing else does.
No label ever holds a customer, an event id or anything else that grows with the input.
"""

from dataclasses import dataclass
from typing import Literal

MAX_REASONS = 24
"""Distinct dead-letter reasons that get a series of their own, per topic; the rest is `other`."""

MAX_SINK_ERRORS = 16
"""Distinct error codes that get a series of their own, per sink; the rest is `other`."""

OUTCOMES = ("processed", "duplicate", "late", "rerouted", "dead_letter")
TICK_FAULTS = ("undecodable", "ahead")
HOLDING_TOPICS = ("clv.purchases",)
"""Whose silence, while other topics go on, holds time back."""
CAUSES = ("purchase", "refund", "engagement", "silence", "late_event", "model", "profile")
NOBODY = "none"
"""The `from` of a customer's first change: Prometheus reads an empty label as no label."""

# Bounds lie close where a promise is judged: 120 and 150 ms for freshness, 1 s for lateness.
LATENCY_BOUNDS = (0.01, 0.025, 0.05, 0.08, 0.12, 0.15, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0)
LATENESS_BOUNDS = (0.1, 0.25, 0.5, 0.75, 1.0, 2.0, 5.0, 15.0, 60.0, 600.0, 3600.0, 86400.0)
BATCH_SECONDS_BOUNDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
BATCH_EVENTS_BOUNDS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 3e4, 1e5)
SINK_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)


@dataclass(frozen=True)
class Definition:
    """One metric.

    Attributes:
        name: as Prometheus scrapes it.
        kind: Prometheus type.
        unit: of the value; `1` for a count.
        labels: label names, in the order in which values are given.
        help: what a value says; ends up beside the metric on `/metrics`.
        why: the question that it answers for somebody.
        bounds: upper bounds of a histogram's buckets, ascending, without infinity.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    labels: tuple[str, ...]
    help: str
    why: str
    bounds: tuple[float, ...] = ()


EVENTS = Definition(
    "clv_events_total",
    "counter",
    "1",
    ("topic", "outcome"),
    "Events taken from an input topic, by what became of them; counted after the commit.",
    "Throughput, and the shares of duplicates, late events and rubbish.",
)
BATCH_SECONDS = Definition(
    "clv_batch_seconds",
    "histogram",
    "s",
    (),
    "From the start of a batch until its transaction is committed.",
    "Where latency comes from when the lag does not grow.",
    BATCH_SECONDS_BOUNDS,
)
BATCH_EVENTS = Definition(
    "clv_batch_events",
    "histogram",
    "1",
    (),
    "Events in a committed batch.",
    "Large batches say that the worker is at its limit: they grow while a commit is in flight.",
    BATCH_EVENTS_BOUNDS,
)
END_TO_END = Definition(
    "clv_end_to_end_seconds",
    "histogram",
    "s",
    ("topic",),
    "From the record's broker timestamp until the score can be read from Redis.",
    "The promise of freshness.",
    LATENCY_BOUNDS,
)
CONSUMER_LAG = Definition(
    "clv_consumer_lag",
    "gauge",
    "1",
    ("topic", "partition"),
    "Records of an owned partition that are not yet committed.",
    "Whether the workers keep up, and whether one partition is worse off than the others.",
)
CONSUMER_LAG_SECONDS = Definition(
    "clv_consumer_lag_seconds",
    "gauge",
    "s",
    ("topic",),
    "Age of the oldest fetched record that is not yet committed; 0 where none waits.",
    "The lag in the unit that a promise is made in.",
)
LAST_EVENT = Definition(
    "clv_last_event_timestamp_seconds",
    "gauge",
    "s",
    ("topic",),
    "Broker timestamp of the newest committed record, Unix time.",
    "A publisher that fell silent.",
)
TICK_AGE = Definition(
    "clv_tick_age_seconds",
    "gauge",
    "s",
    (),
    "Age of the last tick applied, of the owned partition where it is oldest.",
    "Silence is noticed by ticks: without them no customer ever lapses.",
)
CLOCK_HELD = Definition(
    "clv_clock_held",
    "gauge",
    "1",
    ("topic",),
    "1 while time is held back because the topic's publisher seems to be dead; else 0.",
    "Ticks that are late on purpose: it is the publisher who needs help, not the worker.",
)
TICKS_REFUSED = Definition(
    "clv_ticks_refused_total",
    "counter",
    "1",
    ("reason",),
    "Records of clv.clock that no worker can have written, and that were passed over.",
    "Somebody else writes to a topic that is the workers' own.",
)
RECOVERING = Definition(
    "clv_recovering_records",
    "gauge",
    "1",
    (),
    "Changelog records still to be read before the owned partitions are ready.",
    "Whether a starting worker makes progress.",
)
REBALANCES = Definition(
    "clv_rebalances_total",
    "counter",
    "1",
    (),
    "Assignments of partitions that this worker has received.",
    "Rebalances that come again and again are a worker that is thrown out again and again.",
)
CUSTOMERS = Definition(
    "clv_customers",
    "gauge",
    "1",
    ("tier",),
    "Customers of the owned partitions by current tier.",
    "The population, and a tier that empties all at once.",
)
CUSTOMERS_AT_RISK = Definition(
    "clv_customers_at_risk",
    "gauge",
    "1",
    ("level",),
    "Customers of the owned partitions by current churn level, `low` included.",
    "How many are about to be lost.",
)
VALUE = Definition(
    "clv_value_minor",
    "gauge",
    "minor units of CLV_CURRENCY",
    ("tier", "kind"),
    "Sum of historic or predicted value of the customers in a tier.",
    "Where the money is.",
)
VALUE_AT_RISK = Definition(
    "clv_value_at_risk_minor",
    "gauge",
    "minor units of CLV_CURRENCY",
    (),
    "Sum over customers of the predicted value that silence has put at stake.",
    "What a win-back campaign may cost.",
)
TIER_CHANGES = Definition(
    "clv_tier_changes_total",
    "counter",
    "1",
    ("from", "to", "cause"),
    "Tier changes published; `from` is `none` for a customer's first.",
    "Who moves where, and what moves them.",
)
CHURN_CHANGES = Definition(
    "clv_churn_risk_changes_total",
    "counter",
    "1",
    ("from", "to", "cause"),
    "Churn level changes published; `from` is `none` for a customer's first.",
    "Whether more customers slip away than come back.",
)
PREDICTIONS_JUDGED = Definition(
    "clv_predictions_judged_total",
    "counter",
    "1",
    ("bin",),
    "Predictions of a purchase within 30 days whose 30 days are over, by bin of their chance.",
    "The worker's own verdict on its past predictions; how much it rests on.",
)
PREDICTIONS_ACTIVE = Definition(
    "clv_predictions_active_total",
    "counter",
    "1",
    ("bin",),
    "Those of them whose customer did buy.",
    "Divided by those judged: how often it was so, to hold against what was said.",
)
PREDICTIONS_PROBABILITY = Definition(
    "clv_predictions_probability_total",
    "counter",
    "1",
    ("bin",),
    "The sum of their chances, each between 0 and 1.",
    "Divided by those judged: what was said.",
)
PREDICTIONS_SQUARED_ERROR = Definition(
    "clv_predictions_squared_error_total",
    "counter",
    "1",
    (),
    "The sum of (chance - 1)^2 where the customer bought, and of chance^2 where not.",
    "Divided by those judged: the Brier score.",
)
DEADLINES = Definition(
    "clv_deadlines_pending",
    "gauge",
    "1",
    (),
    "Customers of the owned partitions with a deadline ahead.",
    "The size of the schedule; near 0 with many customers, it was not rebuilt.",
)
SCORE_AGE = Definition(
    "clv_score_age_seconds",
    "gauge",
    "s",
    (),
    "How long the most overdue deadline of the owned partitions has waited; 0 where none is due.",
    "Scores, ranks and gauges that no longer hold what they say.",
)
SCORE_REFRESHES = Definition(
    "clv_score_refreshes_total",
    "counter",
    "1",
    ("cause",),
    "Scores published, by what made them be computed.",
    "What the output topic and Redis are kept busy with.",
)
LATENESS = Definition(
    "clv_crossing_lateness_seconds",
    "histogram",
    "s",
    (),
    "From the exact instant of a crossing by silence until it was published.",
    "The promise that silence is noticed within a second.",
    LATENESS_BOUNDS,
)
SINK_SECONDS = Definition(
    "clv_sink_seconds",
    "histogram",
    "s",
    ("sink",),
    "One batch's write to a sink.",
    "Which dependency makes a batch slow.",
    SINK_BOUNDS,
)
SINK_ERRORS = Definition(
    "clv_sink_errors_total",
    "counter",
    "1",
    ("sink", "error"),
    "Failed writes to a sink by kind of error; each is repeated until it works.",
    "A dependency that is away.",
)
DEAD_LETTERS = Definition(
    "clv_dead_letters_total",
    "counter",
    "1",
    ("topic", "reason"),
    "Records put into clv.dead-letters, by topic they came from and reason.",
    "Which publisher broke what.",
)
RECOVERY_SECONDS = Definition(
    "clv_recovery_seconds",
    "gauge",
    "s",
    (),
    "Duration of the recovery that is under way, else of the last one.",
    "How long a restart keeps partitions unattended.",
)
RECOVERED = Definition(
    "clv_recovered_records_total",
    "counter",
    "1",
    (),
    "Changelog records read back.",
    "The speed of recovery.",
)
STATE_BYTES = Definition(
    "clv_state_bytes",
    "gauge",
    "B",
    (),
    "Encoded size of the states of the owned partitions, keys included.",
    "Memory a customer, before the machine runs out of it.",
)
MODEL_INFO = Definition(
    "clv_model_info",
    "gauge",
    "1",
    ("model", "version"),
    "1 for the model and parameters that a partition of this worker uses.",
    "Whether all workers score alike.",
)
MODEL_PENDING = Definition(
    "clv_model_pending_customers",
    "gauge",
    "1",
    (),
    "Customers whose scores are still by the parameters before the newest.",
    "When a change of parameters will be done.",
)
MODEL_REFUSED = Definition(
    "clv_model_refused_total",
    "counter",
    "1",
    (),
    "Published parameters that cannot be used: damaged, of another currency, out of scale.",
    "Why new parameters do not take effect.",
)
BUILD_INFO = Definition(
    "clv_build_info",
    "gauge",
    "1",
    ("version",),
    "1 for the version of the program.",
    "Whether a deploy has reached every worker.",
)

DEFINITIONS: tuple[Definition, ...] = tuple(
    each for each in globals().values() if isinstance(each, Definition)
)
"""All of the above, in their order."""
