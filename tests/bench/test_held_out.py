"""The tries of `bench.held_out` are what they say: where they reduce to a model, they agree."""

import mpmath as mp
import numpy as np
import pytest

from bench import gamma_gaps, two_segments
from models.fitting import fit_purchases
from models.histories import PurchaseDays, histories
from models.parameters import CDNOW
from models.simulation import simulate_customers


@pytest.fixture(scope="module")
def shop():
    drawn = simulate_customers(CDNOW, 800, 500.0, np.random.default_rng(5), joining_days=100.0)
    return PurchaseDays.of_orders(drawn.customer, drawn.at_days.astype(int), drawn.amount_minor)


def test_one_segment_without_a_covariate_is_the_model(shop):
    customers = histories(shop, 400)
    ours = fit_purchases("mbg-nbd", customers)
    fitted = two_segments.fit(("mbg-nbd",), customers, None, 100.0)
    assert fitted.log_likelihood == pytest.approx(ours.log_likelihood, abs=1e-6)
    for name, value in ours.values.items():
        assert fitted.values[f"{name} (mbg-nbd)"] == pytest.approx(value, rel=1e-3)
    assert fitted.aic == pytest.approx(2 * (4 - ours.log_likelihood), abs=1e-5)


def test_a_covariate_that_says_nothing_gains_nothing(shop):
    customers = histories(shop, 400)
    noise = np.random.default_rng(6).lognormal(8, 1, customers.customer.size)
    bare = two_segments.fit(("mbg-nbd",), customers, None, 100.0)
    fitted = two_segments.fit(("mbg-nbd",), customers, noise, 100.0)
    assert abs(fitted.values["g"]) < 3 * fitted.log_standard_errors["g"]
    assert 0 <= fitted.log_likelihood - bare.log_likelihood < 5


def test_tenths_are_standardised():
    scores, group = two_segments.by_tenths(np.random.default_rng(7).lognormal(8, 1, 1000))
    assert np.bincount(group).tolist() == [100] * 10
    assert scores.mean() == pytest.approx(0, abs=1e-9)
    assert np.all(np.diff(scores) > 0)


@pytest.mark.parametrize("k", [0.6, 1.0, 1.7])
def test_survival_of_a_gamma_gap_agrees_with_its_integral(k):
    s, scale, tau = 2.3, 40.0, 25.0
    with mp.workdps(20):
        exact = mp.quad(
            lambda rate: (
                rate ** (s - 1) * mp.exp(-rate * scale) * scale**s / mp.gamma(s)
                * mp.gammainc(k, rate * tau, regularized=True)
            ),
            [0, 0.02, 0.1, 1, 5],
        )  # fmt: skip
    got = gamma_gaps.log_survival(k, np.array([s]), np.array([scale]), np.array([tau]))
    assert np.exp(got[0]) == pytest.approx(float(exact), rel=1e-9)


def test_log_gaps_are_summed_by_customer():
    days = PurchaseDays(np.array([0, 0, 0, 2]), np.array([10, 12, 17, 5]), np.full(4, 100))
    sums = gamma_gaps.sum_of_log_gaps(days, histories(days, 20))
    assert sums.tolist() == pytest.approx([np.log(2) + np.log(5), 0.0])
