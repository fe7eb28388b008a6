"""What silence costs: `python -m bench.silence [core | worker] [--customers N]`.

`core`, without servers, in CPU time of one core:
- what looking ahead and the schedule take of a batch of 10,000 events;
- a year without events of customers who bought once, looked at whenever they are due: each is
  judged every 30 days, and scored again when its score goes stale;
- a tick with nothing due, and the memory of the schedule, with a quarter of the customers in one
  partition.

`worker`, on a real Kafka and a real Redis, wall clock, four partitions, all customers in the table:
- CPU of the worker for a tick and partition while nothing is due: all that a tick leads to, from
  asking Kafka for ends to the batch that holds it, against a worker that makes none;
- 10,000 crossings in the same second: from their instant until the last of them is committed;
- the worker's own `clv_crossing_lateness_seconds`, over these and 10,000 more, spread over ten
  seconds.

Budgets (the issue's): deadlines add at most a fifth; an idle tick takes less than 1 ms; 10,000
crossings take less than 2 s; lateness p99 below 1 s; a million deadlines fit in 150 MB.
"""

import argparse
import json
import os
import random
import re
import tempfile
import time
import tracemalloc
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

from models.deadlines import Due, due
from models.events import Event
from models.policy import Policy
from models.schedule import Schedule
from models.silent_step import SilentWork, silence_together
from models.step import step
from streams.embedded.child import free_port
from tests.integration.job import PARTITIONS, Job, job
from tests.integration.test_time import MEDIUM_MS
from tests.integration.timed import Timed, publish_timed
from tests.recount import log
from tests.recount.outputs import CHURN_RISK

DAY_MS = 86_400_000
AT_MS = 1_772_323_200_000  # 2026-03-01
BATCH_EVENTS = 10_000
BURST = 10_000
TICKS_A_SECOND = 4
IDLE_S = 20.0
REPEATS = 12


