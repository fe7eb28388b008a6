"""The offset of engagement: by hand, in silence, and in the JSON that carries it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from models.engaged import Engaged
from models.engagement import EngagementOffset
from models.engagement_fit import EngagementDays, engaged
from models.fact_rows import FactRows
from models.histories import PurchaseDays, histories
from models.parameters import CDNOW, InvalidParameters, ModelParams, released
from models.policy import Policy
from models.rules import rules_of
from models.state import State
from models.summaries import Forecast
from models.valuation import Valuation
from tests.models.shop import DAY_MS, START_MS, Partition, purchase, refund, score_of, visit
from tests.models.test_purchases import BG, PARETO
from tests.models.test_silence import same, scanned

START_DAY = START_MS // DAY_MS
OFFSET = EngagementOffset(half_life_days=10.0, intercept=-0.5, slope=1.2)
ENGAGING = Policy(params=replace(CDNOW, engagement=OFFSET))


def stored(events) -> State:
    state = State()
    for event in events:
        state.apply(event, event.at_ms // DAY_MS, 730)
    return state


def valued(policy, *states):
    rows = FactRows(engagements=True)
    for state in states:
        rows.add(state)
    return Valuation(rules_of(policy), rows.columns(policy.params))


# --- by hand ----------------------------------------------------------------------------------


def test_odds_are_multiplied():
    # Odds 1:4 times four are 1:1; 19:1 become 76:1. Half of the customers buy more often then.
    offset = EngagementOffset(half_life_days=1.0, intercept=np.log(2.0), slope=1.0)
    one = np.array([1.0])  # ln(1 + 1) with slope 1: twice the odds once more
    shifted = offset.shifted(Forecast(np.array([0.95]), np.array([0.2]), np.array([0.3])), one)
    assert shifted.p_active == pytest.approx(0.5)
    assert shifted.p_alive == pytest.approx(76 / 77)
    assert shifted.expected_purchases == pytest.approx(0.3 * 0.5 / 0.2)
    assert offset.shifted_chance(np.array([0.0, 0.2, 1.0]), one).tolist() == pytest.approx(
        [0, 0.5, 1]
    )


def test_engagements_count_half_after_each_half_life():
    # Two on day 0, one on day 20, at noon of day 30: 3 and 1.05 half-lives of ten days.
    state = stored([purchase(1, 5.5), visit(2, 0.9), visit(3, 0.1), visit(4, 20.7)])
    rows = FactRows(engagements=True)
    rows.add(stored([purchase(1, 3)]))  # a row of none before
    rows.add(state)
    found = Engaged.of(rows.columns(CDNOW), rules_of(Policy()).days, 10.0)
    at_ms = np.full(2, START_MS + int(30.5 * DAY_MS))
    expected = 2 * 0.5**3.05 + 0.5**1.05
    assert found.at(np.arange(2), at_ms).tolist() == pytest.approx([0.0, expected])
    assert found.at_purchase.tolist() == pytest.approx([0.0, 2 * 0.5**0.55])


def test_the_fit_counts_as_the_state_does():
    # Days 0 and 1 are more than a year before the newest, and forgotten by both.
    days = [0, 1, 30, 200, 200, 380]
    state = stored([purchase(0, 10), *(visit(n + 1, day) for n, day in enumerate(days))])
    end_day = START_DAY + 400
    customers = histories(
        PurchaseDays(np.array([7]), np.array([START_DAY + 10]), np.array([100])), end_day
    )
    seen = EngagementDays(np.full(7, 7), START_DAY + np.array([*days, 401]))
    rows = FactRows(engagements=True)
    rows.add(state)
    for half_life in (3.0, 90.0):
        found = Engaged.of(rows.columns(CDNOW), rules_of(Policy()).days, half_life)
        midnight = np.array([(end_day + 1) * DAY_MS])
        assert engaged(seen, customers, end_day, half_life) == pytest.approx(
            found.at(np.array([0]), midnight), rel=1e-12
        )


# --- in silence -------------------------------------------------------------------------------


@pytest.mark.parametrize("params", [CDNOW, BG], ids=lambda p: p.model)
@pytest.mark.parametrize("slope", [0.0, 0.3, 5.0])
@pytest.mark.parametrize("intercept", [-3.0, 4.0])
def test_everything_falls_in_silence(params, slope, intercept):
    offset = EngagementOffset(half_life_days=15.0, intercept=intercept, slope=slope)
    for horizon_days in (30.0, 365.0):
        policy = Policy(horizon_days=horizon_days, params=replace(params, engagement=offset))
        visits = [visit(100 + n, 20 + n % 3) for n in range(40)]
        bought = [purchase(n, 2.5 * n) for n in range(8)]
        valuation = valued(
            policy, stored([bought[0], *visits]), stored([*bought, *visits]), stored(bought)
        )
        at_ms = START_MS + np.arange(25 * 24, 1500 * 24, 7) * 3_600_000
        for row in range(3):
            rows = np.full(at_ms.size, row)
            assert np.all(np.diff(valuation.p_active(rows, at_ms)) < 0)
            assert np.all(np.diff(valuation.predicted(rows, at_ms)) < 0)
            figures = valuation.figures(rows, at_ms)
            assert np.all(np.diff(figures.decline) >= 0)
            assert np.all(figures.p_active <= figures.p_alive)
            np.testing.assert_array_equal(figures.p_active, valuation.p_active(rows, at_ms))


def test_a_visit_brings_a_customer_back_for_a_while():
    """It ends a silence in which the level rose, and is valued with itself, the silence without."""
    events = [purchase(1, 0), purchase(2, 20), *(visit(n, 200) for n in range(3, 9))]
    partition = Partition(ENGAGING)
    for event in events:
        partition.one(event)
    end_ms = events[-1].at_ms + 300 * DAY_MS
    partition.tick(end_ms)
    truth = scanned(ENGAGING, events, end_ms)
    assert {c.cause for c in truth if c.kind == "churn"} == {"purchase", "silence", "engagement"}
    for kind in ("tier", "churn"):
        same(partition.crossed(kind), [change for change in truth if change.kind == kind])


def test_a_purchase_brings_the_decline_to_nothing():
    partition = Partition(ENGAGING)
    partition.play((e, e.at_ms) for e in [purchase(1, 0), visit(2, 90), purchase(3, 100)])
    assert score_of(partition).activity_decline == 0.0
    partition.one(visit(4, 101))
    # More active than right after the purchase, and not below 0.
    assert score_of(partition).activity_decline == 0.0
    assert score_of(partition).value_at_risk_minor == 0


def test_a_customer_who_never_bought_is_valued_as_without():
    partition = Partition(ENGAGING)
    partition.one(visit(1, 0))
    partition.one(refund(2, 1, 700))
    score = score_of(partition)
    assert (score.p_active, score.p_alive, score.predicted_clv_minor) == (None, None, 0)
    assert (score.predicted_clv_low_minor, score.predicted_clv_high_minor) == (0, 0)


# --- in parameters ----------------------------------------------------------------------------


def test_parameters_without_an_offset_are_what_they_were():
    # As it was before there was one.
    assert CDNOW.to_json()["checksum"] == (
        "1d4c87ceef04f57a998f8cf8b2ca04fe93f52c367727bc6998bfc4792ca5ed8d"
    )
    assert "engagement" not in CDNOW.to_json()


def test_an_offset_there_and_back():
    params = released(ENGAGING.params, {"last_day": "1998-06-30"})
    document = json.loads(json.dumps(params.to_json("week", "major")))
    assert ModelParams.from_json(document).engagement == OFFSET
    assert params.version != released(CDNOW, {"last_day": "1998-06-30"}).version
    document["engagement"]["slope"] *= 2
    with pytest.raises(InvalidParameters, match="checksum"):
        ModelParams.from_json(document)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"slope": -0.1}, "slope must not be below 0"),
        ({"half_life_days": 0.0}, "half_life_days must be above 0"),
        ({"intercept": float("nan")}, "intercept must be finite"),
        ({"intercept": 31.0}, "intercept must be within 30"),
        ({"slope": "much"}, "slope must be a number"),
    ],
)
def test_an_offset_that_cannot_be_used_is_refused(changed, says):
    document = {name: v for name, v in ENGAGING.params.to_json().items() if name != "checksum"}
    document["engagement"] = {**document["engagement"], **changed}
    with pytest.raises(InvalidParameters, match=says):
        ModelParams.from_json(document)


def test_pareto_nbd_takes_none():
    with pytest.raises(InvalidParameters, match="pareto-nbd"):
        replace(PARETO, engagement=OFFSET)
