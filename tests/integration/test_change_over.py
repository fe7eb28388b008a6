"""New parameters while events flow and a worker is killed: everyone ends scored by them, once."""

import json
import random
import re
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from math import floor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from confluent_kafka import Producer

from models.gamma_gamma import expected_order_value
from models.parameters import CDNOW, ModelParams
from models.purchases import MODELS
from tests.chaos.run import clv
from tests.chaos.workers import Slot
from tests.integration.job import PARTITIONS, Job, job
from tests.integration.test_time import wait_until, wall_ms
from tests.integration.timed import Timed, publish_timed
from tests.recount.judge import PURCHASES
from tests.recount.log import read
from tests.recount.outputs import CHURN_RISK, SCORES, TIER_CHANGES, last_values, read_outputs

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.slow]

CUSTOMERS, REPEATS_MAX = 2_000, 3
DAY_MS = 86_400_000
# Portions of 25: each partition changes over in twenty transactions, and kills come in between.
_CODE = (
    "from streams import scorekeeper; scorekeeper.DUE_MAX = 25\n"
    "from streams.cli.main import run; raise SystemExit(run(['worker']))"
)
WORKER = [sys.executable, "-c", _CODE]
MBG_NBD = MODELS["mbg-nbd"]
OTHER = replace(
    CDNOW, r=0.4, alpha=90.0, a=1.4, b=1.2, v=20_000.0, currency="EUR", version="other-shop"
)


