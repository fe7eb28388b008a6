"""Why an event is refused: the codes of the `clv-reason` header and of the metric's label."""

from enum import StrEnum
from typing import NamedTuple, Self


class Reason(StrEnum):
    """Every reason for which an input event becomes a dead letter.

    The codes are part of the contract: they are the values of the header `clv-reason` and of the
    label `reason` of `clv_dead_letters_total`. An event with several faults has
    one reason, always the same: first what keeps it from being decoded (fields that are missing,
    of the wrong type, or a time that cannot be read), then the others, in the order of this list.
    """

    meaning: str
    """One sentence, for whoever reads the code."""

    def __new__(cls, code: str, meaning: str) -> Self:
        """A code, with what it means."""
        reason = str.__new__(cls, code)
        reason._value_, reason.meaning = code, meaning
        return reason

    EMPTY_VALUE = (
        "empty_value",
        "The record has a null value (a tombstone): an input topic is a log, nothing is deleted.",
    )
    TOO_LARGE = "too_large", "The value is over 64 KiB."
    INVALID_JSON = (
        "invalid_json",
        (
            "Not JSON (RFC 8259) in UTF-8, or nested over 256 levels deep; or a required field "
            "holds half a character, by an escape such as `\\ud83d` without the other half."
        ),
    )
    NOT_AN_OBJECT = "not_an_object", "JSON, but a list, a string, a number, a boolean or null."
    MISSING_FIELD = "missing_field", "A required field is not there."
    BAD_TYPE = (
        "bad_type",
        "A field has the wrong JSON type; numbers with a fraction or an exponent are no integers.",
    )
    EMPTY_ID = "empty_id", "`id` or `customer_id` is the empty string."
    ID_TOO_LONG = "id_too_long", "`id` or `customer_id` is over 256 bytes of UTF-8."
    UNKNOWN_TYPE = "unknown_type", "`type` of a purchase is neither `purchase` nor `refund`."
    BAD_AMOUNT = (
        "bad_amount",
        "`amount_minor` is negative or over 10^12, or would lift a customer's total over 2^62.",
    )
    BAD_CURRENCY = (
        "bad_currency",
        "`currency` is neither the reporting currency nor one with a rate.",
    )
    BAD_TIME = (
        "bad_time",
        (
            "`occurred_at` is no RFC 3339 time with an offset, or is before 2000 or after 9999; or "
            "the record's Kafka timestamp is over a day ahead of the worker's clock."
        ),
    )
    FUTURE_TIME = (
        "future_time",
        "`occurred_at` is further ahead of the record's own Kafka timestamp than is tolerated.",
    )
    KEY_MISMATCH = "key_mismatch", "The record has a key, and it is not the `customer_id`."


class Refusal(NamedTuple):
    """Why an event was refused.

    Attributes:
        reason: code, one of `Reason`; goes to metrics.
        detail: one sentence for people; never the whole value; goes to the dead letter's header.
    """

    reason: str
    detail: str


class BadEvent(Exception):
    """An input event that is refused: the only error that bad input ever causes.

    Whoever keeps something of it keeps its `refusal`: the error itself holds on to the frames
    that it came through, and so to their whole batch, until cycles are collected.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = self.refusal = Refusal(reason, detail)
