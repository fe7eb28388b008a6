from dataclasses import replace

import numpy as np
import pytest

from models.purchases import MODELS
from tests.models import exact
from tests.models.test_mbg_nbd import EXACT_ROWS
from tests.models.test_purchases import BG

WEEK = 7.0
bg_nbd = MODELS["bg-nbd"]
WEEKS = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}


def test_golden_values_of_cdnow():
    # Fader, Hardie & Lee (2005), as MATHS.md gives them, in weeks.
    one = (2.0, 30.43 * WEEK, 38.86 * WEEK)
    expected = bg_nbd.expected_purchases(BG, *one, 39 * WEEK)
    assert expected[0] == pytest.approx(1.2260, abs=2e-4)
    # These need more digits of the parameters.
    fitted = replace(BG, r=0.242595, alpha=4.413532 * WEEK, a=0.792886, b=2.425895)
    for weeks, purchases in ((1, 0.0532), (32, 1.0437), (78, 1.8576)):
        new = bg_nbd.expected_purchases(fitted, 0, 0, 0, weeks * WEEK)[0]
        assert new == pytest.approx(purchases, abs=5e-4)
    frequent = (26.0, 30.86 * WEEK, 31 * WEEK)
    assert bg_nbd.expected_purchases(BG, *frequent, 52 * WEEK)[0] == pytest.approx(25.758, abs=0.01)
    assert bg_nbd.p_alive(BG, *frequent)[0] == pytest.approx(0.9689, abs=2e-4)
    # The deadline at a threshold of .5; in weeks, a hundredth of which is 1e-4 of p_alive.
    deadline = bg_nbd.p_alive(BG, *one[:2], 62.49 * WEEK)[0]
    assert deadline == pytest.approx(0.5, abs=2e-4)


def test_no_purchase_in_the_first_39_weeks():
    # MATHS.md: P(X(39) = 0) = .57379, and .855 from week 38.86 on.
    assert 1 - bg_nbd.p_active(BG, 0, 0, 0, 39 * WEEK)[0] == pytest.approx(0.57379, abs=2e-4)
    later = 1 - bg_nbd.p_active(BG, 0, 0, 38.86 * WEEK, 39 * WEEK)[0]
    assert later == pytest.approx(0.855, abs=5e-4)


def test_log_likelihood_of_cdnow(cdnow_weeks):
    # MATHS.md: -9582.43; a density per week.
    x, t_x, age = cdnow_weeks
    days = bg_nbd.log_likelihood(BG, x, t_x * WEEK, age * WEEK)
    assert (days + x * np.log(WEEK)).sum() == pytest.approx(-9582.43, abs=0.01)


def test_agrees_with_lifetimes_on_every_customer(cdnow_weeks):
    import pandas as pd
    from lifetimes import BetaGeoFitter

    theirs = BetaGeoFitter()
    theirs.params_ = pd.Series(WEEKS)
    x, t_x, age = cdnow_weeks
    days = (x, t_x * WEEK, age * WEEK)
    np.testing.assert_allclose(
        bg_nbd.p_alive(BG, *days), theirs.conditional_probability_alive(x, t_x, age), rtol=1e-9
    )
    for horizon in (1.0, 39.0, 52.0):
        np.testing.assert_allclose(
            bg_nbd.expected_purchases(BG, *days, horizon * WEEK),
            theirs.conditional_expected_number_of_purchases_up_to_time(horizon, x, t_x, age),
            rtol=1e-9,
        )


@pytest.mark.parametrize("shape", [(0.793, 2.426), (1.0, 2.0), (0.2, 0.3), (0.4, 0.6), (3.5, 0.4)])
@pytest.mark.parametrize("horizon", [1.0, 365.0, 3650.0])
def test_expected_purchases_agree_with_50_digits(shape, horizon):
    a, b = shape
    params = replace(BG, a=a, b=b)
    got = bg_nbd.expected_purchases(params, *np.array(EXACT_ROWS).T, horizon)
    for (x, t_x, age), value in zip(EXACT_ROWS, got, strict=True):
        # At x = 0 and a + b = 1 the printed form divides by 0: a step aside, digits to spare.
        there = exact.beta_geometric_purchases(
            a,
            exact.mp.mpf(b) + x + exact.mp.mpf(10) ** -40,
            exact.mp.mpf(params.r) + x,
            exact.mp.mpf(params.alpha) + age,
            horizon,
        )
        alive = exact.bg_p_alive(params.r, params.alpha, a, b, x, t_x, age)
        assert value == pytest.approx(float(alive * there), rel=1e-9, abs=1e-300), (x, t_x, age)
