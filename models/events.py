"""Input events: from the bytes of a Kafka record to a checked `Event`, or to a `BadEvent`.

The way of a good event is one pass of typed decoding and a few comparisons. Only when that pass
fails does `models.second_look` look again, slowly: for an event all the same, or for the reason.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from typing import Annotated

import msgspec

from models.currencies import conversions
from models.fine_times import maybe_rounded_up, was_rounded_up
from models.reasons import BadEvent, Reason
from models.refusals import ID_BYTES_MAX, check_nesting, check_text, quoted, shown
from models.second_look import second_look
from models.times import spoken

__all__ = ["ENGAGEMENT_TYPES", "BadEvent", "Decoder", "Event", "Kind", "Reason"]

VALUE_BYTES_MAX = 64 * 1024
AMOUNT_MINOR_MAX = 10**12
TIME_MS_MIN = 946_684_800_000  # 2000-01-01T00:00:00Z
TIME_MS_MAX = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z, the end of RFC 3339

# UTF-8 needs at most four bytes a character, so shorter strings need no counting of bytes.
_SURELY_SHORT = ID_BYTES_MAX // 4
# Each level of nesting takes two bytes, so shorter values cannot be too deep.
_SURELY_SHALLOW = 512

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Kind(IntEnum):
    """What an event is."""

    PURCHASE = 0
    REFUND = 1
    ENGAGEMENT = 2


_PURCHASE, _REFUND, _ENGAGEMENT = int(Kind.PURCHASE), int(Kind.REFUND), int(Kind.ENGAGEMENT)

# The order is part of the stored state: append before "other" only with a new state version.
ENGAGEMENT_TYPES: tuple[str, ...] = (
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
    "other",
)
_OTHER = len(ENGAGEMENT_TYPES) - 1
_ENGAGEMENT_INDEX = {name: index for index, name in enumerate(ENGAGEMENT_TYPES)}


class Event(msgspec.Struct, frozen=True, gc=False):
    """One checked input event.

    Attributes:
        kind: a `Kind`, as a plain integer.
        customer: `customer_id` in UTF-8, 1 to 256 bytes; the key of everything.
        id: the publisher's id of the event, 1 to 256 bytes in UTF-8.
        at_ms: when it happened, epoch milliseconds UTC, 2000 to 9999.
        amount_minor: minor units of the reporting currency, >= 0 (refunds too); 0 for engagements.
        engagement: index into `ENGAGEMENT_TYPES`; -1 for purchases and refunds.
    """

    kind: int
    customer: bytes
    id: str
    at_ms: int
    amount_minor: int
    engagement: int


# A date-time must have an offset: a time without one is some time within a day.
_Time = int | Annotated[datetime, msgspec.Meta(tz=True)]


class PurchaseMessage(msgspec.Struct, gc=False):
    """What a record of `clv.purchases` must hold, as its publisher writes it.

    Attributes:
        id: names the event, once and for all, within the customer.
        type: `purchase` or `refund`.
        customer_id: the Kafka key.
        occurred_at: when it happened: RFC 3339 with an offset, or epoch milliseconds; a leap
            second (`:60`) is the last millisecond of its minute.
        amount_minor: minor units of `currency`; of a refund too it is positive. An event that
            would lift a total of the customer over 2^62 is refused.
        currency: ISO 4217 code.
    """

    id: str
    type: str
    customer_id: str
    occurred_at: _Time
    amount_minor: int
    currency: str


class EngagementMessage(msgspec.Struct, gc=False):
    """What a record of `clv.engagements` must hold, as its publisher writes it.

    Attributes:
        id: names the event, once and for all, within the customer.
        type: a known one, or any other, which counts as `other`.
        customer_id: the Kafka key.
        occurred_at: when it happened: RFC 3339 with an offset, or epoch milliseconds; a leap
            second (`:60`) is the last millisecond of its minute.
    """

    id: str
    type: str
    customer_id: str
    occurred_at: _Time


_decode_purchase = msgspec.json.Decoder(PurchaseMessage).decode
_decode_engagement = msgspec.json.Decoder(EngagementMessage).decode

# RecursionError: no value that passes `check_nesting` is that deep, but the caller's stack may be.
_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Decoder:
    """Turns the records of the input topics into events, or says why it refuses them.

    Whatever the bytes, the result is an `Event` or a `BadEvent`, nothing else. Fields not in the
    contract are ignored, half a character in them, too. Of a key that an object has twice, the
    last counts. Fractions of a millisecond are cut off.

    Args:
        currency: the reporting currency, ISO 4217.
        rates: value in the reporting currency of one unit of each other currency.
        future_tolerance_ms: how far ahead of its record's Kafka timestamp an event may be.

    Raises:
        ValueError: a rate is not above 0, or the reporting currency's own is not 1.
    """

    __slots__ = ("_conversions", "_currency", "_future_tolerance_ms")

    def __init__(
        self, currency: str, rates: Mapping[str, Decimal | float], future_tolerance_ms: int
    ) -> None:
        self._currency = currency
        self._conversions = conversions(currency, rates)
        self._future_tolerance_ms = future_tolerance_ms

    def purchase(self, value: bytes | None, key: bytes | None, timestamp_ms: int) -> Event:
        """The event in a record of `clv.purchases`.

        Args:
            value: the record's value.
            key: the record's key; None where the publisher set none.
            timestamp_ms: the record's Kafka timestamp, epoch milliseconds.

        Returns:
            A purchase or a refund, its amount in minor units of the reporting currency.

        Raises:
            BadEvent: the record breaks the contract; nothing else is ever raised.

        Source: `clv schema purchase`; `models.reasons`, for what is refused.
        """
        try:
            raw = _decode_purchase(_checked(value))
        except _MALFORMED as error:
            raw = second_look(value or b"", PurchaseMessage, error)
        customer = _checked_ids(raw.id, raw.customer_id)
        kind = _PURCHASE if raw.type == "purchase" else _REFUND
        if kind == _REFUND and raw.type != "refund":
            raise BadEvent(
                Reason.UNKNOWN_TYPE, f"`type` is purchase or refund, not {quoted(raw.type)}"
            )
        amount = raw.amount_minor
        if not 0 <= amount <= AMOUNT_MINOR_MAX:
            raise BadEvent(Reason.BAD_AMOUNT, f"`amount_minor` is 0 to 10^12, not {shown(amount)}")
        if raw.currency != self._currency:
            amount = self._converted(amount, raw.currency)
        at_ms = self._checked_time(raw, value, timestamp_ms)
        if key is not None and key != customer:
            raise _key_mismatch(key)
        return Event(kind, customer, raw.id, at_ms, amount, -1)

    def engagement(self, value: bytes | None, key: bytes | None, timestamp_ms: int) -> Event:
        """The event in a record of `clv.engagements`; see `purchase`.

        Returns:
            An engagement; a type that the contract does not know counts as `other`.

        Raises:
            BadEvent: the record breaks the contract; nothing else is ever raised.

        Source: `clv schema engagement`; `models.reasons`, for what is refused.
        """
        try:
            raw = _decode_engagement(_checked(value))
        except _MALFORMED as error:
            raw = second_look(value or b"", EngagementMessage, error)
        customer = _checked_ids(raw.id, raw.customer_id)
        at_ms = self._checked_time(raw, value, timestamp_ms)
        if key is not None and key != customer:
            raise _key_mismatch(key)
        return Event(
            _ENGAGEMENT, customer, raw.id, at_ms, 0, _ENGAGEMENT_INDEX.get(raw.type, _OTHER)
        )

    def _checked_time(
        self,
        raw: PurchaseMessage | EngagementMessage,
        value: bytes | None,
        timestamp_ms: int,
    ) -> int:
        time = raw.occurred_at
        if isinstance(time, int):
            at_ms = time
        else:
            at_ms = (time - _EPOCH) // _MILLISECOND
            if (
                not time.microsecond % 1000
                and maybe_rounded_up(value or b"")
                and was_rounded_up(value or b"", type(raw))
            ):
                at_ms -= 1
        if not TIME_MS_MIN <= at_ms <= TIME_MS_MAX:
            raise BadEvent(
                Reason.BAD_TIME,
                "`occurred_at` is from 2000 to 9999, in milliseconds where it is a number, "
                f"not {shown(time)}",
            )
        if at_ms - timestamp_ms > self._future_tolerance_ms:
            raise BadEvent(
                Reason.FUTURE_TIME,
                f"`occurred_at` is {spoken(at_ms - timestamp_ms)} ahead of the record's timestamp, "
                f"and the tolerance is {spoken(self._future_tolerance_ms)}",
            )
        return at_ms

    def _converted(self, amount_minor: int, currency: str) -> int:
        convert = self._conversions.get(currency)
        if convert is None:
            known = ", ".join(sorted({self._currency, *self._conversions}))
            raise BadEvent(
                Reason.BAD_CURRENCY,
                f"`currency` {quoted(currency)} has no rate; known are {known}",
            )
        return convert(amount_minor)


def _checked(value: bytes | None) -> bytes:
    """The value, if its size, encoding and depth are those of a message."""
    if value is None:
        raise BadEvent(Reason.EMPTY_VALUE, "the value is null")
    size = len(value)
    if size > _SURELY_SHALLOW:
        if size > VALUE_BYTES_MAX:
            raise BadEvent(
                Reason.TOO_LARGE, f"the value has {size} bytes, more than {VALUE_BYTES_MAX}"
            )
        check_nesting(value)
    if not value.isascii():
        value.decode()  # msgspec does not look into the strings that it skips
    return value


def _checked_ids(event_id: str, customer_id: str) -> bytes:
    """`customer_id` in UTF-8, if it and `id` are neither empty nor too long."""
    if not 0 < len(event_id) <= _SURELY_SHORT:
        check_text("id", event_id)
    if not 0 < len(customer_id) <= _SURELY_SHORT:
        check_text("customer_id", customer_id)
    return customer_id.encode()


def _key_mismatch(key: bytes) -> BadEvent:
    return BadEvent(
        Reason.KEY_MISMATCH,
        f"the record's key is not `customer_id`: {quoted(key.decode(errors='replace'))}",
    )
