from dataclasses import replace

import numpy as np
import pytest

from models import mbg_nbd
from models.parameters import CDNOW
from models.summaries import InvalidSummary
from tests.models import exact

WEEK = 7.0


def test_the_deadline_of_cdnow_is_the_published_one():
    # MATHS.md: x = 2, t_x = 30.43 weeks, threshold .5 gives 57.56 weeks.
    age = mbg_nbd.age_at_p_alive(CDNOW, [2.0], [30.43 * WEEK], 0.5)
    assert age[0] / WEEK == pytest.approx(57.56, abs=0.01)
    assert mbg_nbd.p_alive(CDNOW, [2.0], [30.43 * WEEK], age)[0] == pytest.approx(0.5, rel=1e-12)


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


def random_rows(n, seed=3):
    rng = np.random.default_rng(seed)
    x = rng.negative_binomial(0.5, 0.05, n).astype(float)
    age = rng.uniform(0, 7305, n)
    return x, age * rng.uniform(0, 1, n), age


def test_the_fused_form_says_what_the_single_ones_say():
    rows = random_rows(500)
    for rate in (0.0, 0.07):
        fused = mbg_nbd.forecast(CDNOW, *rows, 365.0, rate)
        np.testing.assert_array_equal(fused.p_alive, mbg_nbd.p_alive(CDNOW, *rows))
        np.testing.assert_array_equal(fused.p_active, mbg_nbd.p_active(CDNOW, *rows, 365.0))
        np.testing.assert_array_equal(
            fused.expected_purchases, mbg_nbd.expected_purchases(CDNOW, *rows, 365.0, rate)
        )


def test_bounds_and_order():
    rows = random_rows(5000)
    alive, active, expected = mbg_nbd.forecast(CDNOW, *rows, 365.0)
    assert np.all((alive >= 0) & (alive <= 1))
    assert np.all((active >= 0) & (active <= alive))
    assert np.all(expected >= active * (1 - 1e-12))  # E[Y] >= P(Y >= 1)
    discounted = mbg_nbd.expected_purchases(CDNOW, *rows, 365.0, 0.1)
    assert np.all((discounted <= expected) & (discounted >= expected / 1.1 * (1 - 1e-12)))


def test_silence_lowers_every_figure():
    age = np.linspace(100.0, 7305.0, 4001)
    for x in (0.0, 1.0, 30.0):
        forecast = mbg_nbd.forecast(CDNOW, np.full_like(age, x), np.full_like(age, 100), age, 365.0)
        for figure in forecast:
            # Strictly, until it underflows.
            assert np.all((np.diff(figure) < 0) | (figure[1:] < 1e-250))


def test_no_horizon_no_purchases():
    rows = random_rows(50)
    for rate in (0.0, 0.1):
        assert not mbg_nbd.expected_purchases(CDNOW, *rows, 0.0, rate).any()
    assert not mbg_nbd.p_active(CDNOW, *rows, 0.0).any()


def test_a_horizon_split_in_two_gives_the_same_total():
    # The tower: E[Y(s+t)] = E[Y(s)] + E[E[Y(t) | state at s]], exactly, by summing over what
    # can happen until s: n more purchases, the last at tau, of density L'/L·(tau-T)^(n-1)/(n-1)!.
    from scipy.special import gammaln

    for x, t_x, age, s, t in ((0.0, 0.0, 0.0, 60.0, 300.0), (2.0, 80.0, 120.0, 40.0, 365.0)):
        now = mbg_nbd.log_likelihood(CDNOW, *np.array([[x], [t_x], [age]]))[0]
        quiet = np.exp(mbg_nbd.log_likelihood(CDNOW, *np.array([[x], [t_x], [age + s]]))[0] - now)
        later = quiet * mbg_nbd.expected_purchases(CDNOW, x, t_x, age + s, t)[0]
        chance = quiet
        nodes, weights = np.polynomial.legendre.leggauss(60)
        tau = age + s * (nodes + 1) / 2
        for n in range(1, 120):
            rows = (np.full_like(tau, x + n), tau, np.full_like(tau, age + s))
            log_density = mbg_nbd.log_likelihood(CDNOW, *rows) - now
            log_density += (n - 1) * np.log(tau - age) - gammaln(n)
            density = np.exp(log_density) * weights * s / 2
            chance += density.sum()
            later += density @ mbg_nbd.expected_purchases(CDNOW, *rows, t)
        assert chance == pytest.approx(1, abs=1e-9)
        whole = mbg_nbd.expected_purchases(CDNOW, x, t_x, age, s + t)[0]
        first = mbg_nbd.expected_purchases(CDNOW, x, t_x, age, s)[0]
        assert first + later == pytest.approx(whole, rel=1e-9)
        assert 1 - quiet == pytest.approx(mbg_nbd.p_active(CDNOW, x, t_x, age, s)[0], rel=1e-12)


def test_median_wait_is_the_median():
    x, t_x, age = random_rows(20)
    wait = mbg_nbd.expected_next_purchase_days(CDNOW, x, age)
    for row in zip(x, t_x, age, wait, strict=True):
        ratio = mbg_nbd.p_active(CDNOW, *row)[0] / mbg_nbd.p_alive(CDNOW, *row[:3])[0]
        assert ratio == pytest.approx(0.5, rel=1e-10)


@pytest.mark.parametrize("row", [(-1, 0, 0), (1, -1, 1), (1, 2, 1), (np.nan, 0, 1), (0, 0, np.inf)])
def test_impossible_summaries_are_refused(row):
    with pytest.raises(InvalidSummary):
        mbg_nbd.p_alive(CDNOW, *row)


@pytest.mark.parametrize(("horizon", "rate"), [(-1.0, 0.0), (np.inf, 0.0), (1.0, -1.0)])
def test_impossible_horizons_are_refused(horizon, rate):
    with pytest.raises(InvalidSummary):
        mbg_nbd.expected_purchases(CDNOW, 0, 0, 1, horizon, rate)
