"""How long a worker needs after kill -9: `python -m bench.recovery [--customers N]`.

On a real Kafka and a real Redis, four partitions, all of them one worker's. The changelog is
written here, with the states of customers of up to six purchases and six engagements; Redis' marks
say that it has followed, as after a kill. A worker is started, killed and started again:

- from the start of the process until the last partition is ready: states read, deadlines and
  gauges rebuilt, Redis compared; and the CPU time that this took, which other programs on the
  machine disturb less;
- beside it, in a process of its own, the floor: to read the same records and to keep them;
- the most memory on the way, against what is kept once the worker runs.

Budgets (the issue's), for 1,000,000 customers: 10 s; 1.5 times the memory.
"""

import argparse
import asyncio
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import redis
from confluent_kafka import Producer

from bench.figures import say
from bench.metering import cpu_seconds
from models.events import Event
from models.policy import Policy
from models.step import step
from models.times import MS_PER_DAY
from streams import progress
from streams.transport.changelog import read_changelog
from tests.integration.job import GROUP, PARTITIONS, Job, job
from tests.recount import log
from tests.recount.murmur import partition_of

REPEATS = 3
KINDS = 5_000
"""States that differ: what a state costs to read does not depend on how often it was seen."""

CHANGELOG = f"{GROUP}-state-changelog"
READY = re.compile(r"lane \d+: ready")


def main() -> None:
    """Measures recovery, or, in the process that it starts, the floor."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--floor", metavar="BOOTSTRAP", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.floor:
        asyncio.run(floor(chosen.floor))
        return
    with tempfile.TemporaryDirectory() as folder, job(Path(folder)) as running:
        load(running, chosen.customers)
        say("customers", f"{chosen.customers:,}")
        for _ in range(REPEATS):
            recover(running)
            floor_of = [sys.executable, "-m", "bench.recovery", "--floor", running.kafka.bootstrap]
            subprocess.run(floor_of, check=True)


def states() -> list[bytes]:
    """Encoded states of customers who differ."""
    rng = random.Random(11)  # noqa: S311
    now_ms = time.time_ns() // 1_000_000
    events = []
    for number in range(KINDS):
        who = b"k-%d" % number
        for nth in range(rng.randint(1, 6)):
            at_ms = now_ms - rng.randrange(300 * MS_PER_DAY)
            amount = int(rng.lognormvariate(8, 1))
            events.append((Event(0, who, f"order-{number}-{nth}", at_ms, amount, -1), now_ms))
        for nth in range(rng.randint(0, 6)):
            at_ms = now_ms - rng.randrange(300 * MS_PER_DAY)
            events.append((Event(2, who, f"view-{number}-{nth}", at_ms, 0, 0), now_ms))
    return list(step(Policy(), {}.get, events, now_ms).states.values())


def load(running: Job, customers: int) -> None:
    """A state for everyone, and Redis' word that it knows."""
    producer = Producer(
        {"bootstrap.servers": running.kafka.bootstrap, "log_level": 3, "linger.ms": 20}
    )

    def put(key: bytes, value: bytes, number: int) -> None:
        while True:
            try:
                producer.produce(CHANGELOG, value, key=key, partition=number)
            except BufferError:
                producer.poll(0.1)
            else:
                return

    kinds = states()
    say("bytes of a state, mean", f"{sum(map(len, kinds)) / len(kinds):.0f}")
    for number in range(customers):
        key = b"customer-%d" % number
        put(key, kinds[number % KINDS], partition_of(key, PARTITIONS))
    reached = progress.encode(progress.Progress(time.time_ns() // 1_000_000, {}))
    for number in range(PARTITIONS):
        put(progress.KEY, reached, number)
    assert producer.flush(120) == 0
    ends = log.committed_ends(running.kafka.bootstrap, {CHANGELOG: PARTITIONS})
    with redis.Redis.from_url(running.redis.url()) as client:
        for (_, number), end in ends.items():
            client.set(f"clv:mark:{number}", end - 1)


def recover(running: Job) -> None:
    """Starts the worker, kills it, and says how long it took to be ready and how much memory."""
    size = running.worker.log.stat().st_size if running.worker.log.exists() else 0
    begun_s = time.monotonic()
    running.worker.start()
    while len(READY.findall(running.worker.log.read_text()[size:])) < PARTITIONS:
        time.sleep(0.02)
        assert running.worker.running, running.worker.last_words()
    total_s = time.monotonic() - begun_s
    pid = running.worker.pid
    cpu_s, peak_mb = cpu_seconds(pid), memory_mb(pid, "VmHWM")
    time.sleep(10)
    kept_mb = memory_mb(pid, "VmRSS")
    running.worker.kill()
    running.worker.ended()
    say("ready after s", f"{total_s:.1f}")
    say("  CPU s", f"{cpu_s:.1f}")
    say("  most memory on the way: MB", f"{peak_mb:.0f}")
    say("  times that of running", f"{peak_mb / kept_mb:.2f}")


async def floor(bootstrap: str) -> None:
    """Reads all partitions at once, and keeps what is in them."""
    begun_s = time.monotonic()
    tables: list[dict[bytes, bytes]] = [{} for _ in range(PARTITIONS)]

    def keep(table: dict[bytes, bytes], records: list[Any]) -> None:
        for record in records:
            table[record.key] = record.value

    await asyncio.gather(
        *(
            read_changelog(
                {"bootstrap_servers": bootstrap},
                CHANGELOG,
                number,
                lambda records, _left, number=number: keep(tables[number], records),
            )
            for number in range(PARTITIONS)
        )
    )
    used = resource.getrusage(resource.RUSAGE_SELF)
    say("floor: read and kept in s", f"{time.monotonic() - begun_s:.1f}")
    say("  CPU s, imports included", f"{used.ru_utime + used.ru_stime:.1f}")


def memory_mb(pid: int, name: str) -> float:
    """A figure of /proc/PID/status."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


if __name__ == "__main__":
    main()
