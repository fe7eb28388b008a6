"""Who works, and what takes over when one dies: the row *Workers* of the pipeline."""

from grafana.source.panel import (
    COUNTED,
    EACH_WORKER,
    NO_CUSTOMER,
    NO_PARTITION,
    POPULATION,
    Panel,
    Query,
)

WORKERS = (
    Panel(
        "Which workers are up?",
        "1: its metrics can be scraped.",
        EACH_WORKER,
        "short",
        [Query('up{job="clv"}', "{{instance}}")],
        width=8,
    ),
    Panel(
        "How many partitions does each worker own?",
        "Input partitions of the topic with the most of them.",
        EACH_WORKER,
        "short",
        [
            Query(
                "max by (instance) (count by (instance, topic) (clv_consumer_lag))", "{{instance}}"
            )
        ],
        width=8,
        nothing=NO_PARTITION,
    ),
    Panel(
        "How often do partitions change hands?",
        "Assignments, in 15 minutes each. Again and again means that a worker is thrown out.",
        EACH_WORKER,
        "short",
        [Query("sum by (instance) (increase(clv_rebalances_total[15m]))", "{{instance}}")],
        width=8,
    ),
    Panel(
        "What is left to recover?",
        "Changelog records still to be read.",
        EACH_WORKER,
        "short",
        [Query("sum by (instance) (clv_recovering_records)", "{{instance}}")],
        width=8,
    ),
    Panel(
        "How long does recovery take?",
        "The recovery under way, else the last one.",
        EACH_WORKER,
        "s",
        [Query("max by (instance) (clv_recovery_seconds)", "{{instance}}")],
        width=8,
        nothing="No worker has had anything to read back.",
    ),
    Panel(
        "How fast is recovery?",
        "Changelog records read back.",
        COUNTED,
        "ops",
        [
            Query(
                "sum by (instance) (rate(clv_recovered_records_total[$__rate_interval]))",
                "{{instance}}",
            )
        ],
        width=8,
    ),
    Panel(
        "How much CPU does each worker use?",
        "Cores; one worker uses one at most, and a little beside it.",
        EACH_WORKER,
        "short",
        [
            Query(
                'sum by (instance) (rate(process_cpu_seconds_total{job="clv"}[$__rate_interval]))',
                "{{instance}}",
            )
        ],
        width=8,
    ),
    Panel(
        "How much memory does each worker use?",
        "Resident memory.",
        EACH_WORKER,
        "bytes",
        [Query('sum by (instance) (process_resident_memory_bytes{job="clv"})', "{{instance}}")],
        width=8,
    ),
    Panel(
        "How large is one customer's state?",
        "Encoded size with the key.",
        POPULATION,
        "bytes",
        [Query("sum(clv_state_bytes) / (sum(clv_customers) > 0)", "bytes a customer")],
        width=8,
        nothing=NO_CUSTOMER,
    ),
    Panel(
        "Which versions run?",
        "Workers by version of the program.",
        EACH_WORKER,
        "short",
        [Query("count by (version) (clv_build_info)", "{{version}}")],
        width=24,
        height=5,
    ),
)
