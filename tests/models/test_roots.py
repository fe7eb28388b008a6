"""Roots of falling curves: closed forms, never late, and no row depends on its neighbours."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.parameters import ModelParams
from models.purchases import model_for
from models.roots import Search, last_above
from models.times import MS_PER_DAY
from tests.models import exact

GAP_MS = 20.0
YEARS_20_MS = 20 * 365 * MS_PER_DAY

proof = settings(max_examples=100, derandomize=True, deadline=None, database=None)


def search(alpha: float, start: np.ndarray, value: np.ndarray, target: np.ndarray) -> Search:
    return Search(
        target=target,
        origin_ms=np.full(start.shape, -alpha * MS_PER_DAY),
        start_ms=start * MS_PER_DAY,
        start_value=value,
        end_ms=start * MS_PER_DAY + YEARS_20_MS,
        p_there=np.full(start.shape, 0.9),
        shape=np.full(start.shape, 1.0),
        gap_ms=np.full(start.shape, GAP_MS),
        gap_share=np.zeros(start.shape),
    )


@pytest.mark.parametrize(
    ("weeks", "stayed", "parameters"),
    [
        # MATHS.md: x = 2, t_x = 30.43 weeks, theta = .5, with the CDNOW fits.
        # They say that such a customer stayed once for BG/NBD, and twice for MBG/NBD.
        (62.49, 1, {"model": "bg-nbd", "r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}),
        (57.56, 2, {"model": "mbg-nbd", "r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614}),
    ],
)
def test_silence_until_p_alive_is_a_half(weeks: float, stayed: int, parameters: dict) -> None:
    params = ModelParams(**parameters, p=6.25, q=3.74, v=15.44, currency="USD")
    model = model_for(params)
    x, t_x = np.array([2.0]), np.array([30.43])

    def curve(rows: np.ndarray, at_ms: np.ndarray) -> np.ndarray:
        return model.p_alive(params, x[rows], t_x[rows], at_ms / MS_PER_DAY)

    found = last_above(
        curve, search(params.alpha, t_x, curve(np.array([0]), t_x * MS_PER_DAY), np.array([0.5]))
    )
    # The parameters are given to three decimals: the last digit of the golden value is theirs.
    assert found[0] / MS_PER_DAY == pytest.approx(weeks, abs=0.01)
    odds = (params.b + stayed) / params.a
    truth = float(exact.age_at_p_alive(params.r, params.alpha, odds, 2, 30.43, 0.5)) * MS_PER_DAY
    assert truth - GAP_MS <= found[0] < truth


# Powers, logistic and exponential curves, and a step: as bad as a falling curve can be.
CURVES = [
    lambda age, k: (1.0 + age / 100.0) ** -k,
    lambda age, k: 1.0 / (1.0 + 0.5 * (1.0 + age / 40.0) ** k),
    lambda age, k: np.exp(-age / (100.0 * k)),
    lambda age, k: np.where(age < 77.7, 1.0, 0.01) - age * 1e-9,
]
STEP = 3
UNDERFLOWING = 1e-250  # a chance or a value so small has no instant that anybody asks for

rows = st.lists(
    st.tuples(
        st.integers(0, len(CURVES) - 1),
        st.floats(0.1, 200.0),
        st.floats(0.0, 2_000.0),
        st.floats(0.0001, 0.9999),
    ),
    min_size=1,
    max_size=12,
)


@proof
@example([(1, 200.0, 1225.0, 0.5)])  # the curve is about to underflow, and its target has
@given(rows)
def test_close_to_the_truth_and_never_after_it(
    drawn: list[tuple[int, float, float, float]],
) -> None:
    kinds, ks, starts, shares = (np.array(column) for column in zip(*drawn, strict=True))

    def curve(row: np.ndarray, at_ms: np.ndarray) -> np.ndarray:
        return np.array(
            [
                CURVES[kinds[i]](ms / MS_PER_DAY, ks[i])
                for i, ms in zip(row.tolist(), at_ms.tolist(), strict=True)
            ]
        )

    every = np.arange(len(drawn))
    value = curve(every, starts * MS_PER_DAY)
    target = value * shares
    found = last_above(curve, search(50.0, starts, value, target))
    for i in every:
        one = np.array([i])
        end = np.array([starts[i] * MS_PER_DAY + YEARS_20_MS])
        if value[i] <= target[i]:  # both are 0: the curve has underflowed
            assert found[i] == starts[i] * MS_PER_DAY
            continue
        if np.isinf(found[i]):
            assert curve(one, end)[0] > target[i]
            continue
        assert curve(one, found[one])[0] > target[i]
        if kinds[i] == STEP or target[i] < UNDERFLOWING:
            continue  # nothing tells how far away it is
        # Relative to the time since the origin a double has 52 bits: the slack below.
        assert curve(one, found[one] + GAP_MS * 1.5 + 1.0)[0] <= target[i] * (1 + 1e-9)
        alone = last_above(
            lambda _, at_ms, i=i: curve(np.full(at_ms.shape, i), at_ms),
            search(50.0, starts[one], value[one], target[one]),
        )
        assert alone[0] == found[i]


def test_a_curve_that_is_below_from_the_start() -> None:
    found = last_above(
        lambda _, at_ms: np.exp(-at_ms / MS_PER_DAY),
        search(1.0, np.array([0.0, 0.0]), np.array([1.0, 1.0]), np.array([1.0, 2.0])),
    )
    assert found.tolist() == [0.0, 0.0]
