"""A real Prometheus scrapes real workers' ports: every panel is answered, every rule evaluated."""

import itertools
import json
import math
import random
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections import Counter
from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
import yaml

from models.population import Population
from models.verdicts import verdicts_on
from sinks.metric_definitions import CAUSES, OUTCOMES
from sinks.metrics import INPUT_TOPICS, SINKS, Metrics
from streams.http import StatusServer
from tests.ops.known import GRAFANA, alerts

TIERS = ("bronze", "silver", "gold", "platinum")
LEVELS = ("low", "medium", "high")
WORKERS = ({0, 1}, {2, 3})
RANGE = "8s"
SECONDS_OF_DATA = 14


@dataclass
class Change:
    from_: str | None
    to: str
    cause: str
    crossed_at_ms: int
    detected_at_ms: int


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def feed(metrics, partitions, rng):
    """A fifth of a second in the life of a worker."""
    now = time.time()
    for partition in partitions:
        outcomes = {key: rng.randint(1, 9) for key in product(INPUT_TOPICS, OUTCOMES)}
        metrics.batch(partition, rng.random() / 10, outcomes, dict.fromkeys(INPUT_TOPICS, now))
        metrics.population(
            partition,
            Population(
                customers=Counter(dict.fromkeys(TIERS, 3)),
                historic_minor=Counter(dict.fromkeys(TIERS, 12_000)),
                predicted_minor=Counter(dict.fromkeys(TIERS, 4_000)),
                levels=Counter(dict.fromkeys(LEVELS, 4)),
                at_risk_minor=300,
            ),
        )
        metrics.deadlines(partition, 900, now + 60)
        metrics.state_bytes(partition, 250_000)
        metrics.tick(partition, now)
        metrics.recovery_progress(partition, 0, 50)
        for topic in INPUT_TOPICS:
            metrics.lag(topic, partition, rng.randint(0, 20), rng.random())
    for topic in INPUT_TOPICS:
        metrics.end_to_end(topic, [rng.random() / 10 for _ in range(50)])
        metrics.dead_letters(topic, {"invalid_json": 1, "missing_field": 2})
    for sink in SINKS:
        metrics.sink(sink, rng.random() / 100)
        metrics.sink_error(sink, "unavailable")
    for names, report in ((TIERS, metrics.tier_changes), (LEVELS, metrics.churn_changes)):
        now_ms = int(now * 1000)
        report(
            [
                Change(*key, now_ms - 300, now_ms)
                for key in product((None, *names), names, CAUSES)
                if key[0] != key[1]
            ]
        )
    metrics.score_refreshes(dict.fromkeys(CAUSES, 2))
    chances = np.array([rng.randrange(10_001) for _ in range(50)])
    metrics.verdicts(verdicts_on(chances, (chances > rng.randrange(10_001)).astype(np.int64)))
    metrics.ticks_refused("undecodable", 1)
    metrics.rebalance()


class Exporters:
    """What kafka_exporter, redis_exporter and node_exporter answer, in the shape they have it."""

    def __init__(self):
        self.scrapes = 0

    def kafka(self):
        self.scrapes += 1
        lines = ["kafka_brokers 3"]
        for topic in INPUT_TOPICS:
            lines.append(f'kafka_topic_partitions{{topic="{topic}"}} 4')
            for partition in range(4):
                labels = f'topic="{topic}",partition="{partition}"'
                lines += [
                    f"kafka_topic_partition_under_replicated_partition{{{labels}}} 0",
                    f"kafka_topic_partition_current_offset{{{labels}}} {self.scrapes * 100}",
                    f'kafka_consumergroup_lag{{consumergroup="clv",{labels}}} 3',
                ]
        return "\n".join([*lines, ""]).encode()

    def redis(self):
        return (
            b"redis_up 1\nredis_memory_used_bytes 1e8\nredis_memory_max_bytes 1e9\n"
            b"redis_evicted_keys_total 0\nredis_commands_processed_total 7\n"
            b"redis_connected_clients 3\n"
        )

    def node(self):
        return "".join(
            f'node_filesystem_{name}_bytes{{device="/dev/vda1",mountpoint="{at}"}} {size}\n'
            for name, size in (("avail", 7e10), ("size", 1e11))
            for at in ("/kafka", "/redis")
        ).encode()


class LivePrometheus:
    def __init__(self, port):
        self.base = f"http://127.0.0.1:{port}/api/v1"

    def get(self, path, **query):
        url = f"{self.base}/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expr):
        return self.get("query", query=expr)["result"]


