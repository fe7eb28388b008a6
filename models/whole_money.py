"""Money as it is published: whole minor units, within bounds."""

import numpy as np

from models.arrays import Floats, Ints
from models.facts import TOTAL_MINOR_MAX

# The last float below it: added to lifetime revenue, which may be as much, it stays below 2^63.
_PUBLISHED_MAX = np.nextafter(float(TOTAL_MINOR_MAX), 0.0)


class NotFinite(ArithmeticError):
    """A figure is no number, and must not be published as if it were one."""


def floored(values: Floats) -> Ints:
    """Money rounded down (see `tiers.tier_value`), and held within 2^62 of 0, as facts are.

    Args:
        values: minor units.

    Raises:
        NotFinite: one is no number.
    """
    floor = np.floor(values)
    if not (np.abs(floor) <= _PUBLISHED_MAX).all():  # hardly ever; a NaN is not below it either
        hold_finite(floor)
        floor = floor.clip(-_PUBLISHED_MAX, _PUBLISHED_MAX)
    whole: Ints = floor.astype(np.int64)
    return whole


def hold_finite(values: Floats) -> None:
    """Hold that all are numbers: as an integer a NaN would be -2^63, and it is above any tier.

    Raises:
        NotFinite: one is not.
    """
    if not np.isfinite(values).all():
        raise NotFinite(
            "what a customer is worth cannot be computed by these parameters: a figure is no number"
        )
