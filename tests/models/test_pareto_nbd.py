from dataclasses import replace

import mpmath as mp
import numpy as np
import pytest

from models.purchase_counts import purchase_chances
from models.purchases import MODELS
from tests.models.test_purchases import PARETO

WEEK = 7.0
pareto_nbd = MODELS["pareto-nbd"]
WEEKS = {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}


def test_golden_values_of_cdnow():
    # MATHS.md, in weeks.
    frequent = (26.0, 30.86 * WEEK, 31 * WEEK)
    expected = pareto_nbd.expected_purchases(PARETO, *frequent, 52 * WEEK)[0]
    assert expected == pytest.approx(25.46, abs=0.01)
    assert pareto_nbd.p_alive(PARETO, *frequent)[0] == pytest.approx(0.9979, abs=1e-4)
    # This one needs more digits of the parameters.
    fitted = replace(PARETO, r=0.5534, alpha=10.5776 * WEEK, s=0.6063, beta=11.6703 * WEEK)
    assert pareto_nbd.p_alive(fitted, 0, 0, 39 * WEEK)[0] == pytest.approx(0.2942, abs=1e-4)


def test_golden_value_of_all_discounted_purchases_to_come():
    # MATHS.md: DERT(7, 35, 77.86; delta .0027) = 1.86418; the unit here is the week throughout,
    # and after 10,000 of them exp(-27) is left.
    params = replace(PARETO, r=0.56300, alpha=12.5590, s=0.40811, beta=10.5148)
    rate = np.expm1(0.0027 * 365)
    dert = pareto_nbd.expected_purchases(params, 7, 35.0, 77.86, 10_000.0, rate)[0]
    assert dert == pytest.approx(1.86418, abs=2e-5)


def test_log_likelihood_of_cdnow(cdnow_weeks):
    # MATHS.md: -9594.98; a density per week.
    x, t_x, age = cdnow_weeks
    days = pareto_nbd.log_likelihood(PARETO, x, t_x * WEEK, age * WEEK)
    assert (days + x * np.log(WEEK)).sum() == pytest.approx(-9594.98, abs=0.01)


def test_agrees_with_lifetimes_on_every_customer(cdnow_weeks):
    import pandas as pd
    from lifetimes import ParetoNBDFitter

    theirs = ParetoNBDFitter()
    theirs.params_ = pd.Series(WEEKS)
    x, t_x, age = cdnow_weeks
    days = (x, t_x * WEEK, age * WEEK)
    np.testing.assert_allclose(
        pareto_nbd.p_alive(PARETO, *days),
        theirs.conditional_probability_alive(x, t_x, age),
        rtol=1e-9,
    )
    for horizon in (1.0, 39.0, 52.0):
        np.testing.assert_allclose(
            pareto_nbd.expected_purchases(PARETO, *days, horizon * WEEK),
            theirs.conditional_expected_number_of_purchases_up_to_time(horizon, x, t_x, age),
            rtol=1e-9,
        )


SCALES = [(74.0, 81.7), (81.7, 74.0), (74.0, 74.0), (400.0, 5.0), (5.0, 400.0)]


@pytest.mark.parametrize("scales", SCALES)
@pytest.mark.parametrize("s", [0.05, 0.606, 1.0, 3.3])
def test_p_alive_agrees_with_50_digits(scales, s):
    alpha, beta = scales
    params = replace(PARETO, alpha=alpha, beta=beta, s=s)
    rows = [
        (0, 0, 0),
        (0, 0, 7305),
        (1, 3, 300),
        (26, 216, 217),
        (400, 7000, 7305),
        (2000, 365, 366),
    ]
    got = pareto_nbd.p_alive(params, *np.array(rows, dtype=float).T)

    def tail(x, y):  # the paper's integral from y on, before any transformation
        m = mp.mpf(params.r) + mp.mpf(s) + x
        if alpha >= beta:
            series = mp.hyp2f1(m, mp.mpf(s) + 1, m + 1, (mp.mpf(alpha) - beta) / (alpha + y))
            return series / m / (mp.mpf(alpha) + y) ** m
        series = mp.hyp2f1(m, mp.mpf(params.r) + x, m + 1, (mp.mpf(beta) - alpha) / (beta + y))
        return series / m / (mp.mpf(beta) + y) ** m

    with mp.workdps(50):
        for (x, t_x, age), value in zip(rows, got, strict=True):
            there = (mp.mpf(alpha) + age) ** (-mp.mpf(params.r) - x) * (
                mp.mpf(beta) + age
            ) ** -mp.mpf(s)
            left = mp.mpf(s) * (tail(x, t_x) - tail(x, age))
            assert value == pytest.approx(float(there / (there + left)), rel=1e-9), (x, t_x, age)