def test_a_worker_killed_while_parameters_change(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    with job(tmp_path) as running:
        slots = [Slot(number, running.env, tmp_path, WORKER) for number in (0, 1)]
        running.worker = slots[0]
        try:
            slots[0].start()
            running.wait_for("recovered")
            publish_timed(running.kafka.bootstrap, history(rng))
            running.settle()
            refused(running)
            slots[1].start()  # takes half of the partitions over, at about the same time
            publish_other(running, tmp_path)
            live = flowing(running, rng)
            wait_until(lambda: b"changes over from" in slots[0].log.read_bytes(), 60)
            time.sleep(rng.uniform(0.0, 0.4))
            slots[0].kill()
            while slots[0].ended() is None:
                time.sleep(0.02)
            slots[0].start()
            live.join()
            wait_until(lambda: len(done(slots)) == PARTITIONS, 60)
            running.settle()
            judge(running, f"seed {seed}")
        finally:
            for slot in slots:
                slot.kill()


def history(rng: random.Random) -> list[Timed]:
    """Everyone's past year, as it came: in the order of time."""
    now_ms = wall_ms()
    bought = []
    for number in range(CUSTOMERS):
        for repeat in range(rng.randint(1, REPEATS_MAX)):
            at_ms = now_ms - rng.randrange(30 * DAY_MS, 360 * DAY_MS)
            amount = rng.randint(500, 20_000)
            bought.append(Timed(f"c-{number}", f"o-{number}-{repeat}", at_ms, at_ms, amount, "EUR"))
    return sorted(bought, key=lambda one: one.at_ms)


def refused(running: Job) -> None:
    """What cannot be used is said, and the worker goes on by what it has."""
    producer = Producer({"bootstrap.servers": running.kafka.bootstrap, "log_level": 3})
    dollars = json.dumps(replace(OTHER, currency="USD").to_json()).encode()
    for value in (b"{", dollars, None):
        producer.produce("clv.model-params", value, key=b"mbg-nbd")
    assert producer.flush(30) == 0
    wait_until(lambda: running.worker.log.read_bytes().count(b"are refused") == 2, 30)
    assert running.worker.running
    assert set(versions(running)) == {CDNOW.version}


def publish_other(running: Job, folder: Path) -> None:
    """As one goes back to parameters that were written to a file."""
    file = folder / "other.json"
    file.write_text(json.dumps(OTHER.to_json("week", "major")))
    clv(running.env, "fit", "--parameters", str(file), "--publish")
    (chunk,) = read(running.kafka.bootstrap, {"clv.model-params": 1})
    assert chunk[-1].key() == b"mbg-nbd"
    assert ModelParams.from_json(json.loads(chunk[-1].value())) == OTHER


def flowing(running: Job, rng: random.Random) -> threading.Thread:
    """Purchases of a few seconds, as they come to a shop."""

    def flow() -> None:
        for part in range(40):
            now_ms = wall_ms()
            some = [f"c-{rng.randrange(CUSTOMERS + 100)}" for _ in range(10)]
            publish_timed(
                running.kafka.bootstrap,
                (Timed(who, f"l-{part}-{n}", now_ms, now_ms, 1_000, "EUR") for n, who in
                 enumerate(some)),
            )  # fmt: skip
            time.sleep(0.05)

    thread = threading.Thread(target=flow)
    thread.start()
    return thread


def done(slots: list[Slot]) -> set[bytes]:
    """Partitions that have changed over, by the workers' logs."""
    told = rb"partition (\d+): all customers are scored by the parameters other-shop"
    return {number for slot in slots for number in re.findall(told, slot.log.read_bytes())}


def scores(running: Job) -> list[dict[str, Any]]:
    newest = last_values(read_outputs(running.kafka.bootstrap, PARTITIONS)[SCORES])
    return [json.loads(value) for value in newest.values()]


def versions(running: Job) -> Counter[str]:
    return Counter(score["model_version"] for score in scores(running))


def judge(running: Job, seed: str) -> None:
    counted, different = running.recount()  # facts, chains, ids, revisions, Redis
    assert not different, f"{seed}\n{different}"
    outputs = read_outputs(running.kafka.bootstrap, PARTITIONS)
    for topic in (TIER_CHANGES, CHURN_RISK):
        told = [json.loads(record.value or b"") for record in outputs[topic]]
        by_model = Counter(one["customer_id"] for one in told if one["cause"] == "model")
        assert set(by_model.values()) == {1}, f"{seed}: {by_model.most_common(3)}"
        assert len(by_model) > CUSTOMERS / 50, f"{seed}: {topic} {len(by_model)}"
        assert {o["cause_id"] for o in told if o["cause"] == "model"} == {OTHER.version}
    final = scores(running)
    assert len(final) == len(counted.customers) >= CUSTOMERS
    recomputed(running, final, seed)
    # Commands that score customers themselves do so as the workers do.
    ahead = json.loads(clv(running.env, "show", "c-1", "--at", "+30d", "--json"))
    assert ahead["model_version"] == OTHER.version


def recomputed(running: Job, final: list[dict[str, Any]], seed: str) -> None:
    """Every figure of the model, from the input and the new parameters alone."""
    orders: dict[str, list[tuple[int, int]]] = {}
    for chunk in read(running.kafka.bootstrap, {PURCHASES: PARTITIONS}):
        for record in chunk:
            event = json.loads(record.value())
            at = event["occurred_at"], event["amount_minor"]
            orders.setdefault(event["customer_id"], []).append(at)
    for score in final:
        bought = orders[score["customer_id"]]
        first, last = min(bought)[0], max(bought)[0]
        days = {at // DAY_MS for at, _ in bought}
        repeat = sum(minor for at, minor in bought if at // DAY_MS > min(days))
        x = len(days) - 1
        as_of = np.datetime64(score["as_of"].rstrip("Z"), "ms").astype(int)
        age, recency = (as_of - first) / DAY_MS, (last - first) / DAY_MS
        p_alive = MBG_NBD.p_alive(OTHER, x, recency, age)[0]
        p_active = MBG_NBD.p_active(OTHER, x, recency, age, 365.0)[0]
        at_purchase = MBG_NBD.p_active(OTHER, x, recency, recency, 365.0)[0]
        expected = MBG_NBD.expected_purchases(OTHER, x, recency, age, 365.0)[0]
        order = expected_order_value(OTHER, np.array([float(x)]), np.array([repeat / max(x, 1)]))[0]
        where = f"{seed}: {score['customer_id']}"
        assert score["p_alive"] == pytest.approx(p_alive, abs=1e-6), where
        assert score["p_active"] == pytest.approx(p_active, abs=1e-6), where
        assert score["activity_decline"] == pytest.approx(1 - p_active / at_purchase, abs=1e-6)
        assert score["expected_purchases"] == pytest.approx(expected, abs=1e-6), where
        assert score["predicted_clv_minor"] in {floor(expected * order + d) for d in (-1e-6, 1e-6)}
