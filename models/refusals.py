"""The precise reason for which a value is refused: the slow way, taken by bad input only.

Every look at the value is linear in its size: integers are never parsed before their digits are
counted, and nesting is measured without recursion.
"""

import re
from collections.abc import Mapping
from datetime import datetime

import msgspec
import numpy as np

from models.half_characters import holds_half
from models.leap_seconds import without_leap_second
from models.reasons import BadEvent, Reason

ID_BYTES_MAX = 256
NESTING_MAX = 256
_QUOTED_MAX = 40
_INTEGER_DIGITS_MAX = 19  # 10^12 and the year 9999 in milliseconds have 13 and 15
_HUGE = 10**_INTEGER_DIGITS_MAX

_decode_any = msgspec.json.Decoder(msgspec.Raw).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_INTEGER = re.compile(rb"-?[0-9]+")
_JSON_TYPES = {
    ord('"'): "a string",
    ord("{"): "an object",
    ord("["): "a list",
    ord("t"): "a boolean",
    ord("f"): "a boolean",
    ord("n"): "null",
}


def quoted(text: str) -> str:
    """The text for a detail: escaped, and cut where it is long."""
    return repr(text if len(text) <= _QUOTED_MAX else text[:_QUOTED_MAX] + "…")


def shown(value: int | datetime) -> str:
    """A number or a time for a detail; of a huge number only its size, as printing it is slow."""
    if isinstance(value, int) and abs(value) >= _HUGE:
        return f"a number of {value.bit_length()} bits"
    return str(value)


def check_text(field: str, text: str) -> None:
    """Refuses an id that is empty or over 256 bytes of UTF-8.

    Raises:
        BadEvent: `empty_id` or `id_too_long`.
    """
    if not text:
        raise BadEvent(Reason.EMPTY_ID, f"`{field}` is empty")
    size = len(text.encode())
    if size > ID_BYTES_MAX:
        raise BadEvent(Reason.ID_TOO_LONG, f"`{field}` has {size} bytes, more than {ID_BYTES_MAX}")


def check_nesting(value: bytes) -> None:
    """Refuses a value nested over 256 levels deep.

    What the decoder itself can take depends on how deep its caller is: a limit of our own makes
    the verdict the same everywhere.

    Raises:
        BadEvent: `invalid_json`.
    """
    if value.count(b"[") + value.count(b"{") <= NESTING_MAX:
        return
    # Without escapes, every second piece between quotes is outside of strings.
    bare = value.replace(rb"\\", b"").replace(rb"\"", b"")
    brackets = b"".join(bare.split(b'"')[::2]).translate(None, _NOT_BRACKETS)
    codes = np.frombuffer(brackets, dtype=np.uint8)
    opening = (codes == ord("[")) | (codes == ord("{"))
    depth = np.cumsum(np.where(opening, 1, -1))
    if depth.size and depth.max() > NESTING_MAX:
        raise BadEvent(Reason.INVALID_JSON, f"nested over {NESTING_MAX} levels deep")


def named_fields(value: bytes, shape: type[msgspec.Struct]) -> dict[str, bytes]:
    """The JSON of each field that a message must have; of a key that stands twice, the last.

    Args:
        value: what could not be decoded.
        shape: the struct that it should have been; all of its fields are required.

    Raises:
        BadEvent: `not_an_object` or `missing_field`.
        msgspec.DecodeError: the value is no JSON.
    """
    whole = bytes(_decode_any(value))
    if not whole.startswith(b"{"):
        raise BadEvent(Reason.NOT_AN_OBJECT, f"an object, not {_json_type(whole)}")
    fields = _decode_fields(whole)
    for name in shape.__struct_fields__:
        if name not in fields:
            raise BadEvent(Reason.MISSING_FIELD, f"`{name}` is missing")
    return {name: bytes(fields[name]).strip() for name in shape.__struct_fields__}


def refuse_faults(fields: Mapping[str, bytes]) -> None:
    """Refuses fields of which one is no value of its type.

    Args:
        fields: the JSON of each.

    Raises:
        BadEvent: the first fault in the order of `Reason`, then of the fields.
    """
    faults = [fault for item in fields.items() if (fault := _fault(*item)) is not None]
    if faults:
        order: list[str] = list(Reason)
        raise min(faults, key=lambda fault: order.index(fault.reason))


def _json_type(raw: bytes) -> str:
    return _JSON_TYPES.get(raw[0], "a number")


def _fault(field: str, raw: bytes) -> BadEvent | None:
    """What is wrong with one field's JSON, if it is wrong by itself."""
    if raw.startswith(b'"') and holds_half(raw):
        return BadEvent(
            Reason.INVALID_JSON,
            f"`{field}` holds half a character: an escape such as `\\ud83d` without the other half",
        )
    if field == "amount_minor":
        return _integer_fault(field, raw, Reason.BAD_AMOUNT)
    if field == "occurred_at":
        if raw.startswith(b'"'):
            return _time_fault(raw)
        return _integer_fault(field, raw, Reason.BAD_TIME)
    if not raw.startswith(b'"'):
        return BadEvent(Reason.BAD_TYPE, f"`{field}` is a string, not {_json_type(raw)}")
    return None


def _integer_fault(field: str, raw: bytes, too_long: Reason) -> BadEvent | None:
    if not _INTEGER.fullmatch(raw):
        kind = _json_type(raw)
        exact = "a number with a fraction or an exponent" if kind == "a number" else kind
        return BadEvent(Reason.BAD_TYPE, f"`{field}` is an integer, not {exact}")
    digits = len(raw.lstrip(b"-"))
    if digits > _INTEGER_DIGITS_MAX:
        return BadEvent(too_long, f"`{field}` has {digits} digits")
    return None


def _time_fault(raw: bytes) -> BadEvent | None:
    text = _decode_text(raw)
    try:
        time = msgspec.convert(without_leap_second(text), datetime)
    except msgspec.ValidationError:
        return BadEvent(Reason.BAD_TIME, f"`occurred_at` is no RFC 3339 time: {quoted(text)}")
    if time.tzinfo is None:
        return BadEvent(Reason.BAD_TIME, f"`occurred_at` has no UTC offset: {quoted(text)}")
    return None
