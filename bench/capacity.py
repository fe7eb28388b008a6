"""What a customer costs: worker, changelog, scores, Redis, and how fast a worker recovers.

`python -m bench.capacity [--customers 50000] [--events 2 10] [--json]`, for `docs/capacity.md`. For
each number of events a customer (three in ten engagements, over 500 days), on servers of its
own: `clv simulate` makes the events, one worker applies them, is stopped, and recovers. The
worker's memory is that of its process less that of one without customers. The changelog's segments
are small here, so that Kafka's cleaner has something to do within the run.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from redis import Redis as RedisClient

from bench.metering import cpu_seconds
from bench.purchases import CURRENCY, backlog
from models.events import Decoder
from models.policy import Policy
from models.schedule import Schedule
from models.state import decode_summary
from models.step import step
from tests.integration.job import GROUP, PARTITIONS, Job, simulated
from tests.recount import log
from tests.servers.kafka import Kafka, create_topics
from tests.servers.redis import Redis

CHANGELOG: Final = f"{GROUP}-state-changelog"
SCORES: Final = "clv.scores"
SEGMENT: Final = {"segment.bytes": str(4 << 20), "min.cleanable.dirty.ratio": "0.2"}
CHUNK: Final = 10_000
END_MS: Final = 1_772_357_400_000
CLEANED_S: Final = 20.0
RECORD_BYTES: Final = 10
"""What Kafka adds to a record within a batch, about."""


@dataclass
class Cost:
    """What was measured; bytes are those of one customer unless said.

    Attributes:
        events: a customer.
        customers: how many.
        cpu_us: of the worker, an event.
        table: the table and the schedule alone, allocated.
        worker: resident memory of a worker that has just recovered.
        changelog_live: newest states with their keys.
        changelog_disk: the topic's files, cleaned as far as Kafka had come, over all of them.
        scores_live: newest scores with keys and headers.
        scores_written: all scores that the run wrote, a score.
        redis: used memory.
        input_event: bytes of an input record on disk, uncompressed.
        recovery_per_s: customers a second, from the start of the process until all are ready.
    """

    events: int
    customers: int
    cpu_us: float
    table: float
    worker: float
    changelog_live: float
    changelog_disk: float
    scores_live: float
    scores_written: float
    redis: float
    input_event: float
    recovery_per_s: float


@contextmanager
def _job(folder: Path) -> Iterator[Job]:
    cleaner = {"log.cleaner.backoff.ms": "1000", "log.cleaner.threads": "1"}
    with Kafka(properties=cleaner) as kafka, Redis() as redis:
        compacted = {"cleanup.policy": "compact", "max.message.bytes": str(4 << 20), **SEGMENT}
        create_topics(kafka.bootstrap, {CHANGELOG: PARTITIONS}, {CHANGELOG: compacted})
        made = Job(kafka, redis, folder)
        try:
            yield made
        finally:
            made.worker.kill()


def measure(customers: int, events: int, folder: Path) -> Cost:
    """One run."""
    lines = simulated(customers * events, customers, folder, {})
    with _job(folder) as running:
        running.worker.start()
        running.wait_for("recovered")
        time.sleep(3)
        empty = _resident(running.worker.pid)
        redis: Any = RedisClient.from_url(running.redis.url())
        redis_empty = redis.info("memory")["used_memory"]
        cpu_s = cpu_seconds(running.worker.pid)
        running.publish(lines)
        running.settle()
        cpu_us = (cpu_seconds(running.worker.pid) - cpu_s) / len(lines) * 1e6
        time.sleep(CLEANED_S)
        changelog, states = _live(running, CHANGELOG)
        scores, owners = _live(running, SCORES)
        owned = len(owners)
        written = _written(running, SCORES)
        cost = Cost(
            events=events,
            customers=owned,
            cpu_us=cpu_us,
            table=table_bytes(customers, events),
            worker=0.0,
            changelog_live=changelog / len(states),
            changelog_disk=_on_disk(running, CHANGELOG) / owned,
            scores_live=scores / owned,
            scores_written=_on_disk(running, SCORES) / written,
            redis=(redis.info("memory")["used_memory"] - redis_empty) / owned,
            input_event=_input_bytes(running) / len(lines),
            recovery_per_s=0.0,
        )
        running.stop()
        before = running.worker.log.stat().st_size
        begun_s = time.monotonic()
        running.worker.start()
        while _ready_lanes(running, before) < PARTITIONS:
            time.sleep(0.05)
        cost.recovery_per_s = owned / (time.monotonic() - begun_s)
        cost.worker = (_resident(running.worker.pid) - empty) / owned
        running.stop()
    return cost


def table_bytes(customers: int, events: int) -> float:
    """What the table and the schedule of so many customers allocate, a customer."""
    policy, decoder = Policy(currency=CURRENCY), Decoder(CURRENCY, {}, 3_600_000)
    lines = backlog(customers * events, customers, END_MS, seed=7).lines()
    states: dict[bytes, bytes] = {}
    for at in range(0, len(lines), CHUNK):
        taken = [(decoder.purchase(v, k, END_MS), END_MS) for k, v in lines[at : at + CHUNK]]
        states |= step(policy, states.get, taken, 0).states
    tracemalloc.start()
    table: dict[bytes, bytes] = {}
    schedule = Schedule()
    for customer, state in states.items():
        key = bytes(bytearray(customer))  # a copy: what a record brings
        table[key] = bytes(bytearray(state))
        schedule.put(key, decode_summary(state).deadline_s)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / len(table)


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _live(running: Job, topic: str) -> tuple[int, set[bytes]]:
    """Bytes of the newest record of each key, and the keys."""
    sizes: dict[bytes, int] = {}
    for chunk in log.read(running.kafka.bootstrap, {topic: PARTITIONS}):
        for m in chunk:
            headers = sum(len(name) + len(value) for name, value in m.headers() or [])
            sizes[m.key()] = len(m.key()) + len(m.value() or b"") + headers + RECORD_BYTES
    return sum(sizes.values()), set(sizes)


def _written(running: Job, topic: str) -> int:
    return sum(len(chunk) for chunk in log.read(running.kafka.bootstrap, {topic: PARTITIONS}))


def _on_disk(running: Job, topic: str) -> int:
    folders = (running.kafka.directory / "data").glob(f"{topic}-*")
    return sum(file.stat().st_size for folder in folders for file in folder.glob("*.log"))


def _input_bytes(running: Job) -> int:
    return _on_disk(running, "clv.purchases") + _on_disk(running, "clv.engagements")


def _ready_lanes(running: Job, since: int) -> int:
    return running.worker.log.read_bytes()[since:].count(b": ready with")


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--customers", type=int, default=50_000, help="(%(default)s)")
    parser.add_argument("--events", type=int, nargs="+", default=[2, 10], help="a customer")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    arguments = parser.parse_args()
    costs = []
    for events in arguments.events:
        with tempfile.TemporaryDirectory() as folder:
            costs.append(asdict(measure(arguments.customers, events, Path(folder))))
    if arguments.json:
        print(json.dumps(costs))
    else:
        for name in costs[0]:
            print(f"{name:16}" + "".join(f"{cost[name]:12,.0f}" for cost in costs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
