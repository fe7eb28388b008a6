"""MBG/NBD: purchases at a steady rate until, after any of them, the customer is gone.

A customer buys at rate lambda, Gamma(r, alpha) over the customers, and is lost with
probability p, Beta(a, b), after each purchase, the first included: so one-time buyers can be
gone, which BG/NBD cannot say. Everything is in days.

Derivation used below. With s = r + x and A = alpha + T, a customer who is there at `as_of`
has lambda ~ Gamma(s, A) and p ~ Beta(a, b + x + 1), and is expected to buy at the rate
E[lambda·exp(-lambda·p·u)] after u more days: `_beta_geometric` integrates it.

Source: Batislam, Denizel & Filiztekin (2007), "Empirical validation and comparison of models
for customer base analysis", IJRM 24(3); Hoppe & Wagner (2007), Marketing JRM 3(2).
"""

import numpy as np

from models._arrivals import log_rising, log_waiting
from models._beta_geometric import BetaGeometric
from models.arrays import Floats
from models.parameters import ModelParams
from models.summaries import by_frequency


class MbgNbd(BetaGeometric):
    """MBG/NBD, for parameters r, alpha (days), a, b.

    Source of the expected purchases: Batislam, Denizel & Filiztekin (2007), eq. 9, after Euler's
    transformation.
    """

    NAME = "mbg-nbd"
    CHANCES = 0.0

    def log_odds_at_once(self, params: ModelParams, x: Floats) -> Floats:
        """(b + x)/a, after the first purchase too.

        Source: Batislam, Denizel & Filiztekin (2007), eq. 7.
        """
        odds: Floats = np.log((params.b + x) / params.a)
        return odds

    def log_likelihood(
        self, params: ModelParams, frequency: Floats, recency: Floats, age: Floats
    ) -> Floats:
        """Log likelihood of each customer's history; see `PurchaseModel.log_likelihood`.

        Source: Batislam, Denizel & Filiztekin (2007), eq. 4: the customer who is there at T has
        B(a, b + x + 1) and survives T; the one who left after the last purchase B(a + 1, b + x).
        """
        r, a, b = params.r, params.a, params.b
        x, which = by_frequency(frequency)
        tossed = log_rising(r, x) - log_rising(a + b, x + 1)
        there = (tossed + log_rising(b, x + 1))[which] - log_waiting(params, frequency, age)
        last = tossed + log_rising(b, x) + np.log(a)
        left = last[which] - log_waiting(params, frequency, recency)
        density: Floats = np.logaddexp(there, left)
        return density
