"""Money is published as whole minor units, and never as a number that it is not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.mbg_nbd import MbgNbd
from models.parameters import CDNOW
from models.policy import Policy
from models.summaries import Forecast
from models.whole_money import NotFinite, floored
from tests.models.shop import Partition, purchase, score_of


def test_money_is_rounded_down_and_held_within_what_facts_may_hold() -> None:
    values = np.array([0.99, -0.01, 2.0**53 + 2, 2.0**62, 1e300, -1e300])
    most = 2**62 - 512  # the last float below 2^62
    assert floored(values).tolist() == [0, -1, 2**53 + 2, most, most, -most]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_not_published(value: float) -> None:
    with pytest.raises(NotFinite):
        floored(np.array([1.0, value]))


def test_a_prediction_beyond_what_an_integer_holds_is_not_negative() -> None:
    # Frequent and rich: four days of 2^60, the most that facts take, and more to come.
    often = replace(CDNOW, a=0.05, currency="EUR")
    partition = Partition(Policy(params=often))
    for number in range(4):
        partition.one(purchase(number, number, 2**60))
    score = score_of(partition)
    assert score.historic_clv_minor == 2**62
    assert score.predicted_clv_minor == 2**62 - 512
    assert score.total_clv_minor == 2**63 - 512
    assert score.tier_value_minor == 2**62 - 512
    assert score.tier == "platinum"


def test_a_score_by_parameters_whose_formula_overflows() -> None:
    # Its 2F1 is NaN: that was platinum, and -2^63 predicted.
    params = replace(CDNOW, r=1.181, alpha=1.394, a=1.052, b=280.0, p=5, q=3, v=1000)
    partition = Partition(Policy(horizon_days=730.0, params=params))
    partition.one(purchase(1, 0, 5_000))
    score = score_of(partition)
    # 271.496 purchases, as tests/models/test_mbg_nbd.py checks with 50 digits, if the customer is
    # still there, with odds b/a; of v·p/(q - 1) each.
    expected = 271.496 * 280.0 / 281.052
    assert score.expected_purchases == pytest.approx(expected, rel=1e-5)
    assert score.predicted_clv_minor == pytest.approx(expected * 2_500, rel=1e-5)


@pytest.mark.parametrize("figure", ["p_alive", "p_active", "expected_purchases"])
def test_a_step_with_a_figure_that_is_no_number_ends_loudly(
    monkeypatch: pytest.MonkeyPatch, figure: str
) -> None:
    forecast = MbgNbd.forecast

    def broken(*args: Any) -> Forecast:
        found = forecast(*args)
        return found._replace(**{figure: np.full_like(found.p_alive, np.nan)})

    monkeypatch.setattr(MbgNbd, "forecast", broken)
    with pytest.raises(NotFinite):
        Partition(Policy()).one(purchase(1, 0))
