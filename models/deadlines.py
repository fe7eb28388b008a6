"""When silence alone would change a tier or a level, or make a score stale.

Predicted value and p_active fall strictly while a customer is silent, and so does the tier value
for as long as no refund leaves its window (`models.tier_falls`): each deadline is one root.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, Indices, Ints
from models.crossings import NOTHING_CROSSED, Crossings, first_ms
from models.descents import Descent
from models.next_moves import next_moves
from models.silences import Silences, end_to_end
from models.times import MS_PER_DAY
from models.valuation import Figures, Valuation
from models.whole_money import floored

LOOKAHEAD_DAYS: Final = 20 * 365
"""What is further away is taken for never; whoever is silent until then is looked at anyway."""

STALE_RISK: Final = 0.05
"""A score is stale when its churn risk has moved by this much since it was published ..."""
STALE_SHARE: Final = 0.1
"""... or its predicted value by this share, and by at least one minor unit."""

_EXACT_MS: Final = 20.0  # how early a deadline may be: seen from a tick of 250 ms it is nothing
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

    def take(self, chosen: Indices) -> "Due":
        """The instants of some of the rows."""
        return Due(self.valid_until_ms[chosen], self.look_ms[chosen])


class Published(NamedTuple):
    """What was said last, and is compared to tell whether it is stale; both (n,).

    Attributes:
        p_active: at the instant of the published score.
        predicted_minor: predicted value as published.
    """

    p_active: Floats
    predicted_minor: Ints

    @classmethod
    def of(cls, figures: Figures) -> "Published":
        """What figures say that are published now."""
        return cls(figures.p_active, floored(figures.predicted))


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
    return due_and_crossed(valuation, NOTHING_CROSSED, figures, tier, level, published)[0]


def due_and_crossed(
    valuation: Valuation,
    crossings: Crossings,
    figures: Figures,
    tier: Indices,
    level: Indices,
    published: Published | None = None,
) -> tuple[Due, Ints]:
    """As `due`, and in the same search when silences that are over crossed thresholds.

    Args:
        valuation: of the rows' facts.
        crossings: (m,) thresholds.
        figures: (n,) rows at the instants from which on there is silence.
        tier: (n,) their tiers.
        level: (n,) their churn levels.
        published: (n,) what was said last; None where the figures are published now.

    Returns:
        (n,) when each row is due, and (m,) epoch ms of the crossings.
    """
    if published is None:
        published = Published.of(figures)
    end_ms = figures.at_ms + LOOKAHEAD_DAYS * MS_PER_DAY
    ahead = Silences.of(figures, tier, level, end_ms, _EXACT_MS)
    behind = [crossings.silences(valuation)] if crossings.size else []
    bought = valuation.facts.bought[figures.rows]
    value, risk = _stale_value(published.predicted_minor), published.p_active - STALE_RISK
    valued = np.flatnonzero(bought & (value > 0.0))
    risked = np.flatnonzero(bought & (risk > 0.0))
    moves_ms, (stale_ms, riskier_ms) = next_moves(
        valuation,
        end_to_end([ahead, *behind]),
        predicted=[_refresh(ahead, valued, value, figures.predicted)],
        p_active=[_refresh(ahead, risked, risk, figures.p_active)],
    )
    valid_until_ms, about_ms = np.split(moves_ms, [figures.at_ms.size])
    look_ms = valid_until_ms.copy()
    look_ms[valued] = np.minimum(look_ms[valued], stale_ms)
    look_ms[risked] = np.minimum(look_ms[risked], riskier_ms)
    return Due(valid_until_ms, look_ms), first_ms(valuation, crossings, about_ms)


def _refresh(ahead: Silences, chosen: Indices, target: Floats, start_value: Floats) -> Descent:
    """When the score of some is stale."""
    return Descent.of(
        ahead.figures, chosen, target, start_value, ahead.end_ms, ahead.gap_ms, _REFRESH_SHARE
    )


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
