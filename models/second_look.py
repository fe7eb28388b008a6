"""What the decoder refuses and the contract does not: found the slow way, off that of good events.

The decoder minds what is in fields that the contract ignores: half a character, or the value of a
key that stands a second time. So the named fields are taken by themselves. And it knows no leap
seconds.
"""

from typing import Any, TypeVar

import msgspec

from models.half_characters import whole_characters
from models.leap_seconds import without_leap_second
from models.reasons import BadEvent, Reason
from models.refusals import named_fields, refuse_faults

Message = TypeVar("Message", bound=msgspec.Struct)


def second_look(value: bytes, shape: type[Message], error: Exception) -> Message:
    """The message in a value that the decoder refused.

    Args:
        value: the bytes, not too many and not nested too deep.
        shape: the struct that they should have been; all of its fields are required.
        error: what the decoder said.

    Raises:
        BadEvent: there is none, with the reason; nothing else is ever raised.
    """
    if isinstance(error, UnicodeDecodeError):
        raise BadEvent(
            Reason.INVALID_JSON, f"not UTF-8: byte {error.start}, {error.reason}"
        ) from None
    try:
        fields = named_fields(whole_characters(value), shape)
        refuse_faults(fields)
        named: dict[str, Any] = {name: msgspec.Raw(raw) for name, raw in fields.items()}
        time = msgspec.json.decode(fields["occurred_at"])
        if isinstance(time, str):
            named["occurred_at"] = without_leap_second(time)
        return msgspec.json.decode(msgspec.json.encode(named), type=shape)
    # RecursionError: the caller's stack may be as deep as can be.
    except (msgspec.DecodeError, RecursionError) as malformed:
        raise BadEvent(Reason.INVALID_JSON, str(malformed)) from None
