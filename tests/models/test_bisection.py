"""Many bisections at once find what a look at each number in turn finds."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.bisection import first

ROWS = st.lists(
    st.tuples(st.integers(-50, 50), st.integers(0, 40), st.integers(-60, 100)), max_size=9
)


@given(ROWS)
def test_the_first_number_from_which_on_it_holds(rows: list[tuple[int, int, int]]) -> None:
    low = np.array([start for start, _, _ in rows], dtype=np.int64)
    high = np.array([start + width for start, width, _ in rows], dtype=np.int64)
    begins = np.array([begin for _, _, begin in rows], dtype=np.int64)
    found = first(low, high, lambda numbers, which: numbers >= begins[which])
    assert found.tolist() == [
        next((n for n in range(start, start + width) if n >= begin), start + width)
        for start, width, begin in rows
    ]


def test_nothing_is_asked_beyond_the_ends() -> None:
    low, high = np.array([0, 3, 5]), np.array([9, 3, 6])
    asked: set[tuple[int, int]] = set()

    def holds(numbers: np.ndarray, rows: np.ndarray) -> np.ndarray:
        asked.update(zip(rows.tolist(), numbers.tolist(), strict=True))
        return numbers > 7

    assert first(low, high, holds).tolist() == [8, 3, 6]
    assert {row for row, _ in asked} == {0, 2}, "the second is known before"
    assert all(low[row] <= number <= high[row] for row, number in asked)
