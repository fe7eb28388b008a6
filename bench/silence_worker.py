"""What silence costs a worker: `python -m bench.silence_worker [--customers N]`.

On a real Kafka and a real Redis, wall clock, four partitions, all customers in the table:
- CPU of the worker for a tick and partition while nothing is due: all that a tick leads to, from
  asking Kafka for ends to the batch that holds it, against a worker that makes none;
- 10,000 crossings in the same second: from their instant until the last of them is committed;
- the worker's own `clv_crossing_lateness_seconds`, over these and 10,000 more, spread over ten
  seconds.

Budgets (the issue's): an idle tick takes less than 1 ms; 10,000 crossings take less than 2 s;
lateness p99 below 1 s. `bench.silence_core` measures the core alone.
"""

import argparse
import json
import random
import re
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from bench.figures import say
from bench.metering import cpu_seconds
from models.times import MS_PER_DAY
from streams.embedded.child import free_port
from tests.integration.job import PARTITIONS, Job, job
from tests.integration.test_time import MEDIUM_MS
from tests.integration.timed import Timed, publish_timed
from tests.recount import log
from tests.recount.outputs import CHURN_RISK

BURST = 10_000
TICKS_A_SECOND = 4
IDLE_S = 20.0


def main() -> None:
    """Measures a worker with all customers in its table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--customers", type=int, default=1_000_000)
    worker(parser.parse_args().customers)


def worker(customers: int) -> None:
    """A worker with all customers in its table, and one like it that makes no ticks."""
    port = free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        job(Path(folder), CLV_METRICS_PORT=str(port)) as running,
    ):
        running.worker.start()
        running.wait_for("recovered")
        _load(running, port, customers)
        say("customers in the table", f"{customers:,}")
        ticking = _idle(running)
        for name, spread_ms in (("in the same second", 999), ("within ten seconds", 9_999)):
            _burst(running, name, spread_ms)
        say("clv_crossing_lateness_seconds, p99 within", f"{_lateness_p99(port)} s")
        running.stop()
        still = _without_ticks(running, Path(folder))
        say("idle worker: share of a core, with ticks and without", f"{ticking:.1%} {still:.1%}")
        a_tick_ms = (ticking - still) / TICKS_A_SECOND / PARTITIONS * 1e3
        say("  a tick and partition: ms of CPU", f"{a_tick_ms:.2f}")


def _load(running: Job, port: int, customers: int) -> None:
    rng = random.Random(7)  # noqa: S311
    begun_s = time.monotonic()

    def bought() -> Iterator[Timed]:
        now_ms = time.time_ns() // 1_000_000
        for number in range(customers):
            at_ms = now_ms - rng.randrange(MS_PER_DAY // 2)
            yield Timed(f"c-{number}", f"o-{number}", at_ms, now_ms, rng.randrange(500, 20_000))

    publish_timed(running.kafka.bootstrap, bought())
    _settled(port)
    say("loaded in s", f"{time.monotonic() - begun_s:.0f}")


def _settled(port: int) -> None:
    while True:
        lags = re.findall(r"clv_consumer_lag\{[^}]*\} ([\d.e+]+)", _metrics(port))
        if len(lags) == 2 * PARTITIONS and not any(float(lag) for lag in lags):
            break
        time.sleep(1)
    time.sleep(5)  # Redis follows


def _metrics(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as page:
        text: str = page.read().decode()
    return text


def _idle(running: Job) -> float:
    """Share of a core that an idle worker takes."""
    pid = running.worker.pid
    begun_s, cpu_s = time.monotonic(), cpu_seconds(pid)
    time.sleep(IDLE_S)
    return (cpu_seconds(pid) - cpu_s) / (time.monotonic() - begun_s)


def _without_ticks(running: Job, folder: Path) -> float:
    """The same for a worker that makes none, after it has taken over."""
    still = Job(running.kafka, running.redis, folder, CLV_TICK_INTERVAL="1h")
    try:
        still.worker.start()
        still.wait_for("recovered", 300)
        time.sleep(IDLE_S)
        share = _idle(still)
        still.stop()
    finally:
        still.worker.kill()
    return share


def _burst(running: Job, name: str, spread_ms: int) -> None:
    lead_ms = 15_000
    rng = random.Random(spread_ms)  # noqa: S311
    now_ms = time.time_ns() // 1_000_000
    second_ms = (now_ms + lead_ms) // 1000 * 1000
    due = [second_ms + rng.randint(0, spread_ms) for _ in range(BURST)]
    publish_timed(
        running.kafka.bootstrap,
        (
            Timed(f"b-{spread_ms}-{n}", f"b-{n}", at - MEDIUM_MS, now_ms, 5_000)
            for n, at in enumerate(due)
        ),
    )
    # Looked at from here, by a subscriber: when the last of them can be read.
    seen, last_ms, prefix = 0, 0, f"b-{spread_ms}-"
    starts = log.committed_ends(running.kafka.bootstrap, {CHURN_RISK: PARTITIONS})
    deadline_s = time.monotonic() + 120
    while seen < BURST:
        assert time.monotonic() < deadline_s, f"{seen} of {BURST} came"
        for chunk in log.read(running.kafka.bootstrap, {CHURN_RISK: PARTITIONS}, starts):
            for message in chunk:
                starts[message.topic(), message.partition()] = message.offset() + 1
                change = json.loads(message.value())
                if change["cause"] == "silence" and change["customer_id"].startswith(prefix):
                    seen += 1
                    last_ms = max(last_ms, message.timestamp()[1])
        time.sleep(0.2)
    read_ms = time.time_ns() // 1_000_000
    say(f"{BURST:,} crossings {name}: last written after s", f"{(last_ms - max(due)) / 1e3:.2f}")
    say("  last read by a subscriber after s, at most", f"{(read_ms - max(due)) / 1e3:.2f}")


def _lateness_p99(port: int) -> str:
    """The bucket of the worker's histogram in which the 99th percentile is."""
    pattern = r'clv_crossing_lateness_seconds_bucket\{le="([^"]+)"\} ([\d.e+]+)'
    buckets = re.findall(pattern, _metrics(port))
    total = float(buckets[-1][1])
    return next(bound for bound, count in buckets if float(count) >= 0.99 * total)


if __name__ == "__main__":
    main()
