"""BG/NBD: purchases at a steady rate until, after a repeat purchase, the customer is gone.

As MBG/NBD, but nobody is lost after the first purchase: every one-time buyer is there for ever.
Everything is in days. A customer who is there at `as_of` has lambda ~ Gamma(r + x, alpha + T)
and p ~ Beta(a, b + x).

Source: Fader, Hardie & Lee (2005), "Counting your customers the easy way", Marketing Science
24(2).
"""

import numpy as np

from models._arrivals import log_rising, log_waiting
from models._beta_geometric import BetaGeometric
from models.arrays import Floats
from models.parameters import ModelParams
from models.summaries import by_frequency


class BgNbd(BetaGeometric):
    """BG/NBD, for parameters r, alpha (days), a, b.

    Source of the expected purchases: Fader, Hardie & Lee (2005), eq. 10, after Euler's
    transformation.
    """

    NAME = "bg-nbd"
    CHANCES = -1.0

    def log_odds_at_once(self, params: ModelParams, x: Floats) -> Floats:
        """(b + x - 1)/a, and certain after the first purchase.

        Source: Fader, Hardie & Lee (2008), "Computing P(alive) using the BG/NBD model", p. 1.
        """
        later = (params.b + np.maximum(x, 1.0) - 1.0) / params.a
        odds: Floats = np.where(x > 0, np.log(later), np.inf)
        return odds

    def log_likelihood(
        self, params: ModelParams, frequency: Floats, recency: Floats, age: Floats
    ) -> Floats:
        """Log likelihood of each customer's history; see `PurchaseModel.log_likelihood`.

        Source: Fader, Hardie & Lee (2005), eq. 6: the customer who is there at T has B(a, b + x)
        and survives T; the one who left after the last purchase, a repeat one,
        B(a + 1, b + x - 1).
        """
        r, a, b = params.r, params.a, params.b
        x, which = by_frequency(frequency)
        tossed = log_rising(r, x) - log_rising(a + b, x)
        # Nobody left after the first purchase: of probability 0, whose logarithm is -inf.
        last = np.where(x > 0, log_rising(b, np.maximum(x, 1.0) - 1) + np.log(a), -np.inf)
        there = (tossed + log_rising(b, x))[which] - log_waiting(params, frequency, age)
        left = (tossed + last)[which] - log_waiting(params, frequency, recency)
        density: Floats = np.logaddexp(there, left)
        return density
