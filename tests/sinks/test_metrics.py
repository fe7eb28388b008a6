"""Metrics: the contract's names and labels, exact sums, partitions that go, a bound on series."""

import re
import threading
from collections import Counter
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from models.population import Population
from models.verdicts import Verdicts, verdicts_on
from sinks.metric_definitions import (
    CAUSES,
    DEFINITIONS,
    END_TO_END,
    MAX_REASONS,
    MAX_SINK_ERRORS,
    OUTCOMES,
)
from sinks.metrics import INPUT_TOPICS, SINKS, Metrics

TIERS = ("bronze", "silver", "gold", "platinum")
LEVELS = ("low", "medium", "high")
PURCHASES, ENGAGEMENTS = INPUT_TOPICS

# Not in CONTRACT.md, which lets us add.
ADDED = {
    "clv_predictions_judged_total": ("bin",),
    "clv_predictions_active_total": ("bin",),
    "clv_predictions_probability_total": ("bin",),
    "clv_predictions_squared_error_total": (),
}

# Copied from CONTRACT.md by hand: names and labels are fixed there.
CONTRACT = {
    "clv_events_total": ("topic", "outcome"),
    "clv_batch_seconds": (),
    "clv_batch_events": (),
    "clv_end_to_end_seconds": ("topic",),
    "clv_consumer_lag": ("topic", "partition"),
    "clv_consumer_lag_seconds": ("topic",),
    "clv_last_event_timestamp_seconds": ("topic",),
    "clv_tick_age_seconds": (),
    "clv_clock_held": ("topic",),
    "clv_ticks_refused_total": ("reason",),
    "clv_recovering_records": (),
    "clv_rebalances_total": (),
    "clv_customers": ("tier",),
    "clv_customers_at_risk": ("level",),
    "clv_value_minor": ("tier", "kind"),
    "clv_value_at_risk_minor": (),
    "clv_tier_changes_total": ("from", "to", "cause"),
    "clv_churn_risk_changes_total": ("from", "to", "cause"),
    "clv_deadlines_pending": (),
    "clv_score_age_seconds": (),
    "clv_score_refreshes_total": ("cause",),
    "clv_crossing_lateness_seconds": (),
    "clv_sink_seconds": ("sink",),
    "clv_sink_errors_total": ("sink", "error"),
    "clv_dead_letters_total": ("topic", "reason"),
    "clv_recovery_seconds": (),
    "clv_recovered_records_total": (),
    "clv_state_bytes": (),
    "clv_model_info": ("model", "version"),
    "clv_model_pending_customers": (),
    "clv_model_refused_total": (),
    "clv_build_info": ("version",),
}


@dataclass
class FakeChange:
    from_: str | None
    to: str
    cause: str
    crossed_at_ms: int = 0
    detected_at_ms: int = 0


class FakeClock:
    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock():
    return FakeClock(1_000_000.0)


@pytest.fixture
def metrics(clock):
    return Metrics(version="1.2.3", tiers=TIERS, levels=LEVELS, clock=clock)


