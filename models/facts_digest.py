"""A canonical digest of a customer's facts: equal facts, equal digest, whatever their order."""

from hashlib import blake2b

import msgspec

from models.facts import Facts

_encode = msgspec.msgpack.Encoder().encode

DIGEST_BYTES = 16


def facts_digest(facts: Facts) -> bytes:
    """Sixteen bytes that stand for the facts of one customer.

    In it are lifetime totals, first and last purchase, purchase days, day buckets and engagement
    counts. Not in it is what depends on order or on the reader: tier, churn level, revision,
    `as_of`, deadline, published values, remembered ids, the last event's id, the layout.

    Returns:
        BLAKE2b-128 of the facts as a msgpack array. Source: RFC 7693.
    """
    canonical = (
        facts.orders,
        facts.refunds,
        facts.spend_minor,
        facts.late_spend_minor,
        facts.refunded_minor,
        facts.first_at_ms,
        facts.last_at_ms,
        facts.first_day,
        facts.first_day_spend_minor,
        facts.purchase_days,
        facts.old_days,
        list(facts.purchase_buckets()),
        list(facts.engagement_buckets()),
        sorted(facts.engagement_counts.items()),
    )
    return blake2b(_encode(canonical), digest_size=DIGEST_BYTES).digest()
