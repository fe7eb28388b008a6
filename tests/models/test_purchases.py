"""What holds for every purchase model."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import gammaln

from models.parameters import CDNOW, ModelParams
from models.purchases import MODELS, forecast_for, model_for
from models.simulation import simulate_customers
from models.summaries import InvalidSummary

SPEND = {"p": CDNOW.p, "q": CDNOW.q, "v": CDNOW.v, "currency": "USD"}
# MATHS.md: each model fitted to CDNOW, in weeks.
BG = ModelParams(model="bg-nbd", r=0.243, alpha=7 * 4.414, a=0.793, b=2.426, **SPEND)
PARETO = ModelParams(
    model="pareto-nbd", r=0.553, alpha=7 * 10.578, s=0.606, beta=7 * 11.669, **SPEND
)

every_model = pytest.mark.parametrize("params", [CDNOW, BG, PARETO], ids=lambda p: p.model)


def random_rows(n, seed=3):
    rng = np.random.default_rng(seed)
    x = rng.negative_binomial(0.5, 0.05, n).astype(float)
    age = rng.uniform(0, 7305, n)
    return x, age * rng.uniform(0, 1, n), age


def test_the_models_are_found_by_name():
    assert model_for(CDNOW) is MODELS["mbg-nbd"]
    assert forecast_for(PARETO) == MODELS["pareto-nbd"].forecast
    assert set(MODELS) == {"mbg-nbd", "bg-nbd", "pareto-nbd"}


@every_model
def test_the_fused_form_says_what_the_single_ones_say(params):
    rows, model = random_rows(500), model_for(params)
    for rate in (0.0, 0.07):
        fused = model.forecast(params, *rows, 365.0, rate)
        np.testing.assert_array_equal(fused.p_alive, model.p_alive(params, *rows))
        np.testing.assert_array_equal(fused.p_active, model.p_active(params, *rows, 365.0))
        np.testing.assert_array_equal(
            fused.expected_purchases, model.expected_purchases(params, *rows, 365.0, rate)
        )


@every_model
def test_a_row_does_not_depend_on_its_batch(params):
    # One event at a time and any batching must agree: to the last bit.
    rows, model = random_rows(200), model_for(params)
    for rate in (0.0, 0.07):
        batch = model.forecast(params, *rows, 365.0, rate)
        alone = [
            model.forecast(params, *(v[i : i + 1] for v in rows), 365.0, rate) for i in range(200)
        ]
        for name in batch._fields:
            singles = np.concatenate([getattr(one, name) for one in alone])
            np.testing.assert_array_equal(getattr(batch, name), singles)


@every_model
def test_bounds_and_order(params):
    rows, model = random_rows(5000), model_for(params)
    alive, active, expected = model.forecast(params, *rows, 365.0)
    assert np.all((alive >= 0) & (alive <= 1))
    assert np.all((active >= 0) & (active <= alive))
    assert np.all(expected >= active * (1 - 1e-11))  # E[Y] >= P(Y >= 1)
    discounted = model.expected_purchases(params, *rows, 365.0, 0.1)
    assert np.all((discounted <= expected) & (discounted >= expected / 1.1 * (1 - 1e-11)))


@every_model
def test_silence_lowers_every_figure(params):
    age = np.linspace(100.0, 7305.0, 4001)
    for x in (0.0, 1.0, 30.0):
        forecast = forecast_for(params)(
            params, np.full_like(age, x), np.full_like(age, 100), age, 365.0
        )
        for name, figure in forecast._asdict().items():
            if params.model == "bg-nbd" and x == 0 and name == "p_alive":
                assert np.all(figure == 1)  # BG/NBD never loses a one-time buyer
            else:  # strictly, until it underflows
                assert np.all((np.diff(figure) < 0) | (figure[1:] < 1e-250)), (x, name)


@every_model
def test_extremes_are_finite(params):
    # x = 0 and 2,000; ages from none to 20 years; the last purchase now or all that time ago.
    x, age = np.meshgrid([0.0, 1.0, 2000.0], [0.0, 1e-5, 1.0, 365.0, 7305.0])
    x, age = x.ravel(), age.ravel()
    for t_x in (np.zeros_like(age), age):
        for horizon in (1.0, 365.0, 7305.0):
            for rate in (0.0, 0.25):
                for figure in forecast_for(params)(params, x, t_x, age, horizon, rate):
                    assert np.all(np.isfinite(figure) & (figure >= 0))


@every_model
def test_no_horizon_no_purchases(params):
    rows, model = random_rows(50), model_for(params)
    for rate in (0.0, 0.1):
        assert not model.expected_purchases(params, *rows, 0.0, rate).any()
    assert not model.p_active(params, *rows, 0.0).any()


@every_model
@pytest.mark.parametrize("row", [(0.0, 0.0, 0.0, 60.0, 300.0), (2.0, 80.0, 120.0, 40.0, 365.0)])
def test_a_horizon_split_in_two_gives_the_same_total(params, row):
    # The tower: E[Y(s+t)] = E[Y(s)] + E[E[Y(t) | state at s]], exactly, by summing over what
    # can happen until s: n more purchases, the last at tau, of density L'/L·(tau-T)^(n-1)/(n-1)!.
    model = model_for(params)
    x, t_x, age, s, t = row
    now = model.log_likelihood(params, *np.array([[x], [t_x], [age]]))[0]
    quiet = np.exp(model.log_likelihood(params, *np.array([[x], [t_x], [age + s]]))[0] - now)
    later = quiet * model.expected_purchases(params, x, t_x, age + s, t)[0]
    chance = quiet
    nodes, weights = np.polynomial.legendre.leggauss(60)
    tau = age + s * (nodes + 1) / 2
    for n in range(1, 120):
        rows = (np.full_like(tau, x + n), tau, np.full_like(tau, age + s))
        log_density = model.log_likelihood(params, *rows) - now
        log_density += (n - 1) * np.log(tau - age) - gammaln(n)
        density = np.exp(log_density) * weights * s / 2
        chance += density.sum()
        later += density @ model.expected_purchases(params, *rows, t)
    assert chance == pytest.approx(1, abs=1e-9)
    whole = model.expected_purchases(params, x, t_x, age, s + t)[0]
    first = model.expected_purchases(params, x, t_x, age, s)[0]
    assert first + later == pytest.approx(whole, rel=1e-9)
    assert 1 - quiet == pytest.approx(model.p_active(params, x, t_x, age, s)[0], rel=1e-9)


@every_model
def test_simulated_customers_do_what_is_expected(params):
    # 200,000 customers watched for 300 days, then for 365 more.
    n, seen, ahead = 200_000, 300.0, 365.0
    shop = simulate_customers(params, n, seen + ahead, np.random.default_rng(11), 200.0)
    past = shop.at_days <= seen
    x = np.bincount(shop.customer[past], minlength=n) - 1.0
    last = np.zeros(n)
    np.maximum.at(last, shop.customer[past], shop.at_days[past])
    rows = (x, last - shop.started_days, seen - shop.started_days)
    later = np.bincount(shop.customer[~past], minlength=n)
    alive, active, expected = forecast_for(params)(params, *rows, ahead)
    # Overall and by what is known, within four standard errors.
    for group in (x >= 0, x == 0, x == 1, (x >= 2) & (x <= 4), x > 4, seen - last > 150):
        for guess, truth in (
            (alive, shop.lost_days > seen),
            (active, later > 0),
            (expected, later),
        ):
            miss = (truth - guess)[group]
            assert abs(miss.mean()) <= 4 * miss.std() / np.sqrt(group.sum())


@every_model
def test_median_wait_is_the_median(params):
    if params.model == "pareto-nbd":  # there the customer may leave first: make that never happen
        params = replace(params, s=1e-9)
    model = model_for(params)
    x, t_x, age = random_rows(20)
    wait = model.expected_next_purchase_days(params, x, age)
    for row in zip(x, t_x, age, wait, strict=True):
        ratio = model.p_active(params, *row)[0] / model.p_alive(params, *row[:3])[0]
        assert ratio == pytest.approx(0.5, rel=1e-6)


@pytest.mark.parametrize("row", [(-1, 0, 0), (1, -1, 1), (1, 2, 1), (np.nan, 0, 1), (0, 0, np.inf)])
@every_model
def test_impossible_summaries_are_refused(params, row):
    with pytest.raises(InvalidSummary):
        model_for(params).p_alive(params, *row)


@pytest.mark.parametrize(("horizon", "rate"), [(-1.0, 0.0), (np.inf, 0.0), (1.0, -1.0)])
@every_model
def test_impossible_horizons_are_refused(params, horizon, rate):
    with pytest.raises(InvalidSummary):
        model_for(params).expected_purchases(params, 0, 0, 1, horizon, rate)
