"""Named steps with hysteresis: up at a threshold, down only below threshold times (1 - h).

Where a value alone is known, and not the step that it comes from, two bounds say all: a lower
one, `up`, the highest step whose threshold is reached, and an upper one, `hold`, the highest step
that would not be left. Whoever comes from below rises to `up`, from above falls to `hold`, and
stays in between: so bounds are found for a whole batch at once, and chains are three comparisons.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from models.arrays import Floats, Indices

LOWEST: Final = 0


@dataclass(frozen=True)
class Ladder:
    """Steps, lowest first.

    Attributes:
        names: of the steps; at least one.
        rises: (k,) threshold from which a step is entered; that of the lowest is only published.
        falls: (k,) threshold below which a step is left; -inf for the lowest.
        numbers: of the steps, by name.
    """

    names: tuple[str, ...]
    rises: Floats
    falls: Floats
    numbers: dict[str, int]

    @classmethod
    def of(cls, steps: Sequence[tuple[str, float]], hysteresis: float) -> "Ladder":
        """The ladder of (name, threshold), ascending.

        Args:
            steps: names and thresholds, ascending.
            hysteresis: share h in [0, 1).
        """
        rises = np.array([threshold for _, threshold in steps], dtype=np.float64)
        # In fractions of what was written: as floats 10,000·(1 - .7) is above 3,000, which then
        # were no longer enough.
        kept = 1 - Fraction(str(float(hysteresis)))
        lowered = [float(Fraction(str(threshold)) * kept) for threshold in rises.tolist()]
        # A threshold below 0 would be left above where it was entered.
        falls = np.minimum(rises, lowered)
        falls[LOWEST] = -np.inf
        names = tuple(name for name, _ in steps)
        return cls(names, rises, falls, {name: number for number, name in enumerate(names)})

    def bounds(self, values: Floats) -> tuple[Indices, Indices]:
        """The lowest and the highest step that each value allows.

        Args:
            values: (n,) in the unit of the thresholds.

        Returns:
            (n,) `up` and (n,) `hold`, with up <= hold.
        """
        up = np.searchsorted(self.rises[1:], values, side="right")
        hold = np.searchsorted(self.falls[1:], values, side="right")
        return up, hold

    def crossed(self, before: int | None, after: int) -> float:
        """The threshold that a change to `after` crossed last.

        Args:
            before: the step that is left, None for a first score.
            after: the step that is entered.
        """
        if before is None or after > before:
            return float(self.rises[after])
        return float(self.falls[after + 1])


def settle(before: int | None, up: int, hold: int) -> int:
    """The step after a value with those bounds.

    Args:
        before: the step until now, None for a first score.
        up: lowest step that the value allows.
        hold: highest step that the value allows.
    """
    if before is None or before < up:
        return up
    return min(before, hold)
