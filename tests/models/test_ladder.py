"""Ladders: bounds for all values at once say what walking step by step says."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.ladder import Ladder, settle
from tests.models.naive import clamp

STEPS = (("bronze", 0.0), ("silver", 10_000.0), ("gold", 50_000.0), ("platinum", 200_000.0))

proof = settings(max_examples=300, derandomize=True, deadline=None, database=None)


@proof
@given(
    st.none() | st.integers(0, 3),
    st.sampled_from([9_000, 10_000, 45_000, 50_000, 180_000, 200_000]) | st.integers(-10, 300_000),
    st.sampled_from([-1.0, 0.0, 1e-9, 0.5]),
    st.sampled_from([0.0, 0.1, 0.9]),
)
def test_bounds_lead_where_steps_lead(
    before: int | None, value: int, offset: float, hysteresis: float
) -> None:
    ladder = Ladder.of(STEPS, hysteresis)
    up, hold = ladder.bounds(np.array([value + offset]))
    assert up <= hold
    walked = clamp(before, value + offset, [threshold for _, threshold in STEPS], hysteresis)
    assert settle(before, int(up[0]), int(hold[0])) == walked


@pytest.mark.parametrize("threshold", [1, 7, 100, 10_000, 10_005, 49_999, 200_000, 123_456_789])
def test_the_threshold_down_is_the_product_as_written(threshold: int) -> None:
    for hundredths in range(100):
        share = Decimal(hundredths) / 100
        ladder = Ladder.of((("low", 0), ("high", threshold)), float(share))
        assert ladder.falls[1] == float(threshold * (1 - share)), share
        whole, rest = divmod(threshold * (100 - hundredths), 100)
        if rest == 0:
            _, hold = ladder.bounds(np.array([float(whole), np.nextafter(float(whole), 0.0)]))
            assert hold.tolist() == [1, 0]


def test_thresholds_of_shares_are_the_products_as_written() -> None:
    ladder = Ladder.of((("low", 0.0), ("medium", 0.3), ("high", 0.7)), 0.3)
    assert ladder.falls[1:].tolist() == [0.21, 0.49]


def test_up_at_the_threshold_down_only_below_less_hysteresis() -> None:
    ladder = Ladder.of(STEPS, 0.1)
    up, hold = ladder.bounds(np.array([49_999.99, 50_000.0, 45_000.0, 44_999.99]))
    assert [settle(1, u, h) for u, h in zip(up, hold, strict=True)] == [1, 2, 1, 1]
    assert [settle(2, u, h) for u, h in zip(up, hold, strict=True)] == [2, 2, 2, 1]


def test_thresholds_that_changes_name() -> None:
    ladder = Ladder.of(STEPS, 0.1)
    assert ladder.crossed(None, 2) == 50_000
    assert ladder.crossed(0, 3) == 200_000
    assert ladder.crossed(3, 2) == 180_000
    assert ladder.crossed(3, 0) == 9_000  # the last one that was passed on the way down


def test_negative_values_and_thresholds() -> None:
    ladder = Ladder.of((("none", -100.0), ("some", -50.0)), 0.5)
    up, hold = ladder.bounds(np.array([-1e9, -50.0, -51.0]))
    assert [settle(None, u, h) for u, h in zip(up, hold, strict=True)] == [0, 1, 0]
    assert [settle(1, u, h) for u, h in zip(up, hold, strict=True)] == [0, 1, 0]
