"""One customer's state, and its encoding: what the table and its changelog hold.

A state is one msgpack array. Its first element is the version of its layout, so that a state from
the future is recognised whatever it looks like; then follow the elements of `Summary`, `Facts`
and `State`, in that order. Long histories are packed (`models.packed`), which the number 64, added
to the version, tells.

To change the layout: raise `VERSION`; keep the old struct under a name of its own, with a function
that makes a `State` of it, in `_OLDER`; add a golden file of the new version to the tests, and
keep the old ones.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from models.facts import BUCKET_DAYS, TOTAL_MINOR_MAX, Facts, Outcome
from models.facts_digest import facts_digest
from models.older_states import version_1
from models.packed import PACKED, is_long, pack, unpack
from models.state_head import Summary

__all__ = [
    "BUCKET_DAYS",
    "TOTAL_MINOR_MAX",
    "VERSION",
    "Outcome",
    "State",
    "Summary",
    "UnknownVersion",
    "decode",
    "decode_summary",
    "encode",
    "facts_digest",
]

VERSION: Final = 2

NOTHING: Final = -1
"""No prediction is open, as there was no purchase yet where the window began."""

NOT_BEGUN: Final = -2
"""No prediction was ever made: the state was stored before predictions were judged."""

# A msgpack array of 16 to 65,535 elements starts with 0xdc and its size in two bytes; the version,
# a number below 128, is the byte after them. Source: msgpack specification, array 16, fixint.
_VERSION_AT: Final = 3
_PLAIN: Final = bytes([VERSION])
_LONG: Final = bytes([VERSION + PACKED])


class UnknownVersion(Exception):
    """A state was written by a newer program: upgrade this one, or go back to that one."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"the stored state has version {version}, and this program knows up to {VERSION}: "
            "run the newer program"
        )
        self.version = version


class State(Facts, array_like=True, gc=False):
    """All that is stored for one customer: `Summary`, then `Facts`, then what is only here.

    Attributes:
        silent_s: epoch second of the last tier or churn change that silence caused, by which a
            late event that proves it wrong is told; 0 for none.
        chance_bp: chance, in basis points, of a purchase in the window under way, as predicted
            where the window began (`models.verdicts`); NOTHING or NOT_BEGUN for none.
    """

    silent_s: int = 0
    chance_bp: int = NOTHING


class _Head(msgspec.Struct, array_like=True):
    version: int


_encode = msgspec.msgpack.Encoder().encode
_decode_state = msgspec.msgpack.Decoder(State).decode
_decode_summary = msgspec.msgpack.Decoder(Summary).decode
_decode_head = msgspec.msgpack.Decoder(_Head).decode

# Stands for a column of ones, as most are; that there are buckets at all, their last day says.
_ALL_ONES: list[int] = []


def _of_version_1(data: bytes) -> State:
    # When its customer is touched next, judging begins: what went before was chosen by hindsight.
    return _whole(State(**version_1(data), version=VERSION, chance_bp=NOT_BEGUN))


# What makes a state of today of the bytes of an older version.
_OLDER: dict[int, Callable[[bytes], State]] = {1: _of_version_1}


def encode(state: State) -> bytes:
    """The state as bytes, at most 8 KiB."""
    if is_long(state):
        return _encode(pack(state))
    orders, counts = state.purchase_orders, state.engagement_day_counts
    if orders.count(1) == len(orders):
        state.purchase_orders = _ALL_ONES
    if counts.count(1) == len(counts):
        state.engagement_day_counts = _ALL_ONES
    try:
        return _encode(state)
    finally:
        state.purchase_orders, state.engagement_day_counts = orders, counts


def decode(data: bytes) -> State:
    """The state in bytes that `encode` of this or an older version made.

    Raises:
        UnknownVersion: a newer version made them.
        msgspec.DecodeError: the bytes are no state.
    """
    if data[_VERSION_AT : _VERSION_AT + 1] == _PLAIN:
        return _whole(_decode_state(data))
    version = _decode_head(data).version
    if version == VERSION + PACKED:
        return unpack(data, State)
    version %= PACKED
    if version in _OLDER:
        return _OLDER[version](data)
    raise UnknownVersion(version)


def _whole(state: State) -> State:
    """The state with its columns of ones, which are not stored."""
    if not state.purchase_orders and state.purchase_last_day:
        state.purchase_orders = [1] * (len(state.purchase_gaps) + 1)
    if not state.engagement_day_counts and state.engagement_last_day:
        state.engagement_day_counts = [1] * (len(state.engagement_gaps) + 1)
    return state


def decode_summary(data: bytes) -> Summary:
    """The head of the state in bytes that `encode` made; a third of the cost of `decode`.

    Raises:
        UnknownVersion: a newer version made them.
        msgspec.DecodeError: the bytes are no state.
    """
    version = data[_VERSION_AT : _VERSION_AT + 1]
    if version == _PLAIN:
        return _decode_summary(data)
    if version == _LONG:
        summary = _decode_summary(data)
        summary.version = VERSION
        return summary
    return decode(data)
