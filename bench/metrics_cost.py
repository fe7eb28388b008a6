"""What the metrics cost, as a share of the work that they measure: `python -m bench.metrics_cost`.

Both are CPU time of one core in one run, each the least of many turns: a batch's decoding and
step, and all that is reported of the same batch (`streams.report`), gauges, lags and latencies
included. A scrape every 15 seconds takes its share of the time beside that. Committing and Redis
are left out of the work, so the true share is smaller. Exit status 1 where it is over the budget
of 3 % in full batches, which is where throughput is decided.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from itertools import product
from typing import Any, Final, NamedTuple

from bench.purchases import CURRENCY, TOPIC, backlog
from models.events import Decoder
from models.policy import Policy
from models.step import Step, step
from sinks.metrics import Metrics
from streams.app import create_metrics
from streams.intake import Intake, take_in
from streams.report import Report
from streams.topics import INPUTS

BUDGET: Final = 0.03
SCRAPE_S: Final = 15.0
SIZES: Final = (10_000, 1_000, 100)
PARTITIONS: Final = 8
KNOWN_EVENTS: Final = 30_000
CUSTOMERS: Final = 12_500
END_MS: Final = 1_772_357_400_000
REPEATS: Final = 15


class Record(NamedTuple):
    """A Kafka record, as a batch has it."""

    topic: str
    key: bytes
    value: bytes
    timestamp: int
    headers: tuple[()] = ()


def records(events: int) -> list[Record]:
    """Purchases, as they come from Kafka."""
    lines = backlog(events, CUSTOMERS, END_MS, seed=7).lines()
    return [Record(TOPIC, key, value, END_MS) for key, value in lines]


def least(call: Callable[[], object]) -> float:
    """CPU seconds of a call, at best."""
    found = []
    for _ in range(REPEATS):
        begun_s = time.process_time()
        call()
        found.append(time.process_time() - begun_s)
    return min(found)


def report(metrics: Metrics, made: Report, result: Step, taken: Intake) -> None:
    """All that a worker says of one batch."""
    made.batch(0.05, result, taken)
    made.state(4_000_000)
    made.schedule(12_500, END_MS // 1000)
    made.tick(END_MS)
    for topic in INPUTS:
        metrics.lag(topic, 0, 17, 0.3)
    metrics.sink("redis", 0.02)
    made.readable()()


def share(size: int, known: list[Record], scrape_s: float) -> tuple[float, float, float]:
    """CPU microseconds an event of the work and of the metrics, and the metrics' share."""
    policy, decoder = Policy(currency=CURRENCY), Decoder(CURRENCY, {}, 3_600_000)
    metrics = create_metrics(policy)
    table: dict[bytes, bytes] = {}
    chunk = known[-size:]
    everyone = {record.key for record in known}

    def work(some: list[Record]) -> tuple[Step, Intake]:
        taken = take_in(decoder, {TOPIC: some}, 0, PARTITIONS, everyone)
        return step(policy, table.get, taken.events, 0), taken

    table.update(work(known[:-size])[0].states)
    result, taken = work(chunk)
    made = Report(metrics, 0, wall_clock=True)
    work_s = least(lambda: work(chunk))
    told_s = least(lambda: report(metrics, made, result, taken))
    part = told_s / (work_s + told_s) + scrape_s / SCRAPE_S
    return work_s / size * 1e6, told_s / size * 1e6, part


def scrape() -> tuple[float, int]:
    """CPU seconds of a scrape of 8 partitions and 4 tiers, and how many series it has."""
    metrics = create_metrics(Policy(currency=CURRENCY))
    for topic, partition in product(INPUTS, range(PARTITIONS)):
        metrics.lag(topic, partition, 3, 0.1)
        metrics.tick(partition, END_MS / 1000)
    lines = metrics.render().decode().splitlines()
    return least(metrics.render), sum(not line.startswith("#") for line in lines)


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    as_json = parser.parse_args().json
    known = records(KNOWN_EVENTS)
    scrape_s, series = scrape()
    told: dict[str, Any] = {"series": series, "scrape_ms": scrape_s * 1e3, "batches": {}}
    for size in SIZES:
        work_us, metrics_us, part = share(size, known, scrape_s)
        told["batches"][size] = {"work_us": work_us, "metrics_us": metrics_us, "share": part}
    if as_json:
        print(json.dumps(told))
    else:
        print(f"a scrape: {series} series, {scrape_s * 1e3:.1f} ms, every {SCRAPE_S:.0f} s")
        print(f"{'events a batch':>14}{'work us':>10}{'metrics us':>12}{'share':>8}")
        for size, row in told["batches"].items():
            print(f"{size:14,}{row['work_us']:10.2f}{row['metrics_us']:12.3f}{row['share']:8.2%}")
    return int(told["batches"][SIZES[0]]["share"] > BUDGET)


if __name__ == "__main__":
    sys.exit(main())