def samples(metrics):
    """Every series of a scrape: (sample name, frozen labels) -> value."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def value(metrics, name, **labels):
    names = {key.rstrip("_"): text for key, text in labels.items()}
    return samples(metrics).get((name, frozenset(names.items())))


def fill(metrics, partitions=8):
    """Everything that a worker may ever report, rare label values included."""
    everywhere = list(product(INPUT_TOPICS, OUTCOMES))
    for partition in range(partitions):
        metrics.batch(
            partition, 0.02, dict.fromkeys(everywhere, 1), dict.fromkeys(INPUT_TOPICS, 9e5)
        )
        for topic in INPUT_TOPICS:
            metrics.lag(topic, partition, 3, 0.1)
        metrics.population(
            partition,
            Population(
                customers=Counter(dict.fromkeys(TIERS, 2)),
                historic_minor=Counter(dict.fromkeys(TIERS, 200)),
                predicted_minor=Counter(dict.fromkeys(TIERS, 20)),
                levels=Counter(dict.fromkeys(LEVELS, 1)),
                at_risk_minor=7,
            ),
        )
        metrics.deadlines(partition, 10, 999_999.0)
        metrics.state_bytes(partition, 1000)
        metrics.tick(partition, 999_999.0)
        metrics.recovery_progress(partition, 0, 5)
    for topic in INPUT_TOPICS:
        metrics.end_to_end(topic, [0.01, 0.2])
        metrics.dead_letters(topic, {f"reason_{number}": 1 for number in range(100)})
    for sink in SINKS:
        metrics.sink(sink, 0.01)
        for number in range(100):
            metrics.sink_error(sink, f"error_{number}")
    for names, report in ((TIERS, metrics.tier_changes), (LEVELS, metrics.churn_changes)):
        origins = (None, *names)
        report([FakeChange(*key) for key in product(origins, names, CAUSES) if key[0] != key[1]])
    metrics.score_refreshes(dict.fromkeys(CAUSES, 1))
    metrics.verdicts(verdicts_on(np.arange(10_001), np.ones(10_001, dtype=np.int64)))
    metrics.rebalance()
    metrics.recovery_started()
    metrics.recovery_progress(0, 0, 0)
    metrics.model(0, "mbg-nbd+gamma-gamma", "cdnow-1")


def test_names_and_labels_are_the_contracts():
    assert {each.name: each.labels for each in DEFINITIONS} == CONTRACT | ADDED


def test_the_copy_above_is_the_contracts_list():
    page = Path(__file__).parents[3] / "shared" / "CONTRACT.md"
    if not page.exists():
        pytest.skip("CONTRACT.md is not beside this clone")
    section = page.read_text().partition("## Metrics")[2]
    found = re.findall(r"`(clv_[a-z_]+)(?:\{([a-z,]+)\})?`", section)
    listed = {name: tuple(filter(None, text.split(","))) for name, text in found}
    assert listed.items() <= CONTRACT.items()  # which may add to it, and rename nothing


def test_a_full_worker_exports_every_metric_with_its_labels_and_type(metrics):
    fill(metrics)
    families = {
        family.name: family for family in text_string_to_metric_families(metrics.render().decode())
    }
    for definition in DEFINITIONS:
        family = families[definition.name.removesuffix("_total")]
        assert family.type == definition.kind
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(definition.labels), definition.name


def test_each_metric_says_what_and_why():
    for definition in DEFINITIONS:
        assert definition.help.endswith(".")
        assert definition.why.endswith(".")
        assert definition.unit
        assert (definition.kind == "histogram") == bool(definition.bounds)
        assert (definition.kind == "counter") == definition.name.endswith("_total")


def test_series_stay_below_500_with_8_partitions_and_4_tiers(metrics):
    """Worst case: all label values seen, more reasons and errors than there are."""
    fill(metrics, partitions=8)
    assert len(samples(metrics)) <= 500


def test_nothing_is_put_on_the_global_registry(metrics):
    Metrics(version="1", tiers=TIERS, levels=LEVELS)  # a second one does not collide either
    assert not [f for f in REGISTRY.collect() if f.name.startswith("clv_")]


def test_a_batch_counts_events_by_topic_and_outcome(metrics):
    metrics.batch(
        0, 0.03, {(PURCHASES, "processed"): 7, (PURCHASES, "duplicate"): 2}, {PURCHASES: 500.5}
    )
    metrics.batch(1, 0.2, {(PURCHASES, "processed"): 1}, {PURCHASES: 400.0})
    assert value(metrics, "clv_events_total", topic=PURCHASES, outcome="processed") == 8
    assert value(metrics, "clv_events_total", topic=PURCHASES, outcome="duplicate") == 2
    assert value(metrics, "clv_events_total", topic=ENGAGEMENTS, outcome="late") == 0
    assert value(metrics, "clv_batch_events_sum") == 10
    assert value(metrics, "clv_batch_seconds_count") == 2
    # The newest of all partitions: an older record of another does not turn it back.
    assert value(metrics, "clv_last_event_timestamp_seconds", topic=PURCHASES) == 500.5


def test_latencies_are_counted_into_cumulative_buckets(metrics):
    seconds = np.array([0.0, 0.01, 0.0100001, 0.12, 5.0, 10_000.0])
    metrics.end_to_end(PURCHASES, seconds)
    name = "clv_end_to_end_seconds"
    found = {
        le: value(metrics, f"{name}_bucket", topic=PURCHASES, le=le) for le in ("0.01", "+Inf")
    }
    assert found == {"0.01": 2, "+Inf": 6}  # Prometheus' buckets are "less or equal"
    assert value(metrics, f"{name}_sum", topic=PURCHASES) == pytest.approx(seconds.sum())
    for bound in END_TO_END.bounds:
        counted = value(metrics, f"{name}_bucket", topic=PURCHASES, le=str(bound))
        assert counted == np.sum(seconds <= bound)


def test_an_empty_batch_of_latencies_changes_nothing(metrics):
    metrics.end_to_end(PURCHASES, [])
    assert value(metrics, "clv_end_to_end_seconds_count", topic=PURCHASES) == 0


def population(metrics, partition, tier, count, minor):
    metrics.population(
        partition,
        Population(
            customers=Counter({tier: count}),
            historic_minor=Counter({tier: minor}),
            predicted_minor=Counter({tier: minor // 10}),
            levels=Counter({"low": count}),
            at_risk_minor=minor // 100,
        ),
    )


def test_population_sums_deltas_and_a_revoked_partition_leaves_nothing(metrics):
    before = samples(metrics)
    population(metrics, 0, "gold", 5, 10_000)
    population(metrics, 0, "gold", -2, -4_000)
    population(metrics, 3, "gold", 1, 1_000)
    assert value(metrics, "clv_customers", tier="gold") == 4
    assert value(metrics, "clv_value_minor", tier="gold", kind="historic") == 7_000
    assert value(metrics, "clv_value_minor", tier="gold", kind="predicted") == 700
    assert value(metrics, "clv_customers_at_risk", level="low") == 4
    assert value(metrics, "clv_value_at_risk_minor") == 70
    metrics.revoked(0)
    assert value(metrics, "clv_customers", tier="gold") == 1
    metrics.revoked(3)
    after = samples(metrics)
    assert {key for key in before if key[0].startswith("clv_")} <= set(after)
    for key, shown in after.items():
        if key[0].startswith("clv_"):
            assert shown == before[key], key


def test_revoking_drops_every_gauge_of_a_partition(metrics):
    fill(metrics, partitions=1)
    metrics.revoked(0)
    found = samples(metrics)
    assert not [key for key in found if key[0] in ("clv_consumer_lag", "clv_tick_age_seconds")]
    for name in ("clv_state_bytes", "clv_deadlines_pending", "clv_recovering_records"):
        assert found[name, frozenset()] == 0


def test_money_stays_exact_over_many_deltas(metrics):
    """Deltas of money are integers: 2**53 + 1 would be lost in a float on the way."""
    population(metrics, 0, "gold", 1, 2**53 + 1)
    population(metrics, 0, "gold", 0, -(2**53))
    assert value(metrics, "clv_value_minor", tier="gold", kind="historic") == 1


def test_changes_are_counted_and_only_silence_is_late(metrics):
    metrics.tier_changes(
        [
            FakeChange(None, "bronze", "purchase", 0, 90_000),
            FakeChange("gold", "silver", "silence", 100_000, 100_400),
        ],
        published_ms=100_700,
    )
    metrics.churn_changes([FakeChange("low", "medium", "silence", 100_000, 100_200)])
    first = {"from_": "none", "to": "bronze", "cause": "purchase"}
    assert value(metrics, "clv_tier_changes_total", **first) == 1
    fell = {"from_": "gold", "to": "silver", "cause": "silence"}
    assert value(metrics, "clv_tier_changes_total", **fell) == 1
    assert value(metrics, "clv_crossing_lateness_seconds_count") == 2
    assert value(metrics, "clv_crossing_lateness_seconds_sum") == pytest.approx(0.7 + 0.2)


def test_verdicts_give_brier_and_calibration(metrics):
    """Three predictions of .85, .8 and .004, of whom the first two came true."""
    assert value(metrics, "clv_predictions_judged_total", bin="0.80-0.90") == 0
    metrics.verdicts(verdicts_on(np.array([8_500, 40]), np.array([1, 0])))
    metrics.verdicts(verdicts_on(np.array([8_000]), np.array([1])))
    metrics.verdicts(Verdicts())
    for bin_, judged, active, said in (("0.80-0.90", 2, 2, 1.65), ("0.00-0.01", 1, 0, 0.004)):
        assert value(metrics, "clv_predictions_judged_total", bin=bin_) == judged
        assert value(metrics, "clv_predictions_active_total", bin=bin_) == active
        assert value(metrics, "clv_predictions_probability_total", bin=bin_) == pytest.approx(said)
    squared = value(metrics, "clv_predictions_squared_error_total")
    assert squared == pytest.approx(0.15**2 + 0.2**2 + 0.004**2)


def test_ages_grow_by_themselves_when_the_worker_is_stuck(metrics, clock):
    assert value(metrics, "clv_tick_age_seconds") is None  # unknown is not 0
    metrics.tick(0, clock.now_s - 1)
    metrics.tick(1, clock.now_s)
    assert value(metrics, "clv_tick_age_seconds") == 1
    clock.now_s += 60
    assert value(metrics, "clv_tick_age_seconds") == 61


def test_lag_and_overdue_scores_show_the_worst_partition(metrics, clock):
    assert value(metrics, "clv_score_age_seconds") == 0
    for partition, seconds in ((0, 3.0), (1, 9.0), (2, -5.0)):
        metrics.lag(PURCHASES, partition, 10 * partition, seconds)
        metrics.deadlines(partition, 100, clock.now_s - seconds)
    assert value(metrics, "clv_consumer_lag", topic=PURCHASES, partition="2") == 20
    assert value(metrics, "clv_consumer_lag_seconds", topic=PURCHASES) == 9
    assert value(metrics, "clv_score_age_seconds") == 9
    assert value(metrics, "clv_deadlines_pending") == 300
    clock.now_s += 60  # nothing is reported any more, and still it shows
    assert value(metrics, "clv_score_age_seconds") == 69
    metrics.revoked(1)
    assert value(metrics, "clv_score_age_seconds") == 63
    metrics.deadlines(0, 0, None)
    assert value(metrics, "clv_score_age_seconds") == 55


def test_a_held_clock_and_forged_ticks_are_told_apart(metrics):
    assert value(metrics, "clv_clock_held", topic=PURCHASES) == 0
    metrics.clock_held(PURCHASES, held=True)
    assert value(metrics, "clv_clock_held", topic=PURCHASES) == 1
    metrics.clock_held(PURCHASES, held=False)
    assert value(metrics, "clv_clock_held", topic=PURCHASES) == 0
    assert value(metrics, "clv_ticks_refused_total", reason="ahead") == 0
    metrics.ticks_refused("ahead", 3)
    assert value(metrics, "clv_ticks_refused_total", reason="ahead") == 3


def test_recovery_shows_while_it_runs_and_its_length_afterwards(metrics, clock):
    assert value(metrics, "clv_recovery_seconds") is None
    metrics.recovery_started()
    clock.now_s += 4
    metrics.recovery_progress(0, 600, 400)
    assert value(metrics, "clv_recovery_seconds") == 4
    assert value(metrics, "clv_recovering_records") == 600
    metrics.recovery_started()  # another partition joins: the clock is not turned back
    metrics.recovery_progress(1, 50, 0)
    metrics.recovery_progress(0, 0, 600)
    clock.now_s += 2
    assert value(metrics, "clv_recovery_seconds") == 6  # one is still at it
    metrics.revoked(1)
    clock.now_s += 100
    assert value(metrics, "clv_recovery_seconds") == 6
    assert value(metrics, "clv_recovering_records") == 0
    assert value(metrics, "clv_recovered_records_total") == 1000


def test_label_values_from_outside_are_bounded(metrics):
    for number in range(1000):
        metrics.dead_letters(PURCHASES, {f"reason_{number}": 1})
        metrics.sink_error("redis", f"error_{number}")
    found = samples(metrics)
    reasons = [key for key in found if key[0] == "clv_dead_letters_total"]
    errors = [
        key for key in found if key[0] == "clv_sink_errors_total" and ("sink", "redis") in key[1]
    ]
    assert len(reasons) == MAX_REASONS + 1
    assert len(errors) == MAX_SINK_ERRORS + 1
    assert sum(found[key] for key in reasons) == 1000  # none is lost, only its name


def test_a_new_model_replaces_the_old_one(metrics):
    def versions() -> list[str]:
        found = samples(metrics).items()
        return [dict(at)["version"] for (name, at), value in found if name == "clv_model_info"]

    for partition in (0, 1):
        metrics.model(partition, "mbg-nbd+gamma-gamma", "one")
    metrics.model(1, "mbg-nbd+gamma-gamma", "two")
    assert versions() == ["one", "two"]  # while they change over, one after the other
    metrics.model(0, "mbg-nbd+gamma-gamma", "two")
    assert versions() == ["two"]
    metrics.revoked(0)
    metrics.revoked(1)
    assert versions() == []


def test_a_scrape_never_sees_a_customer_between_two_tiers(metrics):
    """One lock makes an update atomic: the tiers' sum is the same at every scrape."""
    population(metrics, 0, "gold", 1000, 0)
    stop = threading.Event()

    def move() -> None:
        while not stop.is_set():
            for one, other in (("gold", "silver"), ("silver", "gold")):
                metrics.population(
                    0,
                    Population(
                        customers=Counter({one: -500, other: 500}),
                        historic_minor=Counter(),
                        predicted_minor=Counter(),
                        levels=Counter(),
                        at_risk_minor=0,
                    ),
                )

    thread = threading.Thread(target=move)
    thread.start()
    try:
        for _ in range(30):
            found = samples(metrics)
            assert sum(n for key, n in found.items() if key[0] == "clv_customers") == 1000
    finally:
        stop.set()
        thread.join()
