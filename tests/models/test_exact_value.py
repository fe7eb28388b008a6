import numpy as np
import pytest
from scipy.stats import kstest

from models.gamma_gamma import expected_order_value
from models.purchases import forecast_for
from models.simulation import simulate_customers
from tests.models.exact_value import value_cdf, value_interval
from tests.models.test_purchase_counts import ROWS
from tests.models.test_purchases import CDNOW, every_model


@every_model
def test_the_value_has_the_mean_of_the_forecast(params):
    # The mean is the integral of the chance to be above; u = V/(V + 5000) makes it finite.
    mean_value = np.array([0.0, 0.0, 2235.0, 1500.0, 3000.0])
    nodes, weights = np.polynomial.legendre.leggauss(400)
    share = ((nodes + 1) / 2) ** 0.5  # more of them in the tail
    total = np.zeros(5)
    for u, w in zip(share, weights, strict=True):
        value = np.full(5, 5000 * u / (1 - u))
        above = 1 - value_cdf(params, *ROWS, mean_value, 365.0, value).high
        total += w / 2 * above * 5000 / (1 - u) ** 2 / (2 * u)
    expected = forecast_for(params)(params, *ROWS, 365.0).expected_purchases
    expected = expected * expected_order_value(params, ROWS[0], mean_value)
    np.testing.assert_allclose(total, expected, rtol=2e-3)


def drawn(params, n, seed):
    seen, ahead = 300.0, 365.0
    rng = np.random.default_rng(seed)
    shop = simulate_customers(params, n, seen + ahead, rng, joining_days=200.0)
    past = shop.at_days <= seen
    x = np.bincount(shop.customer[past], minlength=n) - 1.0
    last, first = np.zeros(n), np.flatnonzero(np.diff(shop.customer, prepend=-1))
    np.maximum.at(last, shop.customer[past], shop.at_days[past])
    spent = np.bincount(shop.customer[past], shop.amount_minor[past], n) - shop.amount_minor[first]
    value = np.bincount(shop.customer[~past], shop.amount_minor[~past], n)
    rows = (x, last - shop.started_days, seen - shop.started_days, spent / np.maximum(x, 1))
    return rows, ahead, value, rng


@every_model
def test_the_randomised_pit_is_uniform_on_simulated_customers(params):
    # Issue 6: Kolmogorov-Smirnov at 20,000; of the others fewer, as they take long.
    customers = 20_000 if params.model == "mbg-nbd" else 5_000
    rows, ahead, value, rng = drawn(params, customers, 21)
    below, until = value_cdf(params, *rows, ahead, value)
    pit = below + rng.uniform(size=value.size) * (until - below)
    assert kstest(pit, "uniform").pvalue > 0.01


def test_the_interval_is_where_the_cdf_says():
    rows, ahead, _, _ = drawn(CDNOW, 200, 22)
    low, high = value_interval(CDNOW, *rows, ahead)
    for bound, level in ((low, 0.1), (high, 0.9)):
        _, until = value_cdf(CDNOW, *rows, ahead, bound)
        some = bound > 0
        np.testing.assert_allclose(until[some], level, atol=1e-6)
        assert np.all(until[~some] >= level)
    assert np.all(low <= high)
    assert (high > 0).mean() > 0.3


def test_the_interval_holds_what_it_promises():
    rows, ahead, value, _ = drawn(CDNOW, 500, 23)
    low, high = value_interval(CDNOW, *rows, ahead)
    # 80 % and what it gets for the many whose most likely value is 0.
    assert np.mean((value >= low) & (value <= high)) >= 0.8
    assert np.mean(value > high) == pytest.approx(0.1, abs=0.04)
