"""When silence takes a tier or leads to the next churn level: whatever is asked in one search."""

from collections.abc import Sequence

import numpy as np

from models.arrays import Floats, Indices
from models.churn import active_target
from models.descents import Descent, instants
from models.silences import Silences
from models.tier_falls import TierFalls
from models.valuation import Valuation


def next_moves(
    valuation: Valuation,
    silences: Silences,
    predicted: Sequence[Descent] = (),
    p_active: Sequence[Descent] = (),
) -> tuple[Floats, list[Floats]]:
    """When silences lead to other steps, and, in the same search, when descents have come down.

    Args:
        valuation: of the rows' facts.
        silences: (n,) to be looked into.
        predicted: descents of the predicted value.
        p_active: descents of p_active.

    Returns:
        (n,) epoch ms of the first move of either kind, or of the first day that may lift the tier
        value: early by at most the gap, or exact; inf where none comes before the end. And of
        each descent what `instants` says.
    """
    falls = TierFalls(valuation, silences)
    rising, rises = _rises(valuation, silences)
    falls_ms, *others, rises_ms = instants(
        valuation, predicted=[falls.sought, *predicted], p_active=[*p_active, rises]
    )
    found = falls.at_ms(falls_ms)
    found[rising] = np.minimum(found[rising], rises_ms)
    return found, others


def _rises(valuation: Valuation, silences: Silences) -> tuple[Indices, Descent]:
    """Who can reach the next churn level before the end, and the p_active at which they do."""
    figures, end_ms = silences.figures, silences.end_ms
    threshold = np.append(valuation.rules.levels.rises[1:], np.inf)[silences.level]
    chosen = np.flatnonzero(
        valuation.facts.bought[figures.rows]
        & ~valuation.level_held[figures.rows]
        & np.isfinite(threshold)
        & (end_ms > figures.at_ms)
    )
    target = active_target(valuation.at_purchase.p_active[figures.rows], threshold)
    return chosen, Descent.of(figures, chosen, target, figures.p_active, end_ms, silences.gap_ms)
