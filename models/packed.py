"""The layout of long histories: columns of fixed width, and days as bits.

A list of numbers costs up to nine bytes a number in msgpack, which would let a customer who buys
and clicks every day, in large amounts, grow beyond 8 KiB. Here a bucket costs at most sixteen
bytes and a few bits: 366 days of both kinds take 6 KiB.
"""

from typing import Any, Final, TypeVar

import msgspec
import numpy as np

from models.facts import Facts
from models.state_head import Summary

PACKED: Final = 64
"""Added to the version of a packed state; so versions end at 63."""

_LONG: Final = 128  # buckets or old days; below, lists are shorter or fast enough

_FactsT = TypeVar("_FactsT", bound=Facts)


class _Packed(Summary, array_like=True, gc=False):
    """The fields of a state, in the same order, with bytes in place of lists."""

    first_at_ms: int = 0
    last_at_ms: int = 0
    first_day: int = 0
    first_day_spend_minor: int = 0
    purchase_days: int = 0
    old_days: tuple[int, bytes] = (0, b"")
    purchase_last_day: int = 0
    purchase_gaps: bytes = b""
    purchase_orders: bytes = b""
    purchase_net_minor: bytes = b""
    engagement_last_day: int = 0
    engagement_gaps: bytes = b""
    engagement_day_counts: bytes = b""
    engagement_counts: dict[int, int] = msgspec.field(default_factory=dict)
    purchase_ids: bytes = b""
    engagement_ids: bytes = b""
    last_event_id: str = ""
    silent_s: int = 0
    chance_bp: int = -1


_decode_packed = msgspec.msgpack.Decoder(_Packed).decode

_NUMBER: Final = "<u4"  # events of one customer and day
_MONEY: Final = "<i8"


def is_long(facts: Facts) -> bool:
    """Whether the packed layout is the one to store."""
    return (
        len(facts.engagement_day_counts) > _LONG
        or len(facts.purchase_orders) > _LONG
        or len(facts.old_days) > _LONG
    )


def pack(facts: Facts) -> Summary:
    """The same facts in the packed layout, ready to be encoded."""
    fields = msgspec.structs.asdict(facts)
    old = facts.old_days
    last_old = old[-1] if old else 0
    return _Packed(
        **fields
        | {
            "version": facts.version + PACKED,
            "old_days": (last_old, _bits(last_old, old)),
            "purchase_gaps": _gap_bits(facts.purchase_gaps),
            "purchase_orders": np.array(facts.purchase_orders, _NUMBER).tobytes(),
            "purchase_net_minor": np.array(facts.purchase_net_minor, _MONEY).tobytes(),
            "engagement_gaps": _gap_bits(facts.engagement_gaps),
            "engagement_day_counts": np.array(facts.engagement_day_counts, _NUMBER).tobytes(),
        }
    )


def unpack(data: bytes, kind: type[_FactsT]) -> _FactsT:
    """The facts in the bytes of a packed state.

    Raises:
        msgspec.DecodeError: the bytes are no packed state.
    """
    return kind(**unpacked(msgspec.structs.asdict(_decode_packed(data))))


def unpacked(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a packed state, by name, with lists in place of bytes."""
    last_old, old = fields["old_days"]
    return fields | {
        "version": fields["version"] - PACKED,
        "old_days": (last_old - _ages(old)).tolist(),
        "purchase_gaps": _gaps(fields["purchase_gaps"]),
        "purchase_orders": np.frombuffer(fields["purchase_orders"], _NUMBER).tolist(),
        "purchase_net_minor": np.frombuffer(fields["purchase_net_minor"], _MONEY).tolist(),
        "engagement_gaps": _gaps(fields["engagement_gaps"]),
        "engagement_day_counts": np.frombuffer(fields["engagement_day_counts"], _NUMBER).tolist(),
    }


def _bits(last: int, days: list[int]) -> bytes:
    """One bit for each day from `last` back: set for those in the list."""
    if not days:
        return b""
    ages = last - np.array(days)
    bits = np.zeros(ages.max() + 1, np.uint8)
    bits[ages] = 1
    return np.packbits(bits).tobytes()


def _ages(bits: bytes) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Days before the last one for each bit that is set, oldest first."""
    ages = np.flatnonzero(np.unpackbits(np.frombuffer(bits, np.uint8)))[::-1]
    return ages.astype(np.int64)


def _gap_bits(gaps: list[int]) -> bytes:
    days = np.concatenate([[0], np.cumsum(gaps, dtype=np.int64)])
    return _bits(int(days[-1]), days.tolist())


def _gaps(bits: bytes) -> list[int]:
    return [int(gap) for gap in -np.diff(_ages(bits))]
