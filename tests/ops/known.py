"""What a query may name: the workers' metrics, the exporters', and the rules' own."""

import re
from pathlib import Path

import yaml

from sinks.metric_definitions import DEFINITIONS

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "grafana"
RULES = sorted((GRAFANA / "prometheus" / "rules").glob("*.yml"))
RULE_TESTS = sorted((GRAFANA / "prometheus" / "rules" / "tests").glob("*.yml"))

PROCESS = {
    "process_start_time_seconds",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "up",
}
# From their own documentation: kafka_exporter, redis_exporter, node_exporter, Alertmanager.
EXPORTERS = {
    "kafka_brokers",
    "kafka_topic_partitions",
    "kafka_topic_partition_under_replicated_partition",
    "kafka_topic_partition_current_offset",
    "kafka_consumergroup_lag",
    "redis_up",
    "redis_memory_used_bytes",
    "redis_memory_max_bytes",
    "redis_evicted_keys_total",
    "redis_commands_processed_total",
    "redis_connected_clients",
    "alertmanager_notifications_failed_total",
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
}
GAUGES = {each.name for each in DEFINITIONS if each.kind == "gauge"}
COUNTERS = {each.name for each in DEFINITIONS if each.kind == "counter"}
HISTOGRAMS = {each.name for each in DEFINITIONS if each.kind == "histogram"}
WORKER = (
    GAUGES
    | COUNTERS
    | {f"{name}_{part}" for name in HISTOGRAMS for part in ("bucket", "count", "sum")}
)

NAME = re.compile(
    r"\b(?:(?:clv|kafka|redis|node|process|alertmanager)_[a-z0-9_]+|clv:[a-z0-9_:]+|up(?=[{ ]))"
)


def rules():
    """(file, group, rule) of every rule."""
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                yield path, group, rule


def alerts():
    return [rule for _, _, rule in rules() if "alert" in rule]


def recorded():
    return {rule["record"] for _, _, rule in rules() if "record" in rule}


def metrics_in(expr):
    """Metric names in an expression, label values left out."""
    return set(NAME.findall(re.sub(r'"[^"]*"', '""', expr)))


def known_metrics():
    return WORKER | PROCESS | EXPORTERS | recorded()
