"""Silence: the same changes at the same instants, however it is looked at."""

import time
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.events import Event
from models.fact_rows import FactRows
from models.policy import Policy
from models.rules import rules_of
from models.state import decode
from models.valuation import Valuation
from tests.models.conftest import their_file
from tests.models.naive import Crossed, Naive
from tests.models.shop import (
    DAY_MS,
    Partition,
    policies,
    purchase,
    purchase_histories,
    refund,
    visit,
)

SILENT_DAYS = 600  # longer than any window, so that everyone falls as far as silence leads

proof = settings(max_examples=60, derandomize=True, deadline=None, database=None)


def scanned(policy: Policy, events: list[Event], end_ms: int) -> list[Crossed]:
    naive = Naive(policy)
    for event in events:
        naive.apply(event, naive.as_of_ms)
    naive.silence(end_ms)
    return naive.changes


def same(found: list[Crossed], truth: list[Crossed]) -> None:
    """The same changes in the same order, and their instants within a second."""
    assert [change[:-1] for change in found] == [change[:-1] for change in truth]
    for change, true in zip(found, truth, strict=True):
        assert abs(change.at_ms - true.at_ms) < 1_000


@proof
@given(policies(), purchase_histories(), st.data())
def test_ticks_of_any_spacing_find_what_a_scan_finds(
    policy: Policy, events: list[Event], data: st.DataObject
) -> None:
    end_ms = events[-1].at_ms + SILENT_DAYS * DAY_MS
    partition = Partition(policy)
    for number, event in enumerate(events):
        if data.draw(st.booleans()):
            tick_until(partition, event.at_ms, data, number)
        partition.one(event)
    tick_until(partition, end_ms, data, len(events))
    truth = scanned(policy, events, end_ms)
    for kind in ("tier", "churn"):
        same(partition.crossed(kind), [change for change in truth if change.kind == kind])


@pytest.mark.parametrize("by", ["tick", "purchase"])
def test_a_refund_that_leaves_the_window_lifts_the_tier_again(by: str) -> None:
    """One look, after everything: down, up and down again are told with their instants."""
    policy = Policy(
        tiers=(("bronze", 0), ("silver", 3_000), ("gold", 8_000)), timezone="Europe/Berlin"
    )
    events = [purchase(1, 0, 12_000), refund(2, 10.5, 8_000), purchase(3, 20, 9_000)]
    partition = Partition(policy)
    for event in events:
        partition.one(event)
    end_ms = events[0].at_ms + SILENT_DAYS * DAY_MS
    if by == "tick":
        partition.tick(end_ms)
    else:
        partition.one(purchase(4, SILENT_DAYS, 1))
    truth = [change for change in scanned(policy, events, end_ms) if change.kind == "tier"]
    silent = [change for change in truth if change.cause == "silence"]
    assert [(change.from_, change.to) for change in silent][-3:] == [
        ("gold", "bronze"),
        ("bronze", "gold"),
        ("gold", "bronze"),
    ]
    found = [change for change in partition.crossed("tier") if change.cause != "purchase"]
    same(found, [change for change in truth if change.cause != "purchase"])


@pytest.mark.parametrize("ms", [-1, 0, 1])
@pytest.mark.parametrize("event", [purchase(2, 365), refund(2, 365, 1), visit(2, 365)])
def test_an_event_at_the_instant_of_a_fall_finds_it_told(event: Event, ms: int) -> None:
    """The purchase's day leaves at a whole second, and a deadline is one: it is not missed."""
    policy = Policy(tiers=(("bronze", 0), ("gold", 8_000)))
    event = msgspec.structs.replace(event, at_ms=event.at_ms + ms)
    found = []
    for looked in (False, True):
        partition = Partition(policy)
        partition.one(purchase(1, 0, 12_000))
        partition.tick(event.at_ms - 2_000)  # so that no earlier deadline is left
        if looked:
            partition.tick(event.at_ms)
        partition.one(event)
        found.append(partition.crossed("tier"))
    assert found[0] == found[1]
    assert [change.cause for change in found[0][1:2]] == ["silence"] * (ms >= 0)


