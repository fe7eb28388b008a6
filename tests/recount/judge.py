"""Which input records are events, and what is wrong with the others.

Where a record has several faults, the contract does not say which one is named; so the verdict is
the set of all of them, and any is right.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from typing import Any, NamedTuple

PURCHASES, ENGAGEMENTS = "clv.purchases", "clv.engagements"
KNOWN_TYPES = frozenset(
    {
        "page_view",
        "search",
        "add_to_cart",
        "email_open",
        "email_click",
        "push_open",
        "app_session",
        "support_ticket",
        "review",
        "survey",
        "referral",
        "community_post",
        "subscription_start",
        "subscription_renew",
        "subscription_cancel",
        "unsubscribe",
    }
)
VALUE_BYTES_MAX = 64 * 1024
ID_BYTES_MAX = 256
AMOUNT_MAX = 10**12
YEAR_2000_MS = 946_684_800_000
YEAR_9999_MS = 253_402_300_799_999
NESTING_MAX = 256
INTEGER_DIGITS_MAX = 19
# Required fields, and whether they are strings.
_ENGAGEMENT = {"id": True, "type": True, "customer_id": True, "occurred_at": False}
_PURCHASE = {**_ENGAGEMENT, "currency": True, "amount_minor": False}
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_MINOR_DIGITS = {"JPY": 0, "KRW": 0, "KWD": 3, "BHD": 3}
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ]([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(?:\.(\d+))?"
    r"(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))",
    re.ASCII,
)


@dataclass(frozen=True)
class Rules:
    """The settings that the facts depend on; defaults are the contract's."""

    partitions: int = 4
    currency: str = "EUR"
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    future_tolerance_ms: int = 3_600_000
    retention_days: int = 730
    timezone: str = "UTC"


class Event(NamedTuple):
    """A good record; `amount` in the reporting currency's minor units."""

    type: str
    customer: str
    id: str
    at_ms: int
    amount: int


class Huge:
    """An integer of so many digits that nothing in the contract can be it."""


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _bounded(digits: str) -> Any:
    return int(digits) if len(digits) <= INTEGER_DIGITS_MAX else Huge()


_decode = json.JSONDecoder(parse_constant=_no_constant, parse_int=int).decode
_decode_bounded = json.JSONDecoder(parse_constant=_no_constant, parse_int=_bounded).decode


def judge(
    rules: Rules, topic: str, key: bytes | None, value: bytes | None, timestamp_ms: int
) -> Event | frozenset[str]:
    """The event in a record, or the codes of all that is wrong with it."""
    if value is None:
        return frozenset({"empty_value"})
    if len(value) > VALUE_BYTES_MAX:
        return frozenset({"too_large"})
    fields = _parse(value)
    if fields is None:
        return frozenset({"invalid_json"})
    if type(fields) is not dict:
        return frozenset({"not_an_object"})
    return _judge_fields(rules, topic, key, fields, timestamp_ms)


def _parse(value: bytes) -> Any:
    """The JSON in a value; None where there is none, `False` for null."""
    if value.count(b"[") + value.count(b"{") > NESTING_MAX and _depth(value) > NESTING_MAX:
        return None
    try:
        text = value.decode()
        try:
            fields = _decode(text)
        except ValueError:
            fields = _decode_bounded(text)  # integers too long for Python's `int`
    except (ValueError, RecursionError):
        return None
    return False if fields is None else fields


def _depth(value: bytes) -> int:
    deepest = depth = 0
    inside = escaped = False
    for byte in value:
        if escaped:
            escaped = False
        elif inside:
            escaped = byte == 0x5C
            inside = byte != 0x22
        elif byte == 0x22:
            inside = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


