"""The current score of a customer, as `clv.scores` and Redis hold it."""

from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

import msgspec

SCHEMA: Final = 1


class Window(msgspec.Struct, frozen=True, gc=False):
    """What happened in the last days, today included.

    Attributes:
        orders: purchases.
        revenue_minor: purchases less refunds, minor units.
        engagements: engagements of all types.
    """

    orders: int
    revenue_minor: int
    engagements: int


class Windows(msgspec.Struct, frozen=True, gc=False):
    """Windows of whole days, by their lengths."""

    days_7: Window = msgspec.field(name="7")
    days_30: Window = msgspec.field(name="30")
    days_90: Window = msgspec.field(name="90")
    days_365: Window = msgspec.field(name="365")


class Score(msgspec.Struct, frozen=True, gc=False):
    """All that is said of a customer at `as_of`; money in minor units, rounded down.

    Attributes:
        schema: version of this message.
        customer_id: the Kafka key.
        revision: number of the customer's scores so far; only grows.
        as_of: event time that the score is true for.
        valid_until: when silence alone would next change tier or churn level, or earlier; null
            for never.
        currency: of all amounts.
        tier: name.
        churn_level: name.
        churn_risk: 1 - p_active.
        activity_decline: share of the p_active right after the last purchase that is gone.
        p_alive: probability that the customer is there still.
        p_active: probability of a purchase within the horizon.
        expected_purchases: within the horizon, discounted.
        expected_order_value_minor: of the next order.
        historic_clv_minor: lifetime revenue net of refunds.
        predicted_clv_minor: expected value of the purchases within the horizon, discounted.
        predicted_clv_low_minor: nine cases in ten will be this or more: the lower end of the
            central 80 % interval of that value; 0 without a purchase.
        predicted_clv_high_minor: nine cases in ten will be this or less: the upper end; 0 where
            no purchase at all is as likely as that, so it may be below the expected value.
        total_clv_minor: historic and predicted.
        tier_value_minor: what the tier follows.
        value_at_risk_minor: predicted value that silence has put at stake.
        orders: purchases of the lifetime.
        refunds: refunds of the lifetime.
        frequency: distinct purchase days less one.
        recency_days: from first to last purchase.
        age_days: from first purchase to `as_of`.
        first_purchase_at: null without one.
        last_purchase_at: null without one.
        expected_next_purchase_at: median, given that the customer is there; null without a
            purchase, where p_alive is below .5, and beyond the year 9999.
        windows: what happened lately.
        engagements: counts of the lifetime, by type.
        model: names of the models.
        model_version: of their parameters.
    """

    schema: int
    customer_id: str
    revision: int
    as_of: str
    valid_until: str | None
    currency: str
    tier: str
    churn_level: str
    churn_risk: float | None
    activity_decline: float
    p_alive: float | None
    p_active: float | None
    expected_purchases: float
    expected_order_value_minor: int
    historic_clv_minor: int
    predicted_clv_minor: int
    predicted_clv_low_minor: int
    predicted_clv_high_minor: int
    total_clv_minor: int
    tier_value_minor: int
    value_at_risk_minor: int
    orders: int
    refunds: int
    frequency: int
    recency_days: float
    age_days: float
    first_purchase_at: str | None
    last_purchase_at: str | None
    expected_next_purchase_at: str | None
    windows: Windows
    engagements: dict[str, int]
    model: str
    model_version: str


NOT_SAID: Final = -1
"""Stands in a score for what the version that published it did not say."""

# What was added to scores since the first version, all of it never below 0.
_ADDED: Final = {"predicted_clv_low_minor": NOT_SAID, "predicted_clv_high_minor": NOT_SAID}

_decode = msgspec.json.Decoder(Score).decode
_encode_lines = msgspec.json.Encoder().encode_lines

_AT_ONCE: Final = 64


def encode_all(scores: Iterable[Score]) -> list[bytes]:
    """Each score as JSON."""
    # Dozens at once, as lines: their buffer need not grow from nothing for each of them, and all
    # of it stays in the cache. Within JSON a line feed is escaped.
    left = iter(scores)
    encoded: list[bytes] = []
    while some := list(islice(left, _AT_ONCE)):
        encoded += _encode_lines(some).split(b"\n")[:-1]
    return encoded


def decode(published: bytes) -> Score:
    """A score as this or an older version published it.

    Raises:
        msgspec.DecodeError: it is none.
    """
    try:
        return _decode(published)
    except msgspec.ValidationError:
        fields = msgspec.json.decode(published)
        if not isinstance(fields, dict):
            raise
        return msgspec.convert(_ADDED | fields, Score)


def document(score: Score) -> dict[str, Any]:
    """A score's fields by name, as they were published: what was not said is left out."""
    fields: dict[str, Any] = msgspec.to_builtins(score)
    return {name: value for name, value in fields.items() if name not in _ADDED or value >= 0}