@pytest.mark.parametrize("horizon_days", [30.0, 365.0])
def test_an_engagement_does_not_make_a_silence_forget_what_counted_in_it(
    horizon_days: float,
) -> None:
    """The visit ends a long silence, and is what pushes the first purchase out of the state."""
    policy = Policy(
        horizon_days=horizon_days,
        tiers=(("bronze", 0), ("silver", 3_000), ("gold", 8_000), ("platinum", 16_000)),
        hysteresis=0.0,
    )
    # 2020 is a leap year: on day 366 the bucket of day 0 is given up.
    events = [purchase(0, 0, 5_764), purchase(1, 150, 556), purchase(2, 257, 0), visit(3, 366)]
    partition = Partition(policy)
    for event in events:
        partition.one(event)
    truth = [c for c in scanned(policy, events, events[-1].at_ms) if c.kind == "tier"]
    assert truth[-1][1:4] == ("silver", "bronze", "silence")
    same(partition.crossed("tier"), truth)


def tick_until(partition: Partition, end_ms: int, data: st.DataObject, number: int) -> None:
    """Ticks at uneven times, from minutes to months apart."""
    spacings = st.sampled_from([60_000, 3_600_000, DAY_MS, 10 * DAY_MS, 200 * DAY_MS])
    for spacing in data.draw(st.lists(spacings, max_size=30), label=f"ticks before {number}"):
        if partition.now_ms + spacing < end_ms:
            partition.tick(partition.now_ms + spacing)
    partition.tick(end_ms)


def test_ten_thousand_crossings_in_one_second_are_quick() -> None:
    """Issue 5: published within 2 s; of which the core may take one and a half."""
    partition = Partition(Policy())
    at_ms = 1_600_000_000_000
    partition.play(
        (Event(0, b"customer-%d" % number, f"o-{number}", at_ms, 6_000, -1), at_ms)
        for number in range(10_000)
    )
    while not any(change.cause == "silence" for _, change in partition.changes):
        due_s = max(partition.deadlines.values())
        started_s = time.process_time()
        partition.tick((due_s + 1) * 1000, limit=2_000)
        took_s = time.process_time() - started_s
    silent = [change for _, change in partition.changes if change.cause == "silence"]
    assert len(silent) == 10_000
    assert took_s < 1.5
    assert max(change.detected_at_ms - change.crossed_at_ms for change in silent) <= 2_000


@pytest.mark.slow
def test_cdnow_left_silent_for_78_weeks() -> None:
    """Issue 5: stored values within a tenth of the truth, and the top 100 by risk the true ones."""
    policy = Policy(currency="USD")
    partition = Partition(policy)
    events = cdnow_purchases()
    for at in range(0, len(events), 500):
        partition.play((event, event.at_ms) for event in events[at : at + 500])
    end_ms = partition.now_ms + 78 * 7 * DAY_MS
    while partition.now_ms < end_ms:
        partition.tick(min(end_ms, partition.now_ms + 7 * DAY_MS))
    keys = [*partition.table]
    states = [decode(partition.table[key]) for key in keys]
    rows = FactRows()
    for state in states:
        rows.add(state)
    valuation = Valuation(rules_of(policy), rows.columns(policy.params))
    true = valuation.figures(np.arange(len(keys)), np.full(len(keys), end_ms))
    predicted = np.array([state.predicted_minor for state in states])
    at_risk = np.array([state.at_risk_minor for state in states])
    assert predicted.sum() == pytest.approx(true.predicted.sum(), rel=0.1)
    assert at_risk.sum() == pytest.approx(true.at_risk.sum(), rel=0.1)
    assert np.all(predicted - true.predicted <= 0.1 * predicted + 1)
    assert set(np.argsort(-at_risk)[:100]) == set(np.argsort(-true.at_risk)[:100])


def cdnow_purchases() -> list[Event]:
    """The usual sample, each purchase at noon, in the order of time."""
    events = []
    for number, line in enumerate(their_file("CDNOW_sample.txt").read_text().splitlines()):
        _, customer, date, _, dollars = line.split()
        noon = datetime.strptime(date, "%Y%m%d").replace(hour=12, tzinfo=UTC)
        cents = round(float(dollars) * 100)
        at_ms = int(noon.timestamp() * 1000)
        events.append(Event(0, customer.encode(), f"o-{number}", at_ms, cents, -1))
    return sorted(events, key=lambda event: event.at_ms)