@pytest.fixture(scope="module")
def live(prometheus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prometheus")
    metrics = [Metrics(version="0.1.0", tiers=TIERS, levels=LEVELS) for _ in WORKERS]
    exporters = Exporters()
    pages = {
        "clv": [each.render for each in metrics],
        "kafka": [exporters.kafka],
        "redis": [exporters.redis],
        "node": [exporters.node],
    }
    servers = {
        job: [StatusServer(0, page, lambda: (True, ()), host="127.0.0.1") for page in renders]
        for job, renders in pages.items()
    }
    stop = threading.Event()

    def run():
        rng = random.Random(7)
        for each in metrics:
            each.recovery_started()
            each.recovery_progress(0, 0, 100)
            each.model(0, "mbg-nbd+gamma-gamma", "cdnow-1997-09-30")
        while not stop.wait(0.2):
            for each, partitions in zip(metrics, WORKERS, strict=True):
                feed(each, partitions, rng)

    config = yaml.safe_load((GRAFANA / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {
        "scrape_interval": "1s",
        "scrape_timeout": "1s",
        "evaluation_interval": "1s",
    }
    del config["alerting"]
    config["scrape_configs"] = [job for job in config["scrape_configs"] if job["job_name"] in pages]
    for server in itertools.chain(*servers.values()):
        server.start()
    for job in config["scrape_configs"]:
        targets = [f"127.0.0.1:{server.port}" for server in servers[job["job_name"]]]
        job["static_configs"] = [{"targets": targets}]
    shutil.copytree(GRAFANA / "prometheus" / "rules", folder / "rules")
    for path in (folder / "rules").glob("*.yml"):
        # As quick as the others: a group with an interval of its own is first evaluated after it.
        path.write_text(re.sub(r"^    interval: .*\n", "", path.read_text(), flags=re.MULTILINE))
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    process = subprocess.Popen(
        [
            prometheus,
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ]
    )
    thread = threading.Thread(target=run)
    thread.start()
    try:
        time.sleep(SECONDS_OF_DATA)
        yield LivePrometheus(port)
    finally:
        stop.set()
        thread.join()
        process.terminate()
        process.wait()
        for server in itertools.chain(*servers.values()):
            server.close()


QUERIES = [
    pytest.param(target["expr"], id=f"{path.stem}: {each['title']} {target['refId']}")
    for path in sorted((GRAFANA / "dashboards").glob("*.json"))
    for each in json.loads(path.read_text())["panels"]
    for target in each.get("targets", [])
]


@pytest.mark.slow
@pytest.mark.parametrize("expr", QUERIES)
def test_every_panel_is_answered_with_data(live, expr):
    filled = (
        expr.replace("$__rate_interval", RANGE).replace("$__range", RANGE).replace("$minor", "100")
    )
    assert "$" not in filled.replace('"$1"', "")
    # What looks back over the range has an answer once there has been one.
    deadline = time.monotonic() + 60
    while True:
        values = [float(series["value"][1]) for series in live.query(filled)]
        if any(math.isfinite(value) for value in values):
            return
        assert time.monotonic() < deadline, (filled, values)
        time.sleep(1)


@pytest.mark.slow
def test_all_workers_and_exporters_are_scraped_without_an_error(live):
    targets = live.get("targets")["activeTargets"]
    assert {target["labels"]["job"] for target in targets} == {"clv", "kafka", "redis", "node"}
    assert [target["lastError"] for target in targets if target["lastError"]] == []


@pytest.mark.slow
def test_every_rule_is_evaluated_without_an_error(live):
    groups = live.get("rules")["groups"]
    found = [rule for group in groups for rule in group["rules"]]
    assert {rule["name"] for rule in found if rule["type"] == "alerting"} == {
        alert["alert"] for alert in alerts()
    }
    assert [(rule["name"], rule["health"]) for rule in found if rule["health"] != "ok"] == []


@pytest.mark.slow
def test_a_healthy_stack_fires_the_watchdog_and_nothing_critical(live):
    """The feed's sinks fail on purpose, and its customers are scored with example parameters."""
    on_purpose = {"ClvSinkFailing", "ClvDeadLetterLimitNear"}
    firing = {
        series["metric"]["alertname"]
        for series in live.query('ALERTS{alertstate="firing", severity!="warning"}')
    }
    assert firing - on_purpose == {"ClvWatchdog"}


@pytest.mark.slow
def test_a_worker_exports_fewer_than_500_series(live):
    result = live.query('scrape_samples_scraped{job="clv"}')
    assert len(result) == len(WORKERS)
    assert all(float(series["value"][1]) < 500 for series in result)


@pytest.mark.slow
def test_population_sums_over_the_workers(live):
    by_worker = live.query("sum by (instance) (clv_customers)")
    assert len(by_worker) == len(WORKERS)
    assert all(float(series["value"][1]) > 0 for series in by_worker)
