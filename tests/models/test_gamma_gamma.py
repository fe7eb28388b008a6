import numpy as np
import pytest

from models.gamma_gamma import expected_order_value, log_likelihood
from models.parameters import CDNOW

# Fader & Hardie (2013), section 2.
POPULATION_MEAN = CDNOW.p * CDNOW.v / (CDNOW.q - 1)


def test_golden_values_of_cdnow():
    # Fader & Hardie (2013), as MATHS.md gives them: mean 35.2, and 24.66 for x = 2, m = 22.35.
    assert pytest.approx(35.2, abs=0.05) == POPULATION_MEAN / 100
    assert expected_order_value(CDNOW, [2.0], [2235.0])[0] / 100 == pytest.approx(24.66, abs=0.01)


def test_without_repeat_orders_it_is_the_population_mean():
    for nothing in (0.0, np.nan, 1e9):
        assert expected_order_value(CDNOW, [0.0], [nothing])[0] == POPULATION_MEAN


def test_much_data_overrules_the_population():
    assert expected_order_value(CDNOW, [2000.0], [9900.0])[0] == pytest.approx(9900.0, rel=1e-3)


def test_the_prior_is_the_mean_over_the_population():
    # Identity: over customers drawn from the model, the posterior mean averages to the prior's.
    rng = np.random.default_rng(5)
    n = 400_000
    rates = rng.gamma(CDNOW.q, 1 / CDNOW.v, n)
    x = rng.integers(1, 6, n).astype(float)
    m = rng.gamma(CDNOW.p * x) / (x * rates)
    mean = expected_order_value(CDNOW, x, m)
    error = mean.std() / np.sqrt(n)
    assert abs(mean.mean() - POPULATION_MEAN) < 4 * error


def test_agrees_with_lifetimes_on_every_customer(cdnow_spend):
    from lifetimes import GammaGammaFitter

    x, m = cdnow_spend
    theirs = GammaGammaFitter()
    import pandas as pd

    theirs.params_ = pd.Series({"p": CDNOW.p, "q": CDNOW.q, "v": CDNOW.v / 100})
    expected = theirs.conditional_expected_average_profit(x, m)
    np.testing.assert_allclose(
        expected_order_value(CDNOW, x, m * 100) / 100, np.asarray(expected), rtol=1e-12
    )


def test_log_likelihood_of_cdnow(cdnow_spend):
    # MATHS.md: -4055.92 over the 946 repeat customers, at parameters rounded as given there.
    repeat = cdnow_spend.frequency > 0
    total = log_likelihood(6.25, 3.74, 15.44, *(v[repeat] for v in cdnow_spend)).sum()
    assert repeat.sum() == 946
    assert total == pytest.approx(-4055.92, abs=0.01)


def test_the_density_integrates_to_one():
    m = np.exp(np.linspace(-20, 25, 20_001))
    density = np.exp(log_likelihood(6.25, 3.74, 15.44, np.full_like(m, 3.0), m))
    assert np.trapezoid(density * m, np.log(m)) == pytest.approx(1, abs=1e-9)
