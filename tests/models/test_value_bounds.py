from dataclasses import replace

import numpy as np
import pytest

from models.gamma_gamma import expected_order_value
from models.purchases import forecast_for
from models.value_bounds import Interval, ValueBounds, _merged
from models.value_coverage import randomised_coverage
from tests.models.exact_value import value_cdf, value_interval
from tests.models.test_exact_value import drawn
from tests.models.test_purchases import CDNOW, every_model


def score(params, rows, ahead):
    x, t_x, age, mean = rows
    _, active, purchases = forecast_for(params)(params, x, t_x, age, ahead)
    return x, age, active, purchases * expected_order_value(params, x, mean)


@every_model
def test_the_table_says_what_the_exact_form_says(params):
    rows, ahead, _, _ = drawn(params, 120, 31)
    near = ValueBounds(params, ahead).interval(*score(params, rows, ahead))
    exact = value_interval(params, *rows, ahead)
    for one, other in zip(near, exact, strict=True):
        assert np.mean((one > 0) == (other > 0)) > 0.995
        some = (one > 0) & (other > 0)
        apart = np.abs(np.log(one[some] / other[some]))
        assert np.quantile(apart, 0.95) < 0.05
        assert np.mean(apart) < 0.02


@every_model
def test_the_interval_holds_what_it_promises(params):
    # Issue 6: 80 % in the sense of the randomised probability integral transform; three times
    # the standard error of a share of 20,000.
    rows, ahead, value, _ = drawn(params, 20_000, 32)
    x, age, active, predicted = score(params, rows, ahead)
    low, high = interval = ValueBounds(params, ahead).interval(x, age, active, predicted)
    held = randomised_coverage(interval, active, value)
    assert held.mean() == pytest.approx(0.8, abs=0.0085)
    assert np.mean(value > high) == pytest.approx(0.1, abs=0.0085)
    # Below the low bound where there is one: a tenth of those.
    certain = low > 0
    error = 3 * np.sqrt(0.09 / certain.sum())
    assert np.mean(value[certain] < low[certain]) == pytest.approx(0.1, abs=error)


def test_a_value_of_nothing_counts_by_its_part_within():
    # By hand: P(0) = .95 fills (0, .95), of which .1 to .9 is 80/95; P(0) = .5: 40/50; .05: none.
    interval = Interval(np.array([0, 0, 9.0, 9.0, 9.0]), np.array([0, 50.0, 80.0, 80.0, 80.0]))
    active, value = np.array([0.05, 0.5, 0.95, 0.95, 0.95]), np.array([0, 0, 0, 9.0, 80.5])
    found = randomised_coverage(interval, active, value)
    np.testing.assert_allclose(found, [80 / 95, 0.8, 0, 1, 0], rtol=1e-12)


def test_a_value_is_drawn_within_as_often_as_its_chance_says():
    rows, ahead, value, rng = drawn(CDNOW, 200, 34)
    exact = value_interval(CDNOW, *rows, ahead)
    below, until = value_cdf(CDNOW, *rows, ahead, value)
    pit = below + rng.uniform(size=(2_000, value.size)) * (until - below)
    drawn_within = np.mean((pit >= 0.1) & (pit <= 0.9), axis=0)
    chance = randomised_coverage(exact, score(CDNOW, rows, ahead)[2], value)
    np.testing.assert_allclose(drawn_within, chance, atol=0.05)
    assert drawn_within.mean() == pytest.approx(chance.mean(), abs=0.002)


def test_ten_years_of_daily_buyers_take_a_small_table_that_is_exact():
    # A worker makes it between two heartbeats. Of 20,000 numbers, 256 and ln(20000/256)·256 at
    # most are told apart; chances are kept, and each number is within 0.4 % of what stands for it.
    rng = np.random.default_rng(4)
    n = np.arange(1.0, 20_001.0)
    chances = rng.dirichlet(np.ones(n.size), 3)
    merged, means = _merged(chances, n)
    assert means.size < 1_400
    np.testing.assert_allclose(merged.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(merged @ means, chances @ n, rtol=1e-3)
    nearest = np.abs(np.log(means[np.searchsorted(means, n).clip(max=means.size - 1)] / n))
    assert nearest.max() < 0.004
    coffee = replace(CDNOW, r=3.5, alpha=9.0, a=1.4, b=96.0, p=20.0, q=12.0, v=4_600.0)
    rows = np.array([[200.0, 0.0], [400.0, 0.0], [402.0, 1.0], [420.0, 0.0]])
    near = ValueBounds(coffee, 3650.0).interval(*score(coffee, rows, 3650.0))
    exact = value_interval(coffee, *rows, 3650.0)
    # As near as the table between its nodes is for other shops.
    np.testing.assert_allclose(near.low, exact.low, rtol=0.05)
    np.testing.assert_allclose(near.high, exact.high, rtol=0.05)


def test_extremes_are_finite_and_in_order():
    x, age = (v.ravel() for v in np.meshgrid([0.0, 1, 119, 120, 2000], [0.0, 1, 7305, 20_000]))
    bounds = ValueBounds(CDNOW, 365.0)
    for chance in (0.0, 1e-9, 0.1, 0.5, 1.0):
        active = np.full_like(x, chance)
        low, high = bounds.interval(x, age, active, active * 1e4)
        assert np.all(np.isfinite(low) & np.isfinite(high) & (low >= 0) & (low <= high))
