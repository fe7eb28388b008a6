"""How far a partition has come: in the changelog, under a key that no customer has."""

from typing import Final

import msgspec

KEY: Final = b""


class Progress(msgspec.Struct, frozen=True):
    """The value of that record, part of every transaction.

    Attributes:
        now_ms: time that the partition has reached, epoch milliseconds.
        offsets: by input topic, the next offset to apply.
    """

    now_ms: int = 0
    offsets: dict[str, int] = {}


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Progress).decode
