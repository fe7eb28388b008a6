"""Fitting the offset: it helps where engagement tells something, and does no harm elsewhere."""

from typing import NamedTuple

import numpy as np
import pytest
from scipy.special import expit, logit

from models.engagement_fit import EngagementDays, engaged, fit_engagement, regression
from models.fitting import Fit, TooThin, combined, fit_purchases
from models.histories import PurchaseDays, histories, per_customer
from models.metrics import auc
from models.purchases import model_for
from tests.models.browsing import browsing
from tests.models.test_purchases import CDNOW

END, HELD_OUT, LATER = 600, 200, 900
SPEND = Fit("gamma-gamma", {"p": 6.25, "q": 3.74, "v": 1544.0}, {}, 0.0, 1, 1)


class Judged(NamedTuple):
    brier: float
    auc: float


def later(shop, found):
    """Brier and AUC in days that the fit has not seen, without and with its coefficients."""
    customers = histories(shop.purchases, END)
    params = combined(fit_purchases("mbg-nbd", customers), SPEND, "USD")
    of = (customers.frequency, customers.recency, customers.age)
    chance = model_for(params).p_active(params, *of, float(LATER - END))
    happened = per_customer(shop.purchases.between(END, LATER), customers.customer)[0] > 0
    seen = engaged(shop.engagements, customers, END, found.half_life_days)
    offset = found.coefficients["intercept"] + found.coefficients["slope"] * np.log1p(seen)
    ones = np.ones(happened.size)
    return [
        Judged(np.mean((said - happened) ** 2), auc(said, happened * 1.0)(ones))
        for said in (chance, expit(logit(chance) + offset))
    ]


def fitted(shop):
    return fit_engagement("mbg-nbd", shop.purchases, shop.engagements, END, HELD_OUT, SPEND)


def test_who_browses_is_there():
    shop = browsing(CDNOW, 3_000, LATER, 1, telling=True)
    found = fitted(shop)
    without, with_it = later(shop, found)
    assert found.offset is not None
    assert found.offset.slope > 5 * found.standard_errors["slope"]
    assert with_it.brier < without.brier - 0.005
    assert with_it.auc > without.auc + 0.03


@pytest.mark.parametrize("seed", [2, 3])
def test_where_browsing_says_nothing_it_does_no_harm(seed):
    shop = browsing(CDNOW, 3_000, LATER, seed, telling=False)
    found = fitted(shop)
    without, with_it = later(shop, found)
    assert found.offset is None
    # Even if it were used.
    assert with_it.brier < without.brier + 0.0015
    assert with_it.auc > without.auc - 0.005


def test_a_slope_that_would_be_negative_is_held():
    shop = browsing(CDNOW, 3_000, LATER, 4, telling=True)
    # Only they browse who do not buy after the parting day.
    buyers = shop.purchases.between(END - HELD_OUT, LATER).customer
    never = np.flatnonzero(~np.isin(np.arange(3_000), buyers))
    some = np.concatenate([np.repeat(never, 3), buyers[:50]])
    days = np.full(some.size, END - HELD_OUT - 5)
    found = fitted(shop._replace(engagements=EngagementDays(some, days)))
    assert found.held
    assert found.offset is None
    assert found.coefficients["slope"] == 0.0


def test_the_regression_finds_the_truth_as_surely_as_it_says():
    truth = np.array([-0.7, 0.9])
    misses = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        base, covariate = rng.normal(-1, 1, 2_000), rng.gamma(0.5, 1.0, 2_000)
        odds = base + truth[0] + truth[1] * covariate
        active = (rng.uniform(size=2_000) < expit(odds)).astype(float)
        found = regression(base, covariate, active)
        assert not found.held
        misses.append((np.array(found.coefficients) - truth) / np.array(found.errors))
    # Standard normal: 60 of them, so the mean within .4 and the spread within .3 of that.
    assert np.mean(misses, axis=0) == pytest.approx([0, 0], abs=0.4)
    assert np.std(misses, axis=0) == pytest.approx([1, 1], abs=0.3)


def test_what_separates_perfectly_stays_finite():
    covariate = np.repeat([0.0, 1.0], 500)
    found = regression(np.zeros(1_000), covariate, covariate)
    assert 2 < found.coefficients[1] < 20  # without the penalty it would be infinite


def test_data_too_thin_say_so():
    shop = browsing(CDNOW, 1_000, LATER, 5, telling=True)
    nobody = EngagementDays(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
    few = EngagementDays(*(column[:15] for column in shop.engagements))
    late = shop.engagements._replace(day=shop.engagements.day + LATER)
    for engagements, says in (
        (nobody, "no engagement came from a customer"),
        (late, "no engagement came from a customer"),
        (few, "who did and"),
    ):
        with pytest.raises(TooThin, match=says):
            fitted(shop._replace(engagements=engagements))
    with pytest.raises(TooThin, match="only 13 days"):
        fit_engagement("mbg-nbd", shop.purchases, shop.engagements, END, 13, SPEND)


def test_an_offset_that_no_worker_could_use_is_a_sentence():
    shop = browsing(CDNOW, 1_000, LATER, 8, telling=True)
    # All have some 200 engagements of one day; who will buy has a tenth more. In units of its
    # spread the covariate moves the odds by a factor of ten or so; but from ln 200 back to ln 1 it
    # is more than a hundred of these.
    buyers = np.unique(shop.purchases.between(END - HELD_OUT, END).customer)
    who = np.concatenate([np.repeat(np.arange(1_000), 200), np.repeat(buyers, 20)])
    same = EngagementDays(who, np.full(who.size, END - HELD_OUT - 1))
    with pytest.raises(TooThin, match=r"hardly differ .* intercept must be within 30"):
        fitted(shop._replace(engagements=same))


def test_later_engagements_are_not_seen():
    shop = browsing(CDNOW, 3_000, LATER, 6, telling=True)
    until = shop.engagements.day <= END - HELD_OUT
    blind = EngagementDays(*(column[until] for column in shop.engagements))
    assert fitted(shop) == fitted(shop._replace(engagements=blind))


def test_purchases_after_the_end_are_not_seen():
    shop = browsing(CDNOW, 3_000, LATER, 7, telling=True)
    blind = shop.purchases.between(-1, END)
    assert isinstance(blind, PurchaseDays)
    assert fitted(shop) == fitted(shop._replace(purchases=blind))
