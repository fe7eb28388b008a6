"""What engagement adds is what it adds in days that nothing was fitted to."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit

from models.engaged_accuracy import engaged_accuracy, offset_model
from models.engagement_fit import engaged, fit_engagement
from models.evaluation import evaluate
from models.fitting import TooThin
from models.histories import per_customer
from tests.models.browsing import browsing
from tests.models.test_purchases import CDNOW

END, LEARNED, LATER = 600, 200, 900


def judged(*, telling, resamples=0):
    shop = browsing(CDNOW, 1_500, LATER, 5, telling=telling)
    result = evaluate(
        shop.purchases, END, LATER - END, "USD", models=("mbg-nbd", "bg-nbd"), resamples=0
    )
    model = offset_model(result)
    found = fit_engagement(model, shop.purchases, shop.engagements, END, LEARNED, result.spend_fit)
    seen = engaged(shop.engagements, result.customers, END, found.half_life_days)
    accuracy = engaged_accuracy(result, model, found.offset, seen, resamples=resamples)
    return shop, result, found, seen, accuracy


def test_engagement_that_tells_something_is_seen_to_help():
    shop, result, found, seen, accuracy = judged(telling=True, resamples=100)
    chance = result.models[accuracy.model].prediction.active
    offset = found.coefficients["intercept"] + found.coefficients["slope"] * np.log1p(seen)
    bought = per_customer(shop.purchases.between(END, LATER), result.customers.customer)[0] > 0
    brier = np.mean((expit(logit(chance) + offset) - bought) ** 2)
    assert accuracy.engaged.figures["brier"] == pytest.approx(brier, rel=1e-9)
    assert accuracy.purchases.figures == result.models[accuracy.model].figures
    for figure, better in (("brier", -1), ("log_score", -1), ("auc_active", 1), ("mae", -1)):
        difference, low, high = accuracy.engaged.against_chosen[figure]
        without, with_it = accuracy.purchases.figures[figure], accuracy.engaged.figures[figure]
        assert difference == pytest.approx(with_it - without)
        assert low < difference < high
        assert low * better > 0, f"{figure}: surely better"
        assert high * better > 0
    # 80 % intervals; of 1,500 customers one share in twenty is off by more than 2 %.
    assert accuracy.value_coverage[1] == pytest.approx(0.8, abs=0.03)


def test_an_offset_that_was_left_out_changes_nothing():
    _, result, found, _, accuracy = judged(telling=False)
    assert found.offset is None
    assert accuracy.engaged.figures == accuracy.purchases.figures
    assert accuracy.value_coverage == (result.value_coverage[accuracy.model],) * 2


def test_the_likeliest_model_that_takes_an_offset():
    shop = browsing(CDNOW, 500, LATER, 5, telling=True)
    result = evaluate(shop.purchases, END, LATER - END, "USD", resamples=0)
    fits = {name: fit.log_likelihood for name, fit in result.purchase_fits.items()}
    assert offset_model(result) == max(("mbg-nbd", "bg-nbd"), key=fits.__getitem__)
    pareto = replace(result, purchase_fits={"pareto-nbd": result.purchase_fits["pareto-nbd"]})
    with pytest.raises(TooThin, match="needs one of mbg-nbd, bg-nbd"):
        offset_model(pareto)
