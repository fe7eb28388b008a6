"""Layouts of stored states as older versions had them, each under a name of its own.

They are written out in full and never change, whatever becomes of today's layout.
"""

from typing import Any

import msgspec

from models.packed import PACKED, unpacked


class _Version1(msgspec.Struct, array_like=True):
    """The first layout; lists are bytes where the state is packed (`models.packed`)."""

    version: int
    revision: int
    tier: str
    churn_level: str
    deadline_s: int
    as_of_ms: int
    predicted_minor: int
    at_risk_minor: int
    orders: int
    refunds: int
    spend_minor: int
    late_spend_minor: int
    refunded_minor: int
    first_at_ms: int
    last_at_ms: int
    first_day: int
    first_day_spend_minor: int
    purchase_days: int
    old_days: list[int | bytes]
    purchase_last_day: int
    purchase_gaps: list[int] | bytes
    purchase_orders: list[int] | bytes
    purchase_net_minor: list[int] | bytes
    engagement_last_day: int
    engagement_gaps: list[int] | bytes
    engagement_day_counts: list[int] | bytes
    engagement_counts: dict[int, int]
    purchase_ids: bytes
    engagement_ids: bytes
    last_event_id: str
    silent_s: int = 0  # it came without a new version, at the end: the first states lack it


_decode_version_1 = msgspec.msgpack.Decoder(_Version1).decode


def version_1(data: bytes) -> dict[str, Any]:
    """The fields of a state of version 1 by name, unpacked, the version left out.

    Raises:
        msgspec.DecodeError: the bytes are no state of version 1.
    """
    stored = _decode_version_1(data)
    fields = msgspec.structs.asdict(stored)
    if stored.version >= PACKED:
        fields = unpacked(fields)
    del fields["version"]
    return fields