def _judge_fields(
    rules: Rules, topic: str, key: bytes | None, fields: dict[str, Any], timestamp_ms: int
) -> Event | frozenset[str]:
    faults: set[str] = set()
    money = topic == PURCHASES
    _judge_shape(_PURCHASE if money else _ENGAGEMENT, fields, faults)
    at_ms = 0
    if "occurred_at" in fields:
        at_ms = _judge_time(rules, fields["occurred_at"], timestamp_ms, faults)
    amount = _judge_amount(rules, fields, faults) if money else 0
    customer, kind = fields.get("customer_id"), fields.get("type")
    if money and type(kind) is str and kind not in {"purchase", "refund"}:
        faults.add("unknown_type")
    if key is not None and type(customer) is str and key != customer.encode(errors="replace"):
        faults.add("key_mismatch")
    if faults:
        return frozenset(faults)
    if not money and kind not in KNOWN_TYPES:
        kind = "other"
    return Event(str(kind), str(customer), fields["id"], at_ms, amount)


def _judge_shape(shape: Mapping[str, bool], fields: dict[str, Any], faults: set[str]) -> None:
    for name, is_text in shape.items():
        if name not in fields:
            faults.add("missing_field")
        elif is_text and type(fields[name]) is not str:
            faults.add("bad_type")
        elif type(fields[name]) is str and _has_half_a_character(fields[name]):
            faults.add("invalid_json")
    for name in ("id", "customer_id"):
        text = fields.get(name)
        if type(text) is str:
            _judge_id(text, faults)


def _has_half_a_character(text: str) -> bool:
    """Whether an escape stood for a surrogate without its other half; such a text is no UTF-8."""
    return not text.isascii() and any(0xD800 <= ord(letter) <= 0xDFFF for letter in text)


def _judge_id(text: str, faults: set[str]) -> None:
    if not text:
        faults.add("empty_id")
    elif len(text) * 4 > ID_BYTES_MAX and len(text.encode(errors="replace")) > ID_BYTES_MAX:
        faults.add("id_too_long")


def _judge_amount(rules: Rules, fields: dict[str, Any], faults: set[str]) -> int:
    amount, currency = fields.get("amount_minor"), fields.get("currency")
    if type(amount) is Huge:
        faults.add("bad_amount")
    elif type(amount) is not int:
        if "amount_minor" in fields:
            faults.add("bad_type")
    elif not 0 <= amount <= AMOUNT_MAX:
        faults.add("bad_amount")
    elif currency == rules.currency:
        return amount
    elif type(currency) is str and currency in rules.rates:
        return converted(rules, amount, currency)
    if type(currency) is str and currency != rules.currency and currency not in rules.rates:
        faults.add("bad_currency")
    return 0


def converted(rules: Rules, amount: int, currency: str) -> int:
    """Minor units of one currency as minor units of the reporting currency."""
    digits = _MINOR_DIGITS.get(rules.currency, 2) - _MINOR_DIGITS.get(currency, 2)
    exact = (Decimal(amount) * rules.rates[currency]).scaleb(digits)
    return int(exact.to_integral_value(ROUND_HALF_EVEN))


def _judge_time(rules: Rules, time: Any, timestamp_ms: int, faults: set[str]) -> int:
    if type(time) is str:
        at_ms = parse_time(time)
    elif type(time) is int:
        at_ms = time
    elif type(time) is Huge:
        at_ms = None
    else:
        faults.add("bad_type")
        return 0
    if at_ms is None or not YEAR_2000_MS <= at_ms <= YEAR_9999_MS:
        faults.add("bad_time")
        return 0
    if at_ms > timestamp_ms + rules.future_tolerance_ms:
        faults.add("future_time")
    return at_ms


def parse_time(text: str) -> int | None:
    """Epoch milliseconds of an RFC 3339 time, fractions of a millisecond cut off; else None.

    Of a leap second, the 61st of its minute, there are none: it is the millisecond before the next
    minute.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    day, hour, minute, second, fraction, sign, off_hour, off_minute = match.groups()
    number = _day_number(day)
    if number is None:
        return None
    seconds = number * 86_400 + int(hour) * 3600 + int(minute) * 60 + int(second)
    if sign:
        offset = int(off_hour) * 3600 + int(off_minute) * 60
        seconds += offset if sign == "-" else -offset
    if second == "60":
        return seconds * 1000 - 1
    return seconds * 1000 + (int((fraction + "00")[:3]) if fraction else 0)


@lru_cache(maxsize=20_000)
def _day_number(text: str) -> int | None:
    try:
        return date.fromisoformat(text).toordinal() - _EPOCH_ORDINAL
    except ValueError:
        return None
