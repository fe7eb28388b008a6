"""The smallest whole numbers from which on something holds: many searches at once."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models.arrays import Indices, Ints


def first(low: Ints, high: Ints, holds: Callable[[Ints, Indices], NDArray[np.bool_]]) -> Ints:
    """Of each row the smallest number from which on something holds.

    Args:
        low: (n,) smallest number that may be.
        high: (n,) what is returned where it holds for none below.
        holds: (m,) numbers and the (m,) rows that they belong to, to (m,) truths. It is asked of
            rows that are done, too, up to `high` itself, and may then say what it likes.
    """
    found = high.copy()
    rows = np.flatnonzero(low < high)
    if not rows.size:
        return found
    low, high = low[rows], high[rows]
    # To thin the rows out after each question would cost more than most questions do.
    for _ in range(int((high - low).max()).bit_length()):
        middle = (low + high) >> 1
        true = holds(middle, rows)
        low = np.where(true, low, np.minimum(middle + 1, high))
        high = np.where(true, middle, high)
    found[rows] = high
    return found
