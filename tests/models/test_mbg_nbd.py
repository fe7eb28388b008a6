from dataclasses import replace

import numpy as np
import pytest

from models.parameters import CDNOW
from models.purchases import MODELS
from tests.models import exact

WEEK = 7.0
mbg_nbd = MODELS["mbg-nbd"]


def test_the_deadline_of_cdnow_is_the_published_one():
    # MATHS.md: x = 2, t_x = 30.43 weeks, threshold .5 gives 57.56 weeks.
    # A hundredth of a week is 1e-4 of p_alive there.
    alive = mbg_nbd.p_alive(CDNOW, 2.0, 30.43 * WEEK, 57.56 * WEEK)
    assert alive[0] == pytest.approx(0.5, abs=1e-4)


def test_log_likelihood_of_cdnow(cdnow_weeks):
    # MATHS.md: -9582.14 at parameters rounded as given there; a density per week.
    x = cdnow_weeks.frequency
    days = mbg_nbd.log_likelihood(CDNOW, x, cdnow_weeks.recency * WEEK, cdnow_weeks.age * WEEK)
    assert (days + x * np.log(WEEK)).sum() == pytest.approx(-9582.14, abs=0.01)


def test_agrees_with_lifetimes_on_every_customer(cdnow_weeks):
    import pandas as pd
    from lifetimes import ModifiedBetaGeoFitter

    theirs = ModifiedBetaGeoFitter()
    weeks = {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614}
    theirs.params_ = pd.Series(weeks)
    x, t_x, age = cdnow_weeks
    days = (x, t_x * WEEK, age * WEEK)
    np.testing.assert_allclose(
        mbg_nbd.p_alive(CDNOW, *days),
        theirs.conditional_probability_alive(x, t_x, age),
        rtol=1e-9,
    )
    for horizon in (1.0, 39.0, 52.0):
        np.testing.assert_allclose(
            mbg_nbd.expected_purchases(CDNOW, *days, horizon * WEEK),
            theirs.conditional_expected_number_of_purchases_up_to_time(horizon, x, t_x, age),
            rtol=1e-9,
        )


EXACT_ROWS = [
    # x, t_x, T in days: new, one-time for 20 years, x = 2,000, two purchases on one day.
    (0, 0.0, 0.0),
    (0, 0.4, 0.5),
    (0, 0.0, 7305.0),
    (1, 3.0, 300.0),
    (2, 213.0, 272.0),
    (26, 216.0, 217.0),
    (400, 7000.0, 7305.0),
    (2000, 7300.0, 7305.0),
    (2000, 365.0, 365.0),
]
EXACT_PARAMS = [
    CDNOW,
    replace(CDNOW, a=1.0),
    replace(CDNOW, a=1.0 + 1e-9),
    replace(CDNOW, a=1.0 - 1e-4),
    replace(CDNOW, a=0.2, b=0.3),
    replace(CDNOW, a=3.5, b=0.4),
    replace(CDNOW, a=0.05, b=12.0, r=3.0, alpha=400.0),
]


def exactly(params, x, t_x, age, horizon, discount=0):
    alive = exact.mbg_p_alive(params.r, params.alpha, params.a, params.b, x, t_x, age)
    there = (
        params.a,
        exact.mp.mpf(params.b) + x + 1,
        exact.mp.mpf(params.r) + x,
        exact.mp.mpf(params.alpha) + age,
        horizon,
    )
    if discount:
        return float(alive * exact.discounted_beta_geometric_purchases(*there, discount))
    return float(alive * exact.beta_geometric_purchases(*there))


@pytest.mark.parametrize("params", EXACT_PARAMS, ids=lambda p: f"a={p.a}")
@pytest.mark.parametrize("horizon", [1.0, 365.0, 3650.0])
def test_expected_purchases_agree_with_50_digits(params, horizon):
    got = mbg_nbd.expected_purchases(params, *np.array(EXACT_ROWS).T, horizon)
    for row, value in zip(EXACT_ROWS, got, strict=True):
        assert value == pytest.approx(exactly(params, *row, horizon), rel=1e-9, abs=1e-300), row


