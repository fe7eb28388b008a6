import numpy as np
import pytest

from models.simulation import simulate_customers
from tests.models.test_purchases import BG, CDNOW, PARETO, every_model


@every_model
def test_the_same_seed_gives_the_same_customers(params):
    one, two = (simulate_customers(params, 50, 300.0, np.random.default_rng(4)) for _ in "ab")
    for name in one.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


@every_model
def test_what_is_drawn_is_consistent(params):
    shop = simulate_customers(params, 5000, 400.0, np.random.default_rng(5), 100.0)
    first = np.flatnonzero(np.diff(shop.customer, prepend=-1))
    assert np.array_equal(shop.customer[first], np.arange(5000))
    np.testing.assert_array_equal(shop.at_days[first], shop.started_days)
    assert shop.started_days.max() <= 100 < shop.at_days.max() <= 400
    same = np.diff(shop.customer) == 0
    assert np.all(np.diff(shop.at_days)[same] >= 0)
    assert np.all(shop.at_days <= shop.lost_days[shop.customer])
    assert np.all((shop.lost_days <= 400) | np.isinf(shop.lost_days))
    assert shop.amount_minor.min() >= 1


def test_who_is_lost_at_once():
    # MBG/NBD loses a/(a + b) of the customers right after the first purchase; BG/NBD none;
    # Pareto/NBD loses its customers between purchases.
    n = 100_000
    lost = {}
    for params in (CDNOW, BG, PARETO):
        shop = simulate_customers(params, n, 365.0, np.random.default_rng(6))
        lost[params.model] = np.mean(shop.lost_days == shop.started_days)
    assert lost["mbg-nbd"] == pytest.approx(CDNOW.a / (CDNOW.a + CDNOW.b), abs=0.005)
    assert lost["bg-nbd"] == lost["pareto-nbd"] == 0


def test_order_values_have_the_mean_of_the_model():
    shop = simulate_customers(CDNOW, 200_000, 30.0, np.random.default_rng(7))
    mean = CDNOW.p * CDNOW.v / (CDNOW.q - 1)
    error = shop.order_value_minor.std() / np.sqrt(200_000)
    assert abs(shop.order_value_minor.mean() - mean) < 4 * error
    repeat = np.diff(shop.customer, prepend=-1) == 0
    drift = shop.amount_minor / shop.order_value_minor[shop.customer]
    assert drift[~repeat].mean() == pytest.approx(1, abs=0.005)
