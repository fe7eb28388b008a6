"""Does the stream flow, and where does it not? For whoever is woken at night."""

from grafana.source.panel import (
    COUNTED,
    EACH_WORKER,
    MEASURED,
    NO_PARTITION,
    OWNED,
    POPULATION,
    Dashboard,
    Panel,
    Query,
    quantiles,
)
from grafana.source.workers import WORKERS

_PROMISES = (
    Panel(
        "How soon can a score be read?",
        "From the record's broker timestamp until its score is in Redis. The promise: 99 % "
        "within 150 ms.",
        MEASURED,
        "s",
        quantiles("clv_end_to_end_seconds", "topic"),
        limit=0.15,
    ),
    Panel(
        "How soon is silence noticed?",
        "From the exact instant of a crossing by silence until it is published. The promise: "
        "99 % within a second.",
        MEASURED,
        "s",
        quantiles("clv_crossing_lateness_seconds"),
        limit=1.0,
    ),
    Panel(
        "What share of the promises is broken?",
        "Events and crossings later than promised, of the last hour. One percent is the budget.",
        MEASURED,
        "percentunit",
        [
            Query("clv:freshness_errors:ratio_rate1h", "freshness"),
            Query("clv:lateness_errors:ratio_rate1h", "lateness"),
        ],
        limit=0.01,
        width=24,
        height=6,
        nothing="No score and no crossing within the last hour.",
    ),
)

_INPUT = (
    Panel(
        "How many events are processed?",
        "Committed events by topic.",
        COUNTED,
        "ops",
        [Query("sum by (topic) (rate(clv_events_total[$__rate_interval]))", "{{topic}}")],
    ),
    Panel(
        "What became of them?",
        "Events that were not simply processed: duplicates, late, rerouted, dead letters.",
        COUNTED,
        "ops",
        [
            Query(
                'sum by (outcome) (rate(clv_events_total{outcome!="processed"}[$__rate_interval]))',
                "{{outcome}}",
            )
        ],
    ),
    Panel(
        "Do the workers keep up?",
        "Records that are not yet committed, by topic.",
        OWNED,
        "short",
        [Query("sum by (topic) (clv_consumer_lag)", "{{topic}}")],
        nothing=NO_PARTITION,
    ),
    Panel(
        "Which partition is behind?",
        "One partition far above the others has a hot key or an owner in trouble.",
        OWNED,
        "short",
        [
            Query(
                "topk(10, max by (topic, partition) (clv_consumer_lag))", "{{topic}} {{partition}}"
            )
        ],
        nothing=NO_PARTITION,
    ),
    Panel(
        "How old is the oldest waiting event?",
        "The worst partition of each topic.",
        OWNED,
        "s",
        [Query("max by (topic) (clv_consumer_lag_seconds)", "{{topic}}")],
        nothing=NO_PARTITION,
    ),
    Panel(
        "When did each topic's last event come?",
        "Seconds since the broker timestamp of the newest committed record.",
        "When a worker takes over: the new owner knows the newest record only once one comes; "
        "until then the other workers' value stands.",
        "s",
        [Query("time() - max by (topic) (clv_last_event_timestamp_seconds)", "{{topic}}")],
        nothing="No event has come since the workers were started.",
    ),
    Panel(
        "Which input is rubbish, and why?",
        "Dead letters by topic and reason.",
        COUNTED,
        "ops",
        [
            Query(
                "sum by (topic, reason) (rate(clv_dead_letters_total[$__rate_interval]))",
                "{{topic}} {{reason}}",
            )
        ],
        nothing="No dead letter since the workers were started.",
    ),
    Panel(
        "How near is the dead-letter limit?",
        "Share of a worker's events of the last 5 minutes that were bad; beyond "
        "CLV_DEAD_LETTER_LIMIT (0.5 by default) of 10,000 events it stops.",
        EACH_WORKER,
        "percentunit",
        [
            Query(
                'sum by (instance) (rate(clv_events_total{outcome="dead_letter"}[5m]))'
                " / (sum by (instance) (rate(clv_events_total[5m])) > 0)",
                "{{instance}}",
            )
        ],
        limit=0.5,
        nothing="No event within the last 5 minutes.",
    ),
)

_BATCHES = (
    Panel(
        "How long does a batch take?",
        "From its start until its transaction is committed.",
        MEASURED,
        "s",
        quantiles("clv_batch_seconds"),
    ),
    Panel(
        "How large are the batches?",
        "They grow while a commit is in flight: large ones say that the worker is at its limit.",
        MEASURED,
        "short",
        quantiles("clv_batch_events"),
    ),
    Panel(
        "How long does each sink take?",
        "One batch's write.",
        MEASURED,
        "s",
        quantiles("clv_sink_seconds", "sink"),
    ),
    Panel(
        "Which sink fails?",
        "Failed writes; each is repeated until it works, and the input waits meanwhile.",
        COUNTED,
        "ops",
        [
            Query(
                "sum by (sink, error) (rate(clv_sink_errors_total[$__rate_interval]))",
                "{{sink}} {{error}}",
            )
        ],
    ),
)

_TIME = (
    Panel(
        "Is time passing?",
        "Age of the last tick applied, worst partition of each worker. Without ticks no silence "
        "is noticed. Missing where CLV_CLOCK=events.",
        EACH_WORKER,
        "s",
        [Query("max by (instance) (clv_tick_age_seconds)", "{{instance}}")],
        nothing="No worker has a partition, or CLV_CLOCK=events.",
    ),
    Panel(
        "How overdue is the most overdue score?",
        "0 while every due deadline has been looked at; it grows by itself where time stands.",
        OWNED,
        "s",
        [Query("max(clv_score_age_seconds)", "overdue")],
    ),
    Panel(
        "Is time held back on purpose?",
        "1: the topic's publisher seems to be dead, so silence proves nothing and nobody lapses "
        "(CLV_PUBLISHER_SILENCE).",
        EACH_WORKER,
        "short",
        [Query("max by (topic) (clv_clock_held)", "{{topic}}")],
    ),
    Panel(
        "Who else writes to the clock?",
        "Records of clv.clock that were no ticks, and were passed over. There should be none.",
        COUNTED,
        "ops",
        [Query("sum by (reason) (rate(clv_ticks_refused_total[$__rate_interval]))", "{{reason}}")],
    ),
    Panel(
        "How many deadlines are pending?",
        "Customers whose silence will change something.",
        POPULATION,
        "short",
        [Query("sum(clv_deadlines_pending)", "pending")],
    ),
    Panel(
        "What makes scores be published?",
        "Scores by cause.",
        COUNTED,
        "ops",
        [Query("sum by (cause) (rate(clv_score_refreshes_total[$__rate_interval]))", "{{cause}}")],
    ),
)

PIPELINE = Dashboard(
    "clv-pipeline",
    "CLV / Pipeline",
    "From the broker to Redis: promises, input, batches, time, workers.",
    {
        "Promises": _PROMISES,
        "Input": _INPUT,
        "Batches and sinks": _BATCHES,
        "Time": _TIME,
        "Workers": WORKERS,
    },
    since="now-3h",
)
