"""Workers killed and added while customers fall silently: each fall is told once, with one id."""

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.workers import Slot, command
from tests.integration.job import Job, job
from tests.integration.test_time import MEDIUM_MS, changes, wait_until, wall_ms
from tests.integration.timed import Timed, publish_timed

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.slow]

CUSTOMERS = 3_000
LEAD_MS, SPREAD_MS = 15_000, 40_000
FAULT_EVERY_S = 3.0


def test_kills_and_rebalances_during_silent_crossings(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    with job(tmp_path) as running:
        slots = [running.worker, Slot(1, running.env, tmp_path, command())]
        for slot in slots:
            slot.start()
        running.wait_for("recovered")
        begin_ms = wall_ms() + LEAD_MS
        due = {f"c-{n}": begin_ms + rng.randrange(SPREAD_MS) for n in range(CUSTOMERS)}
        now_ms = wall_ms()
        publish_timed(
            running.kafka.bootstrap,
            (Timed(who, f"o-{who}", at - MEDIUM_MS, now_ms, 5_000) for who, at in due.items()),
        )
        try:
            faults = break_workers(slots, rng, begin_ms + SPREAD_MS)
            running.settle()
            wait_until(lambda: len(silent_ids(running)) >= CUSTOMERS, 90)
            time.sleep(2)
            told = [c for c in changes(running) if c["cause"] == "silence"]
            who = Counter(change["customer_id"] for change in told)
            assert set(who.values()) == {1}, f"seed {seed}: {who.most_common(3)}"
            assert {c["customer_id"]: c["crossed_ms"] for c in told} == due, f"seed {seed}"
            assert len({change["id"] for change in told}) == CUSTOMERS
            _, different = running.recount()
            assert not different, f"seed {seed}\n{different}"
            assert faults["kill -9"] >= 3, faults
            assert faults["SIGTERM"] >= 1, faults
            print(f"seed {seed}: {dict(faults)}")
        finally:
            for slot in slots:
                slot.kill()


def silent_ids(running: Job) -> set[str]:
    return {change["id"] for change in changes(running) if change["cause"] == "silence"}


def break_workers(slots: list[Slot], rng: random.Random, until_ms: int) -> Counter[str]:
    """Kills a worker or ends it in order, and starts it again: each is a rebalance or two."""
    faults: Counter[str] = Counter()
    while wall_ms() < until_ms:
        slot = rng.choice(slots)
        kind = "SIGTERM" if faults["kill -9"] > 2 * faults["SIGTERM"] else "kill -9"
        faults[kind] += 1
        if kind == "kill -9":
            slot.kill()
        else:
            slot.terminate()
        deadline_s = time.monotonic() + 30
        while slot.ended() is None:
            assert time.monotonic() < deadline_s, "it did not end"
            time.sleep(0.05)
        time.sleep(rng.random() * 1.5)
        slot.start()
        time.sleep(rng.uniform(0.5, FAULT_EVERY_S))
    return faults
