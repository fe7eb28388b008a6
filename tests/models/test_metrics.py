import numpy as np
import pytest

from models.metrics import (
    Outcome,
    Prediction,
    auc,
    bin_of,
    bootstrap,
    calibration_error,
    capture,
    metrics,
)


def all_of(n):
    return np.ones(n)


def test_auc_counts_pairs_and_ties_by_half():
    score = np.array([0.9, 0.5, 0.5, 0.1])
    active = np.array([1.0, 1.0, 0.0, 0.0])
    # Pairs: .9 beats both, .5 ties one and beats one: (2 + 1.5) / 4.
    assert auc(score, active)(all_of(4)) == pytest.approx(3.5 / 4)
    assert auc(-score, active)(all_of(4)) == pytest.approx(0.5 / 4)
    assert auc(np.zeros(4), active)(all_of(4)) == 0.5
    assert np.isnan(auc(score, np.ones(4))(all_of(4)))


def test_auc_is_that_of_all_pairs_by_brute_force():
    rng = np.random.default_rng(1)
    score, active = rng.integers(0, 9, 80).astype(float), rng.integers(0, 2, 80).astype(float)
    those, others = score[active > 0][:, None], score[active == 0]
    pairs = (those > others).mean() + 0.5 * (those == others).mean()
    assert auc(score, active)(all_of(80)) == pytest.approx(pairs)


def test_calibration_error_by_hand():
    chance = np.array([0.05, 0.07, 0.95, 1.0])
    active = np.array([0.0, 1.0, 1.0, 1.0])
    assert bin_of(chance).tolist() == [0, 0, 9, 9]
    # Two bins of two customers: |.06 - .5| and |.975 - 1|, half each.
    assert calibration_error(chance, active)(all_of(4)) == pytest.approx((0.44 + 0.025) / 2)


def test_capture_by_hand():
    value = np.arange(20.0)
    revenue = np.zeros(20)
    revenue[[19, 18, 3]] = 30, 10, 60
    assert capture(value, revenue, 0.1)(all_of(20)) == pytest.approx(0.4)
    # A tenth of 15 customers is the first and half of the second.
    assert capture(value[5:], revenue[5:], 0.1)(all_of(15)) == pytest.approx(35 / 40)
    assert np.isnan(capture(value, np.zeros(20), 0.1)(all_of(20)))


def test_capture_does_not_depend_on_the_order_of_equals():
    revenue = np.array([0.0] * 10 + [1.0] * 10)
    for order in (slice(None), slice(None, None, -1)):
        assert capture(np.zeros(20), revenue[order], 0.1)(all_of(20)) == pytest.approx(0.1)


FIGURES = metrics(
    Prediction(np.array([1.0, 0.5, 0.0]), np.array([0.8, 0.4, 0.0]), np.array([3.0, 2.0, 1.0])),
    Outcome(np.array([3.0, 0.0, 0.0]), np.array([500.0, 0.0, 0.0])),
)


def test_the_other_figures_by_hand():
    figures = {name: of(all_of(3)) for name, of in FIGURES.items()}
    assert figures["total"] == 1.5
    assert figures["actual_total"] == 3
    assert figures["mae"] == pytest.approx(2.5 / 3)
    assert figures["rmse"] == pytest.approx((4.25 / 3) ** 0.5)
    assert figures["brier"] == pytest.approx((0.04 + 0.16) / 3)
    assert figures["log_score"] == pytest.approx(-(np.log(0.8) + np.log(0.6)) / 3, rel=1e-9)
    assert figures["revenue_minor"] == 6
    assert figures["actual_revenue_minor"] == 500


def test_a_weight_of_two_is_the_customer_twice():
    rng = np.random.default_rng(2)
    n = 50
    columns = [rng.integers(0, 4, n).astype(float), rng.uniform(0, 1, n), rng.uniform(0, 9, n)]
    truth = [rng.integers(0, 3, n).astype(float), rng.uniform(0, 9, n)]
    weights = rng.integers(0, 3, n)
    once = metrics(Prediction(*columns), Outcome(*truth))
    again = metrics(
        Prediction(*(np.repeat(c, weights) for c in columns)),
        Outcome(*(np.repeat(c, weights) for c in truth)),
    )
    for name, of in once.items():
        assert of(weights.astype(float)) == pytest.approx(again[name](all_of(weights.sum()))), name


def test_bootstrap_of_a_mean_has_its_standard_error():
    rng = np.random.default_rng(3)
    values = rng.normal(size=400)
    measures = {"m": {"mean": lambda w: float(w @ values / w.sum())}}
    drawn = bootstrap(measures, 400, 2000, seed=4)["m"]["mean"]
    assert drawn.std() == pytest.approx(values.std() / 20, rel=0.08)
    assert np.array_equal(drawn, bootstrap(measures, 400, 2000, seed=4)["m"]["mean"])
