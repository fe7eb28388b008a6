"""When silence brings a customer's figures down to given values: all searches of a batch in one.

Two figures fall while a customer is silent, the predicted value and p_active. A search costs by
the look, hardly by the row: so whatever is sought along both, and by whom, is sought together.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from models.arrays import Floats, Indices
from models.roots import Search, last_above
from models.valuation import Figures, Valuation


class Descent(NamedTuple):
    """Rows, and what one of their figures is to come down to; all (m,).

    Attributes:
        rows: of the valuation, with a purchase.
        target: of the figure, above 0.
        start_ms: epoch ms from which on there is silence.
        start_value: the figure there.
        end_ms: where to stop looking, itself included; after the start.
        p_alive: chance to be there at the start.
        gap_ms: how early an answer may be, ms.
        gap_share: the same as a share of the time since the start; the greater of both holds.
    """

    rows: Indices
    target: Floats
    start_ms: Floats
    start_value: Floats
    end_ms: Floats
    p_alive: Floats
    gap_ms: Floats
    gap_share: Floats

    @classmethod
    def of(
        cls,
        figures: Figures,
        chosen: Indices,
        target: Floats,
        start_value: Floats,
        end_ms: Floats,
        gap_ms: Floats,
        gap_share: float = 0.0,
    ) -> "Descent":
        """From the instants of some figures on.

        Args:
            figures: (n,) rows at instants.
            chosen: (m,) which of them.
            target: (n,) values to come down to.
            start_value: (n,) what they are now.
            end_ms: (n,) where to stop looking.
            gap_ms: (n,) how early an answer may be, ms.
            gap_share: the same as a share of the time since the start.
        """
        return cls(
            figures.rows[chosen],
            target[chosen],
            figures.at_ms[chosen].astype(np.float64),
            start_value[chosen],
            end_ms[chosen],
            figures.p_alive[chosen],
            gap_ms[chosen],
            np.full(chosen.size, gap_share),
        )


def instants(
    valuation: Valuation, predicted: Sequence[Descent] = (), p_active: Sequence[Descent] = ()
) -> list[Floats]:
    """When each row has come down.

    Args:
        valuation: of the rows' facts.
        predicted: descents of the predicted value.
        p_active: descents of p_active.

    Returns:
        Of each descent, in the order given, (m,) epoch ms: early by at most its gap, never late;
        inf where it does not come down before the end.
    """
    descents = [*predicted, *p_active]
    whole = Descent._make(map(np.concatenate, zip(*descents, strict=True)))
    rows = whole.rows
    values = sum(descent.rows.size for descent in predicted)

    def curve(part: Indices, at_ms: Floats) -> Floats:
        split = int(np.searchsorted(part, values))  # rows stay in order when some are done
        if split == part.size:
            return valuation.predicted(rows[part], at_ms)
        if split == 0:
            return valuation.p_active(rows[part], at_ms)
        return np.concatenate(
            [
                valuation.predicted(rows[part[:split]], at_ms[:split]),
                valuation.p_active(rows[part[split:]], at_ms[split:]),
            ]
        )

    facts = valuation.facts
    found = last_above(
        curve,
        Search(
            target=whole.target,
            origin_ms=facts.origin_ms[rows],
            start_ms=whole.start_ms,
            start_value=whole.start_value,
            end_ms=whole.end_ms,
            p_there=whole.p_alive,
            shape=valuation.rules.policy.params.r + facts.frequency[rows],
            gap_ms=whole.gap_ms,
            gap_share=whole.gap_share,
        ),
    )
    ends = np.cumsum([descent.rows.size for descent in descents]).tolist()
    return [found[end - d.rows.size : end] for d, end in zip(descents, ends, strict=True)]
