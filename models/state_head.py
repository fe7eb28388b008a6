"""The head of a customer's stored state: what a restart needs, decoded without the rest."""

import msgspec


class Summary(msgspec.Struct, array_like=True, gc=False):
    """What was last published for a customer, and the lifetime totals.

    These are the first elements of the stored state, in this order.

    Attributes:
        version: of the state's layout; see `models.state`.
        revision: number of scores published for this customer; only grows.
        tier: name of the tier last published; empty before the first score.
        churn_level: name of the churn level last published; empty before the first score.
        deadline_s: earliest epoch second at which silence alone makes this customer due again;
            0 where it never does.
        as_of_ms: event time that the last score is true for, epoch milliseconds UTC.
        predicted_minor: predicted value as last published, minor units.
        at_risk_minor: value at risk as last published, minor units.
        orders: purchases of the lifetime, late ones included.
        refunds: refunds of the lifetime, late ones included.
        spend_minor: sum of the purchases that were not late, minor units.
        late_spend_minor: sum of the late purchases, minor units.
        refunded_minor: sum of all refunds, minor units.
    """

    version: int = 2
    revision: int = 0
    tier: str = ""
    churn_level: str = ""
    deadline_s: int = 0
    as_of_ms: int = 0
    predicted_minor: int = 0
    at_risk_minor: int = 0
    orders: int = 0
    refunds: int = 0
    spend_minor: int = 0
    late_spend_minor: int = 0
    refunded_minor: int = 0

    @property
    def historic_minor(self) -> int:
        """Lifetime revenue net of refunds, minor units."""
        return self.spend_minor + self.late_spend_minor - self.refunded_minor
