"""What silence costs in the core: `python -m bench.silence_core [--customers N]`.

Without servers, in CPU time of one core:
- what looking ahead and the schedule take of a batch of 10,000 events, with the instants of
  crossings that are over, as they are found by the same search;
- a year without events of customers who bought once, looked at whenever they are due: each is
  judged every 30 days, and scored again when its score goes stale;
- a tick with nothing due, and the memory of the schedule, with `--customers` in one partition.

Budgets (the issue's): deadlines add at most a fifth; a million deadlines fit in 150 MB.
`bench.silence_worker` measures a whole worker.
"""

import argparse
import random
import time
import tracemalloc
from statistics import median
from typing import Any
from unittest.mock import patch

from bench.figures import say
from models.arrays import Ints
from models.deadlines import Due, due_and_crossed
from models.events import Event
from models.policy import Policy
from models.schedule import Schedule
from models.silent_step import SilentWork, silence_together
from models.step import step
from models.times import MS_PER_DAY

AT_MS = 1_772_323_200_000  # 2026-03-01
BATCH_EVENTS = 10_000
REPEATS = 12
SILENT_CUSTOMERS = 20_000


def main() -> None:
    """Measures all."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--customers", type=int, default=1_000_000)
    chosen = parser.parse_args()
    deadlines()
    idle_ticks(chosen.customers)
    silent_year()


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
            at_ms = AT_MS + day * MS_PER_DAY + number * 8_000
            kind = 2 if rng.random() < engagements else 0
            amount = 0 if kind else int(rng.lognormvariate(8, 1))
            event = Event(kind, who, f"{day}-{number}", at_ms, amount, 0 if kind else -1)
            found.append((event, at_ms))
        return found

    def timed(*arguments: Any) -> tuple[Due, Ints]:
        nonlocal spent_s
        begun_s = time.process_time()
        found = due_and_crossed(*arguments)
        spent_s += time.process_time() - begun_s
        return found

    for day in (0, 20, 40):
        result = step(policy, table.get, events(day), AT_MS)
        table.update(result.states)
        schedule.put_all(result.deadlines)
    batch = events(70)
    begun_s = time.process_time()
    with patch("models.step.due_and_crossed", timed):
        result = step(policy, table.get, batch, AT_MS + 60 * MS_PER_DAY)
    put_s = time.process_time()
    schedule.put_all(result.deadlines)
    end_s = time.process_time()
    return end_s - begun_s, spent_s + end_s - put_s


def idle_ticks(customers: int) -> None:
    """A schedule that nobody is due in, asked as often as ticks come."""
    rng = random.Random(5)  # noqa: S311
    keys = [b"customer-%d" % number for number in range(customers)]
    first_s = AT_MS // 1000 + 3_600
    tracemalloc.start()
    schedule = Schedule()
    schedule.put_all((key, first_s + rng.randrange(100 * 86_400)) for key in keys)
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    say(f"schedule of {customers:,} deadlines: MB", f"{size / 1e6:.0f}")
    ticks = 10_000
    begun_s = time.process_time()
    for tick in range(ticks):
        assert not schedule.due(AT_MS + 250 * tick, 5_000)
    say("  idle tick, schedule alone: us", f"{(time.process_time() - begun_s) / ticks * 1e6:.1f}")


def silent_year() -> None:
    """A year in which nobody does anything, told by a tick a day."""
    policy = Policy()
    rng = random.Random(9)  # noqa: S311
    bought = [AT_MS + rng.randrange(30 * MS_PER_DAY) for _ in range(SILENT_CUSTOMERS)]
    events = [Event(0, b"%d" % n, f"o-{n}", at, 5_000, -1) for n, at in enumerate(sorted(bought))]
    first = step(policy, {}.get, [(event, event.at_ms) for event in events], 0)
    table, now_ms = dict(first.states), first.now_ms
    schedule = Schedule()
    schedule.put_all(first.deadlines)
    looks = scores = 0
    spent_s = 0.0
    for day in range(365):
        at_ms = now_ms + day * MS_PER_DAY
        while due_now := schedule.due(at_ms, 5_000):
            begun_s = time.process_time()
            (result,) = silence_together(policy, [SilentWork(table.get, due_now, at_ms)])
            spent_s += time.process_time() - begun_s
            table.update(result.states)
            schedule.put_all(result.deadlines)
            looks += len(due_now)
            scores += len(result.scores)
    say("a silent year: looks a customer", f"{looks / SILENT_CUSTOMERS:.1f}")
    say("  scores a customer", f"{scores / SILENT_CUSTOMERS:.1f}")
    say("  ms of CPU a customer", f"{spent_s / SILENT_CUSTOMERS * 1e3:.2f}")


if __name__ == "__main__":
    main()
