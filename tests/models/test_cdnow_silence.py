"""CDNOW's silences against a table that is computed again every day, and by other formulas."""

import random

import msgspec
import numpy as np
import pytest

from models.events import Event
from models.policy import Policy
from models.score import Score
from streams.datasets import CURRENCY
from streams.demo import purchases
from tests.models.daily_batch import DAY_MS, DailyBatch, Fall, Purchase
from tests.models.shop import PURCHASE, Partition

SILENT_WEEKS = 78
POLICY = Policy(currency=CURRENCY)


@pytest.fixture(scope="module")
def rows() -> list[Purchase]:
    return [
        Purchase(row.customer_id, row.occurred_at_ms // DAY_MS, row.amount_minor)
        for row in purchases(None)
    ]


@pytest.fixture(scope="module")
def end_day(rows: list[Purchase]) -> int:
    return rows[-1].day + 7 * SILENT_WEEKS


@pytest.fixture(scope="module")
def batch(rows: list[Purchase], end_day: int) -> DailyBatch:
    recomputed = DailyBatch(POLICY, rows)
    recomputed.run(end_day)
    return recomputed


@pytest.fixture(scope="module")
def partition(rows: list[Purchase], end_day: int) -> Partition:
    """Played as with CLV_CLOCK=events, a tick after each day; then ticks minutes to weeks apart."""
    played = Partition(POLICY)
    days: dict[int, list[tuple[Event, int]]] = {}
    for number, row in enumerate(rows):
        at_ms = row.day * DAY_MS
        event = Event(PURCHASE, row.customer.encode(), f"o-{number}", at_ms, row.amount_minor, -1)
        days.setdefault(row.day, []).append((event, at_ms))
    for day, events in days.items():
        played.play(events)
        played.tick(day * DAY_MS)
    rng = random.Random(5)
    while played.now_ms < end_day * DAY_MS:
        step_ms = rng.choice([60_000, 3_600_000, DAY_MS, 7 * DAY_MS, 30 * DAY_MS])
        played.tick(min(played.now_ms + step_ms, end_day * DAY_MS))
    return played


def silent(partition: Partition) -> list[Fall]:
    return [
        Fall(
            kind,
            change.customer.decode(),
            change.from_,
            change.to,
            change.crossed_at_ms // DAY_MS,
        )
        for kind, change in partition.changes
        if change.cause == "silence" and change.from_ is not None
    ]


def test_the_same_customers_fall_on_the_same_days(partition: Partition, batch: DailyBatch) -> None:
    found, truth = silent(partition), batch.falls
    missing, extra = set(truth) - set(found), set(found) - set(truth)
    assert not missing, sorted(missing)[:5]
    assert not extra, sorted(extra)[:5]
    assert len(found) == len(truth), "nobody falls twice"
    # Hardly a customer is left who has not fallen twice, and some have fallen several times.
    assert len(truth) > 8_000


def test_scores_left_silent_stay_close_to_the_truth(
    partition: Partition, batch: DailyBatch, end_day: int
) -> None:
    everyone = np.arange(len(batch.names))
    true_now = batch.predicted(everyone, (end_day - batch.first).astype(float))
    at_purchase = batch.predicted(everyone, (batch.last - batch.first).astype(float))
    true_risk = np.maximum(at_purchase - true_now, 0.0)
    scores = [
        msgspec.json.decode(partition.scores[name.encode()], type=Score) for name in batch.names
    ]
    said = np.array([score.predicted_clv_minor for score in scores], dtype=float)
    risk = np.array([score.value_at_risk_minor for score in scores], dtype=float)
    # Each within a tenth, and a cent for what is rounded down; the sums are far closer.
    assert np.all(said - true_now <= 0.1 * said + 1.0)
    assert np.all(true_now - said < 1.0)
    assert abs(said.sum() / true_now.sum() - 1) < 0.1
    assert abs(risk.sum() / true_risk.sum() - 1) < 0.1
    assert set(np.argsort(-risk, kind="stable")[:100].tolist()) == set(
        np.argsort(-true_risk, kind="stable")[:100].tolist()
    )
