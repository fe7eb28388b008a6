"""When silence alone would change a tier or a level, or make a score stale.

Predicted value and p_active fall strictly while a customer is silent, and so does the tier value
for as long as no refund leaves its window (`models.tier_falls`): each deadline is one root.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, Indices, Ints
from models.churn import active_target
from models.descents import Descent, instants
from models.tier_falls import TierFalls
from models.times import MS_PER_DAY
from models.valuation import Figures, Valuation
from models.whole_money import floored

LOOKAHEAD_DAYS: Final = 20 * 365
"""What is further away is taken for never; whoever is silent until then is looked at anyway."""

STALE_RISK: Final = 0.05
"""A score is stale when its churn risk has moved by this much since it was published ..."""
STALE_SHARE: Final = 0.1
"""... or its predicted value by this share, and by at least one minor unit."""

# A refresh may come early by this share of its time: each digit more costs a look at the curve.
_REFRESH_SHARE: Final = 0.02
# So what has moved by this share of what makes it stale is refreshed when it is looked at.
STALE_ENOUGH: Final = 0.95


class Due(NamedTuple):
    """Instants in epoch ms, inf for never; both (n,).

    Attributes:
        valid_until_ms: the first change of tier or level by silence, or earlier.
        look_ms: when the customer must be looked at: that, or when the score becomes stale.
    """

    valid_until_ms: Floats
    look_ms: Floats


class Published(NamedTuple):
    """What was said last, and is compared to tell whether it is stale; both (n,).

    Attributes:
        p_active: at the instant of the published score.
        predicted_minor: predicted value as published.
    """

    p_active: Floats
    predicted_minor: Ints


def due(
    valuation: Valuation,
    figures: Figures,
    tier: Indices,
    level: Indices,
    published: Published | None = None,
) -> Due:
    """When silence, from the instants of the figures on, makes each row due.

    Args:
        valuation: of the rows' facts.
        figures: (n,) rows at the instants from which on there is silence.
        tier: (n,) their tiers.
        level: (n,) their churn levels.
        published: (n,) what was said last; None where the figures are published now.
    """
    if published is None:
        published = Published(figures.p_active, floored(figures.predicted))
    end_ms = (figures.at_ms + LOOKAHEAD_DAYS * MS_PER_DAY).astype(np.float64)
    bought = valuation.facts.bought[figures.rows]
    falls = TierFalls(valuation, figures, tier, end_ms)
    rising, rises = _rises(valuation, figures, level, end_ms)
    value, risk = _stale_value(published.predicted_minor), published.p_active - STALE_RISK
    valued = np.flatnonzero(bought & (value > 0.0))
    risked = np.flatnonzero(bought & (risk > 0.0))
    stale = Descent.of(figures, valued, value, figures.predicted, end_ms, _REFRESH_SHARE)
    riskier = Descent.of(figures, risked, risk, figures.p_active, end_ms, _REFRESH_SHARE)
    falls_ms, stale_ms, rises_ms, riskier_ms = instants(
        valuation, predicted=[falls.sought, stale], p_active=[rises, riskier]
    )
    valid_until_ms = falls.at_ms(falls_ms)
    valid_until_ms[rising] = np.minimum(valid_until_ms[rising], rises_ms)
    look_ms = valid_until_ms.copy()
    look_ms[valued] = np.minimum(look_ms[valued], stale_ms)
    look_ms[risked] = np.minimum(look_ms[risked], riskier_ms)
    return Due(valid_until_ms, look_ms)


def level_rises(valuation: Valuation, figures: Figures, level: Indices, end_ms: Floats) -> Floats:
    """When the decline reaches the next churn level: as `tier_falls`."""
    found = np.full(figures.at_ms.shape, np.inf)
    rising, rises = _rises(valuation, figures, level, end_ms)
    (found[rising],) = instants(valuation, p_active=[rises])
    return found


def _rises(
    valuation: Valuation, figures: Figures, level: Indices, end_ms: Floats
) -> tuple[Indices, Descent]:
    """Who can reach the next churn level before the end, and the p_active at which they do."""
    threshold = np.append(valuation.rules.levels.rises[1:], np.inf)[level]
    chosen = np.flatnonzero(
        valuation.facts.bought[figures.rows]
        & ~valuation.level_held[figures.rows]
        & np.isfinite(threshold)
        & (end_ms > figures.at_ms)
    )
    target = active_target(valuation.at_purchase.p_active[figures.rows], threshold)
    return chosen, Descent.of(figures, chosen, target, figures.p_active, end_ms)


def is_stale(valuation: Valuation, figures: Figures, published: Published) -> NDArray[np.bool_]:
    """Whether silence has moved the figures too far away from what was said of them."""
    said = published.predicted_minor
    risk = published.p_active - figures.p_active >= STALE_ENOUGH * STALE_RISK
    value = said - figures.predicted >= STALE_ENOUGH * (said - _stale_value(said))
    stale: NDArray[np.bool_] = valuation.facts.bought[figures.rows] & (risk | (value & (said > 0)))
    return stale


def _stale_value(said: Ints) -> Floats:
    value: Floats = np.minimum(said * (1.0 - STALE_SHARE), said - 1.0)
    return value
