"""Are Kafka and Redis well? Measured by their exporters, not by the workers."""

from grafana.source.panel import OUTSIDE, Dashboard, Panel, Query

_KAFKA = (
    Panel(
        "How many brokers are up?",
        "As the exporter sees the cluster.",
        OUTSIDE,
        "short",
        [Query("max(kafka_brokers)", "brokers")],
        width=8,
    ),
    Panel(
        "Which topics have lost replicas?",
        "Partitions with fewer replicas in sync than they should have.",
        OUTSIDE,
        "short",
        [
            Query(
                'sum by (topic) (kafka_topic_partition_under_replicated_partition{topic=~"clv.*"})',
                "{{topic}}",
            )
        ],
        width=8,
    ),
    Panel(
        "How full is Kafka's disk?",
        "Share of the file system of Kafka's volume that is used.",
        OUTSIDE,
        "percentunit",
        [
            Query(
                '1 - node_filesystem_avail_bytes{mountpoint="/kafka"}'
                ' / node_filesystem_size_bytes{mountpoint="/kafka"}',
                "used",
            )
        ],
        width=8,
        limit=0.8,
    ),
    Panel(
        "What lag does the broker see?",
        "End offset less the committed offset of the group, with no worker needed to measure it. "
        "Offsets are committed within transactions.",
        OUTSIDE,
        "short",
        [
            Query(
                'sum by (consumergroup, topic) (kafka_consumergroup_lag{topic=~"clv.*"})',
                "{{consumergroup}} {{topic}}",
            )
        ],
    ),
    Panel(
        "How fast does each topic grow?",
        "Records a second, control records of transactions included.",
        OUTSIDE,
        "ops",
        [
            Query(
                "sum by (topic) "
                '(rate(kafka_topic_partition_current_offset{topic=~"clv.*"}[$__rate_interval]))',
                "{{topic}}",
            )
        ],
    ),
)

_REDIS = (
    Panel(
        "Is Redis up?",
        "1: it answers its exporter.",
        OUTSIDE,
        "short",
        [Query("max by (instance) (redis_up)", "{{instance}}")],
        width=8,
    ),
    Panel(
        "How full is Redis?",
        "Memory used and the limit that it may not pass.",
        OUTSIDE,
        "bytes",
        [
            Query("max(redis_memory_used_bytes)", "used"),
            Query("max(redis_memory_max_bytes)", "limit"),
        ],
        width=8,
    ),
    Panel(
        "Does Redis evict?",
        "Must be 0: an evicted key is a score that nobody can read.",
        OUTSIDE,
        "ops",
        [Query("sum(rate(redis_evicted_keys_total[$__rate_interval]))", "evicted")],
        width=8,
    ),
    Panel(
        "How busy is Redis?",
        "Commands a second.",
        OUTSIDE,
        "ops",
        [Query("sum(rate(redis_commands_processed_total[$__rate_interval]))", "commands")],
        width=8,
    ),
    Panel(
        "How many clients are connected?",
        "Workers, exporters and those who look scores up.",
        OUTSIDE,
        "short",
        [Query("sum(redis_connected_clients)", "clients")],
        width=8,
    ),
    Panel(
        "How full is Redis' disk?",
        "Share of the file system of Redis' volume that is used. Full, Redis takes no writes.",
        OUTSIDE,
        "percentunit",
        [
            Query(
                '1 - node_filesystem_avail_bytes{mountpoint="/redis"}'
                ' / node_filesystem_size_bytes{mountpoint="/redis"}',
                "used",
            )
        ],
        width=8,
        limit=0.9,
    ),
)

DEPENDENCIES = Dashboard(
    "clv-dependencies",
    "CLV / Kafka and Redis",
    "What the workers stand on.",
    {"Kafka": _KAFKA, "Redis": _REDIS},
    since="now-3h",
)
