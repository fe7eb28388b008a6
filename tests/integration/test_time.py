"""Time on real servers, with the wall clock: what silence proves, and what it does not."""

import json
import random
import time
import urllib.request
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from models.events import Event
from models.policy import Policy
from streams import ticks
from streams.embedded.child import free_port
from tests.chaos.clock import Clock, faketime
from tests.integration.job import PARTITIONS, Job, job
from tests.integration.timed import Timed, publish_timed
from tests.models.shop import DAY_MS, Partition
from tests.recount import log
from tests.recount.judge import PURCHASES
from tests.recount.murmur import partition_of
from tests.recount.outputs import CHURN_RISK, TIER_CHANGES

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.slow]

HOUR_MS = 3_600_000
POLICY = Policy()


def medium_after_ms() -> int:
    """How long after a single purchase a customer's churn level becomes medium."""
    partition = Partition(POLICY)
    partition.one(Event(0, b"x", "o", DAY_MS, 5_000, -1))
    partition.tick(DAY_MS + 45 * DAY_MS)
    (change,) = (c for kind, c in partition.changes if kind == "churn" and c.to == "medium")
    return change.crossed_at_ms - DAY_MS


MEDIUM_MS = medium_after_ms()


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


def changes(running: Job, topic: str = CHURN_RISK) -> list[dict[str, Any]]:
    """All committed changes; `published_ms` is the broker's record of when they were written."""
    found = []
    for chunk in log.read(running.kafka.bootstrap, {topic: PARTITIONS}):
        for message in chunk:
            change = json.loads(message.value())
            change["crossed_ms"] = ms_of(change["crossed_at"])
            change["published_ms"] = message.timestamp()[1]
            found.append(change)
    return found


