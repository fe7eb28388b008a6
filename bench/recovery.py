"""How long a worker needs after kill -9: `python -m bench.recovery [--customers N]`.

On a real Kafka and a real Redis, four partitions, all of them this worker's. Customers come through
the worker itself, so that changelog, offsets, Redis and the memory of running are what they are in
production. Then it is killed and started again:

- from the start of the process, and from its assignment, until the last partition is ready: states
  read, deadlines and gauges rebuilt, Redis compared;
- the most memory that it took on the way, against what it took while it was running.

Budgets (the issue's), for 1,000,000 customers: 10 s from the assignment; 1.5 times the memory.
"""

import argparse
import random
import re
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from bench.silence import DAY_MS, _settled, _worker_pid, say
from streams.embedded.child import free_port
from tests.integration.job import PARTITIONS, Job, job
from tests.integration.timed import Timed, publish_timed

REPEATS = 3
AGAIN = 0.3
"""Share of customers who buy a second time."""


def main() -> None:
    """Measures recovery."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--customers", type=int, default=1_000_000)
    customers = parser.parse_args().customers
    port = free_port()
    with tempfile.TemporaryDirectory() as folder, job(Path(folder)) as running:
        # The slot's own setting comes first in its environment; the last one counts.
        running.worker._argv.insert(-2, f"CLV_METRICS_PORT={port}")  # noqa: SLF001
        running.worker.start()
        running.wait_for("recovered")
        publish_timed(running.kafka.bootstrap, bought(customers))
        _settled(port)
        before_mb = memory_mb(_worker_pid(running), "VmRSS")
        say("customers in the table", f"{customers:,}")
        say("memory while running: MB", f"{before_mb:.0f}")
        for _ in range(REPEATS):
            recover(running, before_mb)
        running.stop()


def bought(customers: int) -> Iterator[Timed]:
    """A purchase of everyone, and a second of some."""
    rng = random.Random(11)  # noqa: S311
    now_ms = time.time_ns() // 1_000_000
    for number in range(int(customers * (1 + AGAIN))):
        at_ms = now_ms - rng.randrange(DAY_MS // 2)
        who = f"c-{number % customers}"
        yield Timed(who, f"o-{number}", at_ms, now_ms, rng.randrange(500, 20_000))


def recover(running: Job, before_mb: float) -> None:
    """Kills the worker, starts it again, and says how long it took and how much memory."""
    running.worker.kill()
    running.worker.ended()
    known = len(running.worker.log.read_text())
    begun_s = time.monotonic()
    running.worker.start()
    while True:
        time.sleep(0.02)
        said = running.worker.log.read_text()[known:]
        ready = re.findall(r"^(.{19}).*lane \d+: ready", said, re.MULTILINE)
        if len(ready) == PARTITIONS:
            break
        assert running.worker.running, running.worker.last_words()
    total_s = time.monotonic() - begun_s
    assigned = re.search(r"^(.{19}).*generation \d+", said, re.MULTILINE)
    assert assigned is not None
    since = datetime.fromisoformat(ready[-1]) - datetime.fromisoformat(assigned[1])
    peak_mb = memory_mb(_worker_pid(running), "VmHWM")
    say("killed; ready again s after the start", f"{total_s:.1f}")
    say("  of which after the assignment, whole seconds", f"{since.total_seconds():.0f}")
    say("  most memory on the way: MB", f"{peak_mb:.0f}")
    say("  times that of running", f"{peak_mb / before_mb:.2f}")


def memory_mb(pid: int, name: str) -> float:
    """A figure of /proc/PID/status."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


if __name__ == "__main__":
    main()
