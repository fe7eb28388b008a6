"""Times finer than a microsecond: the decoder rounds them where fractions are to be cut off.

As Java writes an `Instant`, to the nanosecond: one in two thousand would be a millisecond late.
"""

import re
from typing import Final

import msgspec

from models.half_characters import whole_characters
from models.leap_seconds import without_leap_second
from models.refusals import named_fields

_ROUNDED_UP: Final = re.compile(r"\.\d{3}999[5-9]", re.ASCII)
_MAYBE_ROUNDED_UP: Final = re.compile(_ROUNDED_UP.pattern.encode())
_MAYBE_ESCAPED: Final = re.compile(rb"\\u00(?:2[eE]|3\d)")  # the point, a digit


def maybe_rounded_up(value: bytes) -> bool:
    """Whether some text in a message's bytes is such a time; cheap, and nearly always false."""
    # Single bytes are found faster than more of them, and most values hold neither.
    return (b"." in value and _MAYBE_ROUNDED_UP.search(value) is not None) or (
        b"\\" in value and _MAYBE_ESCAPED.search(value) is not None
    )


def was_rounded_up(value: bytes, shape: type[msgspec.Struct]) -> bool:
    """Whether `occurred_at`, decoded as a whole millisecond, lies in the one before.

    Args:
        value: a message's bytes.
        shape: the struct that it was decoded to.
    """
    time = msgspec.json.decode(named_fields(whole_characters(value), shape)["occurred_at"])
    return _ROUNDED_UP.search(without_leap_second(time)) is not None
