"""Silences to be looked into: who is silent, from when to when, and where they stand before."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from models.arrays import Floats, Indices, Ints
from models.valuation import Figures


class Silences(NamedTuple):
    """Silences, and the steps that they may take away; all (n,).

    Attributes:
        figures: at the beginnings.
        tier: tiers there; the lowest where nobody asks for its end.
        level: churn levels there; the highest where nobody asks for its end.
        end_ms: epoch ms where to stop looking, itself included.
        gap_ms: how early an answer may be, ms.
    """

    figures: Figures
    tier: Indices
    level: Indices
    end_ms: Floats
    gap_ms: Floats

    @classmethod
    def of(
        cls, figures: Figures, tier: Indices, level: Indices, end_ms: Ints | Floats, gap_ms: float
    ) -> "Silences":
        """With the same gap for all; see the attributes."""
        stop_ms = end_ms.astype(np.float64)
        return cls(figures, tier, level, stop_ms, np.full_like(stop_ms, gap_ms))


def end_to_end(parts: Sequence[Silences]) -> Silences:
    """Silences of several kinds, to be looked into together."""
    if len(parts) == 1:
        return parts[0]
    figures, *others = zip(*parts, strict=True)
    joined = Figures._make(map(np.concatenate, zip(*figures, strict=True)))
    return Silences(joined, *map(np.concatenate, others))
