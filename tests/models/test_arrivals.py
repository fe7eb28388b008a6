import numpy as np
import pytest

from models._arrivals import log_rising
from models.parameters import ModelParams
from models.purchases import model_for


# mpmath 1.4.1 with 40 digits: loggamma(base + by) - loggamma(base).
@pytest.mark.parametrize(
    ("base", "by", "logarithm"),
    [
        (0.5, 3, 0.62860865942237413774),
        (2.5, 40, 115.61538759994161096),
        (99.9, 7, 32.434980862197548521),
        (100, 7, 32.44178284775422085),
        (123.25, 2000, 13670.812239504962816),
        (1e6, 20, 276.31040115805049412),
        (1e9, 400, 8289.3064145785538358),
    ],
)
def test_rising_factorials_keep_their_digits(base, by, logarithm):
    assert log_rising(base, by) == pytest.approx(logarithm, rel=1e-14)


def test_a_whole_rising_factorial_is_a_product():
    # gamma(z + n)/gamma(z) = z·(z + 1)···(z + n - 1): Abramowitz & Stegun (1964), eq. 6.1.22.
    for base in (0.01, 7.0, 99.0, 101.0, 3e7):
        logs = np.log(base + np.arange(30))
        rising = log_rising(np.full(31, base), np.arange(31.0))
        np.testing.assert_allclose(rising, np.append(0.0, np.cumsum(logs)), rtol=1e-13, atol=1e-13)


def test_a_likelihood_of_customers_who_hardly_differ_keeps_its_digits():
    # mpmath with 40 digits, by eq. 4 of Batislam, Denizel & Filiztekin (2007) as it is written.
    params = ModelParams(
        model="mbg-nbd", r=1e6, alpha=3e7, a=2.0, b=1e6, p=6.0, q=4.0, v=1500.0, currency="EUR"
    )
    row = np.array([[12.0], [350.0], [400.0]])
    density = model_for(params).log_likelihood(params, *row)
    assert density[0] == pytest.approx(-54.147722435396618152, rel=1e-13)