@pytest.mark.parametrize("params", EXACT_PARAMS[:2], ids=lambda p: f"a={p.a}")
def test_discounted_purchases_agree_with_50_digits(params):
    rows = [(0, 0.0, 0.0), (2, 213.0, 272.0), (40, 7000.0, 7305.0)]
    got = mbg_nbd.expected_purchases(params, *np.array(rows).T, 365.0, 0.1)
    discount = exact.mp.log1p(exact.mp.mpf("0.1")) / 365
    for row, value in zip(rows, got, strict=True):
        assert value == pytest.approx(exactly(params, *row, 365.0, discount), rel=1e-9), row


def test_probabilities_agree_with_50_digits():
    alive = mbg_nbd.p_alive(CDNOW, *np.array(EXACT_ROWS).T)
    active = mbg_nbd.p_active(CDNOW, *np.array(EXACT_ROWS).T, 365.0)
    for (x, t_x, age), p_alive, p_active in zip(EXACT_ROWS, alive, active, strict=True):
        there = exact.mbg_p_alive(CDNOW.r, CDNOW.alpha, CDNOW.a, CDNOW.b, x, t_x, age)
        since = exact.mp.mpf(CDNOW.alpha) + age
        buys = 1 - (since / (since + 365)) ** (exact.mp.mpf(CDNOW.r) + x)
        assert p_alive == pytest.approx(float(there), rel=1e-9, abs=1e-300)
        assert p_active == pytest.approx(float(there * buys), rel=1e-9, abs=1e-300)


OVERFLOWING = [
    # Large b, as where hardly anybody leaves; large a; both; a below 1; r - a a whole number.
    {"r": 1.181, "alpha": 1.394, "a": 1.052, "b": 280.0},
    {"r": 0.3, "alpha": 2.0, "a": 0.05, "b": 400.0},
    {"r": 2.0, "alpha": 1.0, "a": 150.0, "b": 0.7},
    {"r": 1.5, "alpha": 3.0, "a": 101.5, "b": 40.0},
    {"r": 0.5, "alpha": 0.5, "a": 300.0, "b": 300.0},
]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("changed", OVERFLOWING, ids=lambda c: f"a={c['a']},b={c['b']}")
def test_expected_purchases_where_the_hypergeometric_function_overflows(changed):
    params = replace(CDNOW, **changed)
    # Among customers for whom it does not: each figure is the same without the others.
    rows = [(0, 0.0, 0.0), (3, 10.0, 10.0), (1, 300.0, 900.0)]
    got = mbg_nbd.expected_purchases(params, *np.array(rows).T, 3650.0)
    for row, value in zip(rows, got, strict=True):
        assert value == pytest.approx(exactly(params, *row, 3650.0), rel=1e-9), row
        assert value == mbg_nbd.expected_purchases(params, *row, 3650.0)[0]


@pytest.mark.filterwarnings("error")
def test_discounted_purchases_where_the_hypergeometric_function_overflows():
    params = replace(CDNOW, **OVERFLOWING[0])
    got = mbg_nbd.expected_purchases(params, 0, 0.0, 0.0, 730.0, 0.1)[0]
    discount = exact.mp.log1p(exact.mp.mpf("0.1")) / 365
    assert got == pytest.approx(exactly(params, 0, 0.0, 0.0, 730.0, discount), rel=1e-9)


@pytest.mark.parametrize(
    ("r", "a", "b"), [(50.0, 1.0, 2.0), (1000.0, 1.0, 2.0), (400.0, 20.0, 3.0)]
)
def test_discounted_purchases_of_a_steady_rate(r, a, b):
    # Everyone buys once a day, and the first days are all there is: too few nodes saw them.
    params = replace(CDNOW, r=r, alpha=r, a=a, b=b)
    got = mbg_nbd.expected_purchases(params, 0, 0, 0, 365.0, 0.1)[0]
    with exact.mp.workdps(20):
        discount = exact.mp.log1p(exact.mp.mpf("0.1")) / 365

        def rate(u):  # E[lambda·exp(-lambda·p·u)], Abramowitz & Stegun (1964), 15.3.1
            left = exact.mp.hyp2f1(r + 1, a, a + b + 1, -exact.mp.mpf(u) / r)
            return exact.mp.exp(-discount * u) * left

        edges = [0, *(365 * exact.mp.mpf(2) ** -k for k in range(14, -1, -1))]
        true = exact.mp.quad(rate, edges) * b / (a + b)
    assert got == pytest.approx(float(true), rel=1e-10)
