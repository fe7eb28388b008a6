"""Tier and churn-risk changes: what they say, and the ids by which subscribers see each once."""

from hashlib import blake2b
from typing import Final, Literal

import msgspec

SCHEMA: Final = 1

TIER: Final = "tier"
CHURN: Final = "churn"

Kind = Literal["tier", "churn"]
Direction = Literal["up", "down"]
Cause = Literal["purchase", "refund", "engagement", "silence", "late_event", "model", "profile"]

_ID_BYTES: Final = 16  # as many as a UUID has
_MS_PER_S: Final = 1_000
_TIMED: Final = frozenset({"silence", "model"})
"""Causes that may come again with the same cause id."""


class TierChange(msgspec.Struct, frozen=True, gc=False):
    """A customer entered another tier, as `clv.tier-changes` carries it.

    Attributes:
        schema: version of this message.
        id: the same for the same change, however often it was found.
        customer_id: the Kafka key.
        from_: tier before; null for the customer's first.
        to: tier from `crossed_at` on.
        direction: `up` or `down`; a first tier is `up`.
        tier_value_minor_before: value just before what caused the change; null for the first.
        tier_value_minor: value right after it.
        threshold_minor: what the value reached, or for `down` fell below, hysteresis included.
        cause: what moved the value.
        cause_id: id of the event; for `silence`, of the customer's last event; for `model`, the
            version of the parameters.
        crossed_at: for `silence` the exact instant of the crossing, however late it was found.
            Else when the change was applied: the event's `occurred_at`, or the time that its
            partition had reached by then, whichever is later.
        detected_at: the partition's time when it was found; `crossed_at`, but for `silence`.
        model_version: of the parameters that predicted the value.
    """

    schema: int
    id: str
    customer_id: str
    from_: str | None = msgspec.field(name="from")
    to: str
    direction: Direction
    tier_value_minor_before: int | None
    tier_value_minor: int
    threshold_minor: int
    cause: Cause
    cause_id: str
    crossed_at: str
    detected_at: str
    model_version: str


class ChurnRiskChange(msgspec.Struct, frozen=True, gc=False):
    """A customer entered another churn level, as `clv.churn-risk` carries it.

    Attributes:
        schema: version of this message.
        id: the same for the same change, however often it was found.
        customer_id: the Kafka key.
        from_: level before; null for the customer's first.
        to: level from `crossed_at` on.
        direction: `up` is towards churn; a first level is `up`.
        activity_decline_before: decline just before what caused the change; null for the first.
        activity_decline: decline right after it.
        threshold: what the decline reached, or for `down` fell below, hysteresis included.
        churn_risk: 1 - p_active; null without a purchase.
        predicted_clv_minor: predicted value within the horizon.
        value_at_risk_minor: predicted value that silence has put at stake.
        cause: what moved the decline.
        cause_id: id of the event; for `silence`, of the customer's last event; for `model`, the
            version of the parameters.
        crossed_at: for `silence` the exact instant of the crossing, however late it was found.
            Else when the change was applied: the event's `occurred_at`, or the time that its
            partition had reached by then, whichever is later.
        detected_at: the partition's time when it was found; `crossed_at`, but for `silence`.
        model_version: of the parameters.
    """

    schema: int
    id: str
    customer_id: str
    from_: str | None = msgspec.field(name="from")
    to: str
    direction: Direction
    activity_decline_before: float | None
    activity_decline: float
    threshold: float
    churn_risk: float | None
    predicted_clv_minor: int
    value_at_risk_minor: int
    cause: Cause
    cause_id: str
    crossed_at: str
    detected_at: str
    model_version: str


class Change(msgspec.Struct, frozen=True, gc=False):
    """A change as the sinks need it.

    Attributes:
        customer: Kafka key.
        id: the message's own.
        at_ms: `crossed_at_ms`: the time of the CloudEvent.
        value: the message, JSON.
        from_: name before, None for the first.
        to: name after.
        cause: what caused it.
        crossed_at_ms: its `crossed_at`, epoch milliseconds.
        detected_at_ms: the partition's time when it was found, epoch milliseconds.
    """

    customer: bytes
    id: str
    at_ms: int
    value: bytes
    from_: str | None
    to: str
    cause: Cause
    crossed_at_ms: int
    detected_at_ms: int


def change_id(
    kind: Kind, customer: bytes, cause: str, cause_id: str, to: str, crossed_at_ms: int
) -> str:
    """The id of a change, derived from what it is.

    Two silent crossings of one customer into the same step differ by their second, and so do two
    by the model, which may go back to earlier parameters; a change that an event caused is told by
    the event.

    Args:
        kind: `TIER` or `CHURN`.
        customer: Kafka key.
        cause: one of `Cause`.
        cause_id: the event's id, or the last event's.
        to: name of the step that is entered.
        crossed_at_ms: exact instant, epoch milliseconds.

    Source: BLAKE2b, RFC 7693, with a digest of 16 bytes.
    """
    second = crossed_at_ms // _MS_PER_S if cause in _TIMED else 0
    # Names and ids may hold any character, so their lengths come first.
    head = f"{kind} {cause} {second} {len(cause_id)} {len(to)} {cause_id}{to}"
    return blake2b(head.encode() + customer, digest_size=_ID_BYTES).hexdigest()