FAR_APART = [
    # Where s or r is whole, SciPy's 2F1 may be infinite, or wrong from the fifth digit on.
    {"r": 0.3132, "alpha": 1369.0, "s": 1.0, "beta": 1.393},
    {"r": 0.3, "alpha": 3030.0, "s": 2.0, "beta": 0.0717},
    {"r": 1.0, "alpha": 0.13, "s": 0.6479, "beta": 713.0},
    {"r": 2.0, "alpha": 0.0496, "s": 0.9064, "beta": 51.9},
    {"r": 19.09, "alpha": 444.0, "s": 1.0 + 1e-12, "beta": 1.0},
]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("changed", FAR_APART, ids=lambda c: f"r={c['r']},s={c['s']}")
def test_p_alive_where_the_scales_are_far_apart(changed):
    params = replace(PARETO, **changed)
    rows = [(0, 0, 1), (0, 0, 10), (0, 0, 50), (0, 0, 848), (1, 2, 30), (5, 1, 40)]
    got = pareto_nbd.p_alive(params, *np.array(rows, dtype=float).T)
    r, s, alpha, beta = (mp.mpf(changed[name]) for name in ("r", "s", "alpha", "beta"))
    with mp.workdps(30):
        for (x, t_x, age), value in zip(rows, got, strict=True):
            # The integral over when the customer left, before any closed form.
            def density(u, x=x):
                return s * (alpha + u) ** (-r - x) * (beta + u) ** (-s - 1)

            edges = [t_x + (age - t_x) * mp.mpf(4) ** -k for k in range(12, -1, -1)]
            left = mp.quad(density, [t_x, *edges])
            there = (alpha + age) ** (-r - x) * (beta + age) ** -s
            assert value == pytest.approx(float(there / (there + left)), rel=1e-9), (x, t_x, age)


@pytest.mark.parametrize("scales", SCALES)
@pytest.mark.parametrize("x", [0, 5, 2000])
@pytest.mark.parametrize("horizon", [1.0, 3650.0])
def test_p_active_agrees_with_20_digits(scales, x, horizon):
    alpha, beta = scales
    params = replace(PARETO, alpha=alpha, beta=beta)
    for age in (0.0, 7305.0):
        got = pareto_nbd.p_active(params, x, age, age, horizon)[0]  # certain to be there
        assert got == pytest.approx(next_purchase(params, x, age, horizon), rel=1e-9)


def next_purchase(params, x, age, horizon):
    with mp.workdps(20):
        shape = mp.mpf(params.r) + x
        since, until = mp.mpf(params.alpha) + age, mp.mpf(params.beta) + age
        scale = min(since / shape, until) / 4
        edges = [0, *(e for e in (scale * 4**k for k in range(9)) if e < horizon), horizon]

        def density(u):
            return shape / since * (1 + u / since) ** (-shape - 1) * (1 + u / until) ** -params.s

        return float(mp.quad(density, edges))


@pytest.mark.parametrize("s", [1.0, 1.0 + 1e-9, 1.0 - 1e-5, 0.606])
def test_expected_purchases_near_s_of_one(s):
    params = replace(PARETO, s=s)
    with mp.workdps(50):
        since, until = mp.mpf(params.alpha) + 100, mp.mpf(params.beta) + 100
        lasting = mp.quad(lambda u: (1 + u / until) ** -mp.mpf(s), [0, 100, 365])
        true = (mp.mpf(params.r) + 3) / since * lasting
    got = pareto_nbd.expected_purchases(params, 3, 100.0, 100.0, 365.0)[0]
    assert got == pytest.approx(float(true), rel=1e-12)


STEEP = [
    # r, alpha, s, beta, horizon: by steep lifetimes nodes over the whole horizon saw nothing.
    (6.43, 0.295, 85.9, 68.0, 365.0),
    (0.989, 0.153, 67.5, 0.13, 3660.0),
    (1.0, 1.0, 2000.0, 500.0, 3660.0),
    (200.0, 100.0, 200.0, 100.0, 365.0),
]


@pytest.mark.parametrize(("r", "alpha", "s", "beta", "horizon"), STEEP)
def test_steep_lifetimes_are_integrated_where_they_are(r, alpha, s, beta, horizon):
    params = replace(PARETO, r=r, alpha=alpha, s=s, beta=beta)
    got = pareto_nbd.forecast(params, *np.zeros((3, 1)), horizon, 1.0)
    discount = mp.log(2) / 365
    edges = [0, *(horizon * mp.mpf(2) ** -k for k in range(22, -1, -1))]
    with mp.workdps(20):

        def rate(u):
            return mp.exp(-discount * u) * (1 + u / mp.mpf(beta)) ** -mp.mpf(s) * r / alpha

        def density(u):
            waited = (1 + u / mp.mpf(alpha)) ** (-mp.mpf(r) - 1) * r / alpha
            return waited * (1 + u / mp.mpf(beta)) ** -mp.mpf(s)

        purchases, active = float(mp.quad(rate, edges)), float(mp.quad(density, edges))
    assert got.expected_purchases[0] == pytest.approx(purchases, rel=1e-11)
    assert got.p_active[0] == pytest.approx(active, rel=1e-11)


@pytest.mark.parametrize(("r", "alpha", "s", "beta", "horizon"), STEEP[:2])
def test_chances_of_all_counts_add_up_where_lifetimes_are_steep(r, alpha, s, beta, horizon):
    params = replace(PARETO, r=r, alpha=alpha, s=s, beta=beta)
    chances = purchase_chances(params, *np.zeros((3, 1)), horizon, 2_000)
    assert chances.sum() == pytest.approx(1.0, abs=1e-8)
    purchases = pareto_nbd.expected_purchases(params, 0, 0, 0, horizon)[0]
    assert (chances[0] * np.arange(2_001)).sum() == pytest.approx(purchases, rel=1e-6)