def ms_of(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def silent(found: Iterable[dict[str, Any]]) -> list[tuple[str, str, str, int]]:
    return sorted(
        (c["customer_id"], c["from"], c["to"], c["crossed_ms"])
        for c in found
        if c["cause"] == "silence"
    )


def wait_until(holds: Callable[[], object], seconds_max: float) -> None:
    deadline_s = time.monotonic() + seconds_max
    while not holds():
        assert time.monotonic() < deadline_s, "it never came"
        time.sleep(0.3)


# -- a worker that was away ---------------------------------------------------------------------


def test_a_worker_down_for_a_day_publishes_no_false_churn(tmp_path: Path) -> None:
    rng = random.Random(11)
    # So far ahead that the wall clock, while the test runs, reaches nobody else's crossing.
    down_ms, up_ms = wall_ms() - DAY_MS, wall_ms() - 60_000
    before, outage = a_day_of_a_shop(rng, down_ms, up_ms)
    truth = replayed([*before, *outage])
    env = {"CLV_BATCH_EVENTS": "500", "CLV_TICK_INTERVAL": "50ms"}
    with job(tmp_path / "down", CLV_CLOCK="events", **env) as running:
        (tmp_path / "down").mkdir(exist_ok=True)
        running.worker.start()
        publish_timed(running.kafka.bootstrap, before)
        running.settle()
        running.stop()
        said = silent(changes(running))
        publish_timed(running.kafka.bootstrap, outage)
        wall = Job(running.kafka, running.redis, tmp_path, **env)
        wall.worker.start()
        try:
            wall.settle()
            wait_until(lambda: len(silent(changes(wall))) >= len(truth), 60)
            time.sleep(2)
            found = silent(changes(wall))
            assert set(found) - set(truth) == set(), "false churn"
            assert found == truth
            assert len(said) < len(found), "some fell while the worker was away"
            saved = {e.customer for e in outage if e.amount_minor is not None}
            assert len(saved - {who for who, *_ in found}) > 100, "many were saved by a purchase"
            _, different = wall.recount()
            assert not different, str(different)
            wall.stop()
        finally:
            wall.worker.kill()


def a_day_of_a_shop(
    rng: random.Random, down_ms: int, up_ms: int
) -> tuple[list[Timed], list[Timed]]:
    """Customers who become medium on that day, unless they buy; and a lot of page views."""
    before, outage = [], []
    for number in range(400):
        crossing_ms = rng.randrange(down_ms + HOUR_MS, up_ms - HOUR_MS)
        at_ms = crossing_ms - MEDIUM_MS
        before.append(Timed(f"c-{number}", f"o-{number}", at_ms, at_ms, 5_000))
        if number % 4:
            at_ms = rng.randrange(down_ms, up_ms)
            outage.append(Timed(f"c-{number}", f"again-{number}", at_ms, at_ms, 5_000))
    before.append(Timed("somebody", "last", down_ms, down_ms, 100))
    for number in range(20_000):
        at_ms = rng.randrange(down_ms, up_ms)
        outage.append(Timed(f"v-{number % 500}", f"v-{number}", at_ms, at_ms))
    by_time = [sorted(each, key=lambda event: event.at_ms) for each in (before, outage)]
    return by_time[0], by_time[1]


def replayed(events: list[Timed]) -> list[tuple[str, str, str, int]]:
    """The silent churn changes of events that come one by one, each at its time."""
    partition = Partition(POLICY)
    for event in events:
        if event.amount_minor is not None:
            made = Event(0, event.customer.encode(), event.id, event.at_ms, event.amount_minor, -1)
            partition.tick(event.at_ms)
            partition.one(made)
    partition.tick(events[-1].at_ms)
    return sorted(
        (c.customer.decode(), str(c.from_), c.to, c.crossed_at_ms)
        for kind, c in partition.changes
        if kind == "churn" and c.cause == "silence"
    )


# -- partitions and topics without traffic ------------------------------------------------------


def test_partitions_without_traffic_are_caught_up(tmp_path: Path) -> None:
    """Nothing comes any more, to any topic: time goes on, and crossings are told at once."""
    with job(tmp_path) as running:
        running.worker.start()
        running.wait_for("recovered")
        due_ms = wall_ms() + 8_000
        events = [
            Timed(f"c-{n}", f"o-{n}", due_ms + 10 * n - MEDIUM_MS, wall_ms(), 5_000)
            for n in range(200)
        ]
        publish_timed(running.kafka.bootstrap, events)
        wait_until(lambda: len(silent(changes(running))) == 200, 30)
        found = {c["customer_id"]: c for c in changes(running) if c["cause"] == "silence"}
        late_ms = sorted(c["published_ms"] - c["crossed_ms"] for c in found.values())
        assert [found[f"c-{n}"]["crossed_ms"] for n in range(200)] == [
            due_ms + 10 * n for n in range(200)
        ]
        assert late_ms[0] >= 0, "never before its time"
        assert late_ms[len(late_ms) // 2] < 1_000, late_ms
        running.stop()


def test_what_waits_behind_an_open_transaction_is_no_silence(tmp_path: Path) -> None:
    """Another publisher's transaction stays open: nobody may read what came after its records."""
    with job(tmp_path) as running:
        running.worker.start()
        running.wait_for("recovered")
        bootstrap, due_ms = running.kafka.bootstrap, wall_ms() + 12_000
        customers = [f"c-{n}" for n in range(50)]
        publish_timed(
            bootstrap,
            [Timed(c, f"o-{c}", due_ms - MEDIUM_MS, wall_ms(), 5_000) for c in customers],
        )
        running.settle()
        other = Producer(
            {"bootstrap.servers": bootstrap, "transactional.id": "other", "log_level": 3}
        )
        other.init_transactions(10)
        other.begin_transaction()
        for number in range(PARTITIONS):
            other.produce(PURCHASES, b"{", partition=number)
        other.flush(10)
        publish_timed(
            bootstrap, [Timed(c, f"again-{c}", wall_ms(), wall_ms(), 5_000) for c in customers]
        )
        assert wall_ms() < due_ms
        time.sleep((due_ms - wall_ms()) / 1_000 + 2)
        other.commit_transaction(10)
        running.settle()
        assert silent(changes(running)) == [], "all had bought, and Kafka had it"
        running.stop()


def test_a_dead_publisher_of_purchases_is_no_silence(tmp_path: Path) -> None:
    port = free_port()
    with job(tmp_path, CLV_PUBLISHER_SILENCE="3s", CLV_METRICS_PORT=str(port)) as running:
        running.worker.start()
        running.wait_for("recovered")
        due_ms = wall_ms() + 14_000
        events = [
            Timed(f"c-{n}", f"o-{n}", due_ms - MEDIUM_MS, wall_ms(), 5_000) for n in range(100)
        ]
        bootstrap = running.kafka.bootstrap
        publish_timed(bootstrap, events)
        views = iter(range(1_000_000))

        def others_go_on(until_ms: int) -> None:
            while wall_ms() < until_ms:
                number = next(views)
                now_ms = wall_ms()
                publish_timed(bootstrap, [Timed(f"v-{number % 9}", f"v-{number}", now_ms, now_ms)])
                time.sleep(0.2)

        others_go_on(due_ms + 3_000)
        # First: after eight times three seconds the purchases count as given up.
        assert 'clv_clock_held{topic="clv.purchases"} 1.0' in metrics(port)
        assert "its publisher seems to be dead" in running.worker.log.read_text()
        assert silent(changes(running)) == [], "nobody can have been seen to be silent"
        now_ms = wall_ms()
        publish_timed(bootstrap, [Timed("c-0", "alive", now_ms, now_ms, 5_000)])
        # c-0 was silent until then; that is certain now, as it is for all others.
        wait_until(lambda: len(silent(changes(running))) == 100, 20)
        assert {crossed for *_, crossed in silent(changes(running))} == {due_ms}
        assert 'clv_clock_held{topic="clv.purchases"} 0.0' in metrics(port)
        running.stop()


def metrics(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
        return str(page.read().decode())


# -- long silences, late events, and clocks that jump ------------------------------------------


def test_one_long_silence_is_told_step_by_step(tmp_path: Path) -> None:
    with job(tmp_path) as running:
        now_ms = wall_ms()
        days_ago = [(500, 60_000), (480, 30_000)]
        events = [
            Timed("holiday", f"o-{days}", now_ms - days * DAY_MS, now_ms, amount)
            for days, amount in days_ago
        ]
        publish_timed(running.kafka.bootstrap, events)
        running.worker.start()
        wait_until(lambda: len(changes(running, TIER_CHANGES)) >= 3, 60)
        told = changes(running, TIER_CHANGES)
        assert [(c["from"], c["to"], c["cause"]) for c in told] == [
            (None, "gold", "purchase"),
            ("gold", "silver", "silence"),
            ("silver", "bronze", "silence"),
        ]
        midnight = [
            (e.at_ms // DAY_MS + POLICY_WINDOW_DAYS) * DAY_MS for e in events
        ]  # each leaves the window of 365 days at the beginning of a day
        assert [c["crossed_ms"] for c in told[1:]] == midnight
        assert len({c["id"] for c in told}) == 3
        running.stop()


POLICY_WINDOW_DAYS = 365


def test_a_clock_that_jumps_ahead_and_back(tmp_path: Path) -> None:
    """Time never goes back; what was believed too early is put right by the next purchase."""
    with job(tmp_path) as running:
        running.worker.start()
        running.wait_for("recovered")
        now_ms = wall_ms()
        due_ms = now_ms + HOUR_MS // 2
        publish_timed(
            running.kafka.bootstrap,
            [Timed("early", "o-1", due_ms - MEDIUM_MS, now_ms, 5_000)],
        )
        running.settle()
        assert silent(changes(running)) == []
        tick_by_hand(running.kafka.bootstrap, "early", now_ms + HOUR_MS)
        wait_until(lambda: silent(changes(running)), 20)
        assert silent(changes(running)) == [("early", "low", "medium", due_ms)]
        now_ms = wall_ms()
        publish_timed(running.kafka.bootstrap, [Timed("early", "o-2", now_ms, now_ms, 5_000)])
        wait_until(lambda: len(changes(running)) == 3, 20)
        last = changes(running)[-1]
        assert (last["from"], last["to"]) == ("medium", "low")
        assert (last["cause"], last["cause_id"]) == ("late_event", "o-2")
        assert last["crossed_ms"] >= now_ms + HOUR_MS - 120_000, "as of the partition's time"
        running.settle()
        _, different = running.recount()
        assert not different, str(different)
        running.stop()


@pytest.mark.skipif(faketime() is None, reason="no libfaketime (Debian: faketime)")
def test_a_clock_that_kafka_refuses_ends_the_worker_and_costs_nothing(tmp_path: Path) -> None:
    """Kafka 4 takes nothing that is more than an hour ahead of its own clock."""
    library = faketime()
    assert library is not None
    clock = Clock(library, tmp_path / "clock")
    as_kafka_4 = {"log.message.timestamp.after.max.ms": "3600000"}
    with job(tmp_path, properties=as_kafka_4, **clock.env()) as running:
        running.worker.start()
        running.wait_for("recovered")
        now_ms = wall_ms()
        publish_timed(running.kafka.bootstrap, [Timed("a", "o-1", now_ms, now_ms, 5_000)])
        running.settle()
        clock.set(2 * 3600)
        time.sleep(2)  # it is noticed within one
        publish_timed(running.kafka.bootstrap, [Timed("a", "o-2", now_ms, now_ms, 5_000)])
        wait_until(lambda: not running.worker.running, 60)
        assert running.worker.ended() == 1
        assert "is this machine's clock wrong?" in running.worker.last_words()
        clock.set(0)
        running.worker.start()
        running.settle()
        counted, different = running.recount()
        assert not different, str(different)
        assert counted.customers["a"].orders == 2
        running.stop()


def tick_by_hand(bootstrap: str, customer: str, at_ms: int) -> None:
    """A tick of a worker whose clock is wrong, in the customer's partition."""
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 3})
    number = partition_of(customer.encode(), PARTITIONS)
    producer.produce("clv.clock", ticks.encode(ticks.Tick(at_ms, {})), partition=number)
    assert producer.flush(30) == 0