def main() -> None:
    """Measures what is asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("part", nargs="?", choices=["core", "worker"])
    parser.add_argument("--customers", type=int, default=1_000_000)
    chosen = parser.parse_args()
    if chosen.part != "worker":
        deadlines()
        idle_ticks(chosen.customers)
        silent_year()
    if chosen.part != "core":
        worker(chosen.customers)


def say(what: str, figure: str) -> None:
    """Prints one line."""
    print(f"{what:64s} {figure:>14s}", flush=True)


# -- core ---------------------------------------------------------------------------------------


def deadlines() -> None:
    """What looking ahead and the schedule take of the time of a batch.

    Taken within the batch, as two runs of which one does without differ more by what else the
    machine does.
    """
    for engagements, name in ((0.0, "purchases"), (0.9, "nine engagements a purchase")):
        rows = sorted(_cpu_of_batch(engagements) for _ in range(REPEATS))
        total_s, ahead_s = rows[0]
        share = median(ahead / total for total, ahead in rows)
        say(f"step and schedule, {name}: us an event", f"{total_s / BATCH_EVENTS * 1e6:.1f}")
        say("  of which deadlines", f"{ahead_s / BATCH_EVENTS * 1e6:.1f}")
        say("  throughput of the core lost to deadlines, median", f"{share:.1%}")


def _cpu_of_batch(engagements: float) -> tuple[float, float]:
    """CPU seconds of a batch, and of all that deadlines need in it."""
    policy = Policy()
    rng = random.Random(3)  # noqa: S311
    table: dict[bytes, bytes] = {}
    schedule = Schedule()
    spent_s = 0.0

    def events(day: int) -> list[tuple[Event, int]]:
        found = []
        for number in range(BATCH_EVENTS):
            who = b"%d" % int(rng.random() ** 2 * 20_000)
            at_ms = AT_MS + day * DAY_MS + number * 8_000
            kind = 2 if rng.random() < engagements else 0
            amount = 0 if kind else int(rng.lognormvariate(8, 1))
            event = Event(kind, who, f"{day}-{number}", at_ms, amount, 0 if kind else -1)
            found.append((event, at_ms))
        return found

    def timed(*arguments: Any) -> Due:
        nonlocal spent_s
        begun_s = time.process_time()
        found = due(*arguments)
        spent_s += time.process_time() - begun_s
        return found

    for day in (0, 20, 40):
        result = step(policy, table.get, events(day), AT_MS)
        table.update(result.states)
        for customer, deadline_s in result.deadlines:
            schedule.put(customer, deadline_s)
    batch = events(70)
    begun_s = time.process_time()
    with patch("models.step.due", timed):
        result = step(policy, table.get, batch, AT_MS + 60 * DAY_MS)
    put_s = time.process_time()
    for customer, deadline_s in result.deadlines:
        schedule.put(customer, deadline_s)
    end_s = time.process_time()
    return end_s - begun_s, spent_s + end_s - put_s


def idle_ticks(customers: int) -> None:
    """A schedule that nobody is due in, asked as often as ticks come."""
    rng = random.Random(5)  # noqa: S311
    keys = [b"customer-%d" % number for number in range(customers)]
    first_s = AT_MS // 1000 + 3_600
    tracemalloc.start()
    schedule = Schedule()
    for key in keys:
        schedule.put(key, first_s + rng.randrange(100 * 86_400))
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    say(f"schedule of {customers:,} deadlines: MB", f"{size / 1e6:.0f}")
    ticks = 10_000
    begun_s = time.process_time()
    for tick in range(ticks):
        assert not schedule.due(AT_MS + 250 * tick, 5_000)
    say("  idle tick, schedule alone: us", f"{(time.process_time() - begun_s) / ticks * 1e6:.1f}")


def silent_year(customers: int = 20_000) -> None:
    """A year in which nobody does anything, told by a tick a day."""
    policy = Policy()
    rng = random.Random(9)  # noqa: S311
    bought = [AT_MS + rng.randrange(30 * DAY_MS) for _ in range(customers)]
    events = [Event(0, b"%d" % n, f"o-{n}", at, 5_000, -1) for n, at in enumerate(sorted(bought))]
    first = step(policy, {}.get, [(event, event.at_ms) for event in events], 0)
    table, now_ms = dict(first.states), first.now_ms
    schedule = Schedule()
    for customer, deadline_s in first.deadlines:
        schedule.put(customer, deadline_s)
    looks = scores = 0
    spent_s = 0.0
    for day in range(365):
        at_ms = now_ms + day * DAY_MS
        while due_now := schedule.due(at_ms, 5_000):
            begun_s = time.process_time()
            (result,) = silence_together(policy, [SilentWork(table.get, due_now, at_ms)])
            spent_s += time.process_time() - begun_s
            table.update(result.states)
            for customer, deadline_s in result.deadlines:
                schedule.put(customer, deadline_s)
            looks += len(due_now)
            scores += len(result.scores)
    say("a silent year: looks a customer", f"{looks / customers:.1f}")
    say("  scores a customer", f"{scores / customers:.1f}")
    say("  ms of CPU a customer", f"{spent_s / customers * 1e3:.2f}")


# -- worker -------------------------------------------------------------------------------------


def worker(customers: int) -> None:
    """A worker with all customers in its table."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder, job(Path(folder)) as running:
        # The slot's own setting comes first in its environment; the last one counts.
        running.worker._argv.insert(-2, f"CLV_METRICS_PORT={port}")  # noqa: SLF001
        running.worker.start()
        running.wait_for("recovered")
        _load(running, port, customers)
        say("customers in the table", f"{customers:,}")
        ticking = _idle(running)
        for name, spread_ms in (("in the same second", 999), ("within ten seconds", 9_999)):
            _burst(running, name, spread_ms)
        say("clv_crossing_lateness_seconds, p99 within", f"{_lateness_p99(port)} s")
        running.stop()
        still = _without_ticks(running)
        say("idle worker: share of a core, with ticks and without", f"{ticking:.1%} {still:.1%}")
        a_tick_ms = (ticking - still) / TICKS_A_SECOND / PARTITIONS * 1e3
        say("  a tick and partition: ms of CPU", f"{a_tick_ms:.2f}")
        running.stop()


def _load(running: Job, port: int, customers: int) -> None:
    rng = random.Random(7)  # noqa: S311
    begun_s = time.monotonic()

    def bought() -> Iterator[Timed]:
        now_ms = time.time_ns() // 1_000_000
        for number in range(customers):
            at_ms = now_ms - rng.randrange(DAY_MS // 2)
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


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _worker_pid(running: Job) -> int:
    child = running.worker._child  # noqa: SLF001
    assert child is not None
    return int(child._process.pid)  # noqa: SLF001


def _idle(running: Job) -> float:
    """Share of a core that an idle worker takes."""
    pid = _worker_pid(running)
    begun_s, cpu_s = time.monotonic(), _cpu_s(pid)
    time.sleep(IDLE_S)
    return (_cpu_s(pid) - cpu_s) / (time.monotonic() - begun_s)


def _without_ticks(running: Job) -> float:
    """The same for a worker that makes none, after it has taken over."""
    running.worker._argv.insert(-2, "CLV_TICK_INTERVAL=1h")  # noqa: SLF001
    running.worker.start()
    running.wait_for("recovered", 300)
    time.sleep(IDLE_S)
    return _idle(running)


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
