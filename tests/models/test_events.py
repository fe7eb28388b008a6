"""Input events: CONTRACT.md's examples are accepted, each row of its table of bad input refused."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.events import ENGAGEMENT_TYPES, BadEvent, Decoder, Event, Kind, Reason

# CONTRACT.md, In: the two examples.
PURCHASE: dict[str, Any] = {
    "id": "o-1001",
    "type": "purchase",
    "customer_id": "42",
    "occurred_at": "2026-03-01T09:30:00Z",
    "amount_minor": 4999,
    "currency": "EUR",
    "order_id": "1001",
    "channel": "web",
    "category": "shoes",
}
ENGAGEMENT: dict[str, Any] = {
    "id": "e-1",
    "type": "page_view",
    "customer_id": "42",
    "occurred_at": 1772357400000,
    "channel": "app",
    "properties": {"nps": 9},
}
AT_MS = 1772357400000  # 2026-03-01T09:30:00Z
HOUR_MS = 3_600_000
DECODER = Decoder("EUR", {"USD": Decimal("0.92"), "JPY": 0.0061}, HOUR_MS)


def purchase(value: bytes | None = None, key: bytes | None = b"42", **changed: Any) -> Event:
    value = json.dumps(PURCHASE | changed).encode() if value is None else value
    return DECODER.purchase(value, key, AT_MS)


def engagement(key: bytes | None = b"42", **changed: Any) -> Event:
    return DECODER.engagement(json.dumps(ENGAGEMENT | changed).encode(), key, AT_MS)


def without(fields: dict[str, Any], name: str) -> bytes:
    return json.dumps({k: v for k, v in fields.items() if k != name}).encode()


def refusal(call: Any, *args: Any, **kwargs: Any) -> BadEvent:
    with pytest.raises(BadEvent) as caught:
        call(*args, **kwargs)
    assert caught.value.reason in list(Reason)
    assert caught.value.detail
    assert "\n" not in caught.value.detail
    return caught.value


def reason(**changed: Any) -> str:
    return refusal(purchase, **changed).reason


def test_the_contracts_purchase() -> None:
    assert purchase() == Event(Kind.PURCHASE, b"42", "o-1001", AT_MS, 4999, -1)


def test_the_contracts_engagement() -> None:
    assert engagement() == Event(Kind.ENGAGEMENT, b"42", "e-1", AT_MS, 0, 0)


def test_a_refund() -> None:
    assert purchase(type="refund").kind == Kind.REFUND


def test_optional_fields_may_be_missing_and_unknown_ones_are_ignored() -> None:
    required = {k: v for k, v in PURCHASE.items() if k not in {"order_id", "channel", "category"}}
    required["new"] = {"deep": [1, None, {"x": 1e300}]}
    assert DECODER.purchase(json.dumps(required).encode(), None, AT_MS) == purchase()


def test_no_key_is_fine() -> None:
    assert purchase(key=None) == purchase()


# CONTRACT.md, In: known types.
KNOWN = re.findall(
    r"\w+",
    "page_view search add_to_cart email_open email_click push_open app_session support_ticket "
    "review survey referral community_post subscription_start subscription_renew "
    "subscription_cancel unsubscribe",
)


def test_engagement_types_are_the_contracts_in_its_order() -> None:
    assert [*KNOWN, "other"] == list(ENGAGEMENT_TYPES)
    assert [engagement(type=name).engagement for name in KNOWN] == list(range(16))


@pytest.mark.parametrize("name", ["other", "purchase", "", "Page_View", "käse"])
def test_any_other_engagement_type_is_other(name: str) -> None:
    assert engagement(type=name).engagement == 16


# --- form -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b"nope",
        b"{",
        b"{}}",
        b'{"id": }',
        b"{'id': 1}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 01}',
        b'{"a": 1,}',
        b'{"a": "\x01"}',
        b"\xef\xbb\xbf{}",  # a byte order mark
        b"\xff\xfe{\x00}\x00",
        json.dumps(PURCHASE).encode("utf-16"),
        json.dumps(PURCHASE).encode() + b" x",
        json.dumps(PURCHASE).encode() + b"\0",
        b"[" * 60_000,
        b'{"a":' * 10_000,
    ],
)
def test_not_json(value: bytes) -> None:
    assert refusal(purchase, value).reason == "invalid_json"


@pytest.mark.parametrize("field", ["id", "customer_id", "category", "unknown"])
def test_invalid_utf8_anywhere(field: str) -> None:
    value = json.dumps(PURCHASE | {field: "@@"}).encode().replace(b"@@", b"\xff\xfe")
    bad = refusal(purchase, value)
    assert bad.reason == "invalid_json"
    assert "UTF-8" in bad.detail


@pytest.mark.parametrize("half", ["\\ud800", "\\udc00", "\\udc00\\ud800", "\\ud800x"])
@pytest.mark.parametrize("field", ["id", "customer_id"])
def test_half_of_a_surrogate_pair(field: str, half: str) -> None:
    value = json.dumps(PURCHASE | {field: "@@"}).replace("@@", half).encode()
    assert refusal(purchase, value).reason == "invalid_json"


def test_a_whole_surrogate_pair_is_a_character() -> None:
    value = json.dumps(PURCHASE | {"customer_id": "😀"}).encode()
    assert b"\\ud83d\\ude00" in value
    assert DECODER.purchase(value, "😀".encode(), AT_MS).customer == "😀".encode()


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (b"[]", "a list"),
        (b'"text"', "a string"),
        (b"5", "a number"),
        (b"true", "a boolean"),
        (b"null", "null"),
    ],
)
def test_not_an_object(value: bytes, named: str) -> None:
    bad = refusal(purchase, value)
    assert bad.reason == "not_an_object"
    assert named in bad.detail


def test_null_value() -> None:
    bad = refusal(DECODER.purchase, None, b"42", AT_MS)
    assert bad.reason == "empty_value"
    assert refusal(DECODER.engagement, None, None, AT_MS).reason == "empty_value"


def test_64_kib_is_accepted_and_a_byte_more_refused() -> None:
    value = json.dumps(PURCHASE).encode()
    assert purchase(value.ljust(65536)) == purchase()
    assert refusal(purchase, value.ljust(65537)).reason == "too_large"
    assert refusal(purchase, b"\xff" * 70_000).reason == "too_large"


def nested(depth: int) -> bytes:
    return json.dumps(PURCHASE).encode()[:-1] + b', "x": ' + b"[" * depth + b"]" * depth + b"}"


def test_nesting_of_256_is_accepted_and_one_more_refused() -> None:
    assert purchase(nested(255)) == purchase()
    assert refusal(purchase, nested(256)).reason == "invalid_json"
    assert "256" in refusal(purchase, nested(256)).detail


def test_brackets_in_strings_and_side_by_side_are_no_nesting() -> None:
    text = '[[[{{{\\"[\\\\' * 2000
    assert purchase(category=text) == purchase()
    assert purchase(properties=[[], {}] * 2000) == purchase()


@pytest.mark.parametrize("name", ["id", "type", "customer_id", "occurred_at"])
def test_missing_fields(name: str) -> None:
    for bad in (
        refusal(DECODER.purchase, without(PURCHASE, name), None, AT_MS),
        refusal(DECODER.engagement, without(ENGAGEMENT, name), None, AT_MS),
    ):
        assert bad.reason == "missing_field"
        assert f"`{name}`" in bad.detail


@pytest.mark.parametrize("name", ["amount_minor", "currency"])
def test_missing_fields_of_purchases(name: str) -> None:
    bad = refusal(DECODER.purchase, without(PURCHASE, name), None, AT_MS)
    assert (bad.reason, f"`{name}`" in bad.detail) == ("missing_field", True)


@pytest.mark.parametrize("wrong", [5, 1.5, True, None, [], {}, ["42"]])
@pytest.mark.parametrize("name", ["id", "type", "customer_id", "currency"])
def test_texts_of_the_wrong_type(name: str, wrong: Any) -> None:
    bad = refusal(purchase, **{name: wrong})
    assert (bad.reason, f"`{name}`" in bad.detail) == ("bad_type", True)
    if name != "currency":
        assert refusal(engagement, **{name: wrong}).reason == "bad_type"


@pytest.mark.parametrize("wrong", [1.5, 4999.0, 1e3, True, False, None, [], {}, "4999"])
@pytest.mark.parametrize("name", ["amount_minor", "occurred_at"])
def test_integers_of_the_wrong_type(name: str, wrong: Any) -> None:
    if (name, wrong) == ("occurred_at", "4999"):
        assert reason(occurred_at=wrong) == "bad_time"  # a string may be a time; this is none
    else:
        bad = refusal(purchase, **{name: wrong})
        assert (bad.reason, f"`{name}`" in bad.detail) == ("bad_type", True)


@pytest.mark.parametrize("text", ["", "1e400", "1E3", "-0.0"])
def test_numbers_that_are_no_integers(text: str) -> None:
    value = json.dumps(PURCHASE).replace("4999", text).encode()
    assert refusal(purchase, value).reason == ("bad_type" if text else "invalid_json")


# --- content --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["id", "customer_id"])
def test_ids_are_1_to_256_bytes(name: str) -> None:
    for text in ("x" * 256, "é" * 128, "😀" * 64, "\0", " "):
        assert purchase(key=None, **{name: text})
        assert engagement(key=None, **{name: text})
    assert reason(**{name: ""}) == "empty_id"
    assert refusal(engagement, **{name: ""}).reason == "empty_id"
    for text in ("x" * 257, "é" * 129, "😀" * 65, "x" * 60_000):
        bad = refusal(purchase, **{name: text})
        assert (bad.reason, f"`{name}`" in bad.detail) == ("id_too_long", True)


@pytest.mark.parametrize("name", ["order", "Purchase", "", "page_view", "x" * 10_000])
def test_a_purchase_is_a_purchase_or_a_refund(name: str) -> None:
    bad = refusal(purchase, type=name)
    assert bad.reason == "unknown_type"
    assert len(bad.detail) < 200


def test_amounts_are_0_to_a_million_million() -> None:
    for amount in (0, 1, 10**12):
        assert purchase(amount_minor=amount).amount_minor == amount
        assert purchase(amount_minor=amount, type="refund").amount_minor == amount
    for amount in (-1, 10**12 + 1, 2**63, 2**64, 10**19, -(10**30), 10**4000):
        assert reason(amount_minor=amount) == "bad_amount"


def test_currencies() -> None:
    assert purchase(currency="USD").amount_minor == 4599  # 4999 x 0.92 = 4599.08
    assert purchase(currency="JPY").amount_minor == 3049  # 4999 yen x 0.0061 x 100 = 3049.39
    for currency in ("GBP", "eur", "", "EUR ", "x" * 10_000):
        bad = refusal(purchase, currency=currency)
        assert bad.reason == "bad_currency"
        assert "EUR, JPY, USD" in bad.detail


@pytest.mark.parametrize(
    "time",
    [
        AT_MS,
        "2026-03-01T09:30:00Z",
        "2026-03-01T09:30:00.000Z",
        "2026-03-01t09:30:00z",
        "2026-03-01 09:30:00Z",
        "2026-03-01T10:30:00+01:00",
        "2026-02-28T22:00:00-11:30",
        "2026-03-01T09:30:00-00:00",
        "2026-03-01T09:30:00.000999Z",
    ],
)
def test_the_same_instant_written_in_many_ways(time: Any) -> None:
    assert purchase(occurred_at=time).at_ms == AT_MS


@pytest.mark.parametrize(
    "time",
    [
        "2016-12-31T23:59:60Z",  # the two of RFC 3339's like: one instant
        "2016-12-31T18:59:60-05:00",
        "2016-12-31t23:59:60.5z",
        "2016-12-31 23:59:60.999999+00:00",
        "2017-01-01T05:29:60+05:30",
    ],
)
def test_a_leap_second_is_the_last_millisecond_of_its_minute(time: str) -> None:
    last = 1_483_228_799_999  # 2016-12-31T23:59:59.999Z
    value = json.dumps(PURCHASE | {"occurred_at": time}).encode()
    assert DECODER.purchase(value, None, last).at_ms == last
    value = json.dumps(ENGAGEMENT | {"occurred_at": time}).encode()
    assert DECODER.engagement(value, None, last).at_ms == last
    assert DECODER.engagement(value.replace(b"60", rb"\u00360"), None, last).at_ms == last


def test_a_leap_second_that_is_refused_is_named_as_it_came() -> None:
    for time in ("2026-03-01T23:59:60", "2026-02-30T23:59:60Z"):
        assert f"'{time}'" in refusal(purchase, occurred_at=time).detail
    bad = refusal(purchase, occurred_at="2026-03-01T23:59:60Z")
    assert bad.reason == "future_time"


def test_milliseconds_are_kept_and_what_is_finer_cut_off() -> None:
    assert purchase(occurred_at="2026-03-01T09:30:00.123Z").at_ms == AT_MS + 123
    assert purchase(occurred_at="2026-03-01T09:30:00.123987Z").at_ms == AT_MS + 123


@given(
    st.text("0123456789", min_size=1, max_size=12)
    | st.from_regex(r"[0-9]{3}999[0-9]{1,6}", fullmatch=True)
)
@example("123999999")  # as Java writes an Instant
@example("123999499")
@example("999999999")
@example("9999995")
def test_fractions_are_cut_off_however_fine_they_are(fraction: str) -> None:
    at_ms = AT_MS + int(fraction.ljust(3, "0")[:3])
    for decode in (purchase, engagement):
        assert decode(occurred_at=f"2026-03-01T09:30:00.{fraction}Z").at_ms == at_ms
        assert decode(occurred_at=f"2026-03-01T11:00:00.{fraction}+01:30").at_ms == at_ms


@pytest.mark.parametrize("escaped", [r"\u002e123999999", r"\u002E123999999", r".123\u003999999"])
def test_a_fraction_may_be_escaped(escaped: str) -> None:
    value = json.dumps(PURCHASE | {"occurred_at": "2026-03-01T09:30:00@Z"}).replace("@", escaped)
    assert DECODER.purchase(value.encode(), None, AT_MS).at_ms == AT_MS + 123


@pytest.mark.parametrize("wanted", ["2026-03-01T09:30:00Z", "2026-03-01T09:30:00.123Z"])
@pytest.mark.parametrize("price", [999, 4999, 1_239_999])
def test_a_common_price_does_not_lead_off_the_way_of_good_events(
    price: int, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.events.was_rounded_up", None)  # whoever calls it fails
    assert purchase(amount_minor=price, occurred_at=wanted).amount_minor == price


def test_an_apostrophe_that_is_escaped_does_not_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Gson and System.Text.Json write it, and `<`, `>`, `&`, `+` and `=`."""
    monkeypatch.setattr("models.events.was_rounded_up", None)  # whoever calls it fails
    escapes = r"Men\u0027s \u003c\u003e\u0026\u002b\u002B\u003d\u003D\u0022"
    value = json.dumps(PURCHASE | {"category": "@"}).replace("@", escapes)
    assert DECODER.purchase(value.encode(), None, AT_MS).at_ms == AT_MS


@pytest.mark.parametrize(
    "time",
    [
        "2026-03-01T09:30:00",  # no offset: some time within a day
        "2026-03-01",
        "yesterday",
        "",
        "1772357400000",
        "2026-02-30T00:00:00Z",
        "2026-03-01T24:00:00Z",
        "2026-03-01T23:59:61Z",
        "2026-03-01T24:59:60Z",
        "2026-03-01T23:59:60",
        "2026-03-01T23:59:60.Z",
        "2026-03-01T23:59:600Z",
        "2026-02-30T23:59:60Z",
        "1999-12-31T23:59:60Z",
        "9999-12-31T23:59:60-00:01",
        "2026-03-01T09:30:00+24:00",
        "1999-12-31T23:59:59.999Z",
        "2000-01-01T00:30:00+01:00",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        -1,
        0,
        1772357400,  # seconds: 21 January 1970 in milliseconds
        946_684_799_999,
        253_402_300_800_000,
        10**18,
        10**30,
        10**4000,
        "x" * 60_000,
    ],
    ids=lambda time: str(time)[:30],
)
def test_bad_times(time: Any) -> None:
    bad = refusal(purchase, occurred_at=time)
    assert bad.reason == "bad_time"
    assert len(bad.detail) < 250
    assert refusal(engagement, occurred_at=time).reason == "bad_time"


def test_the_first_instant_of_2000_is_accepted() -> None:
    assert purchase(occurred_at="2000-01-01T00:00:00Z").at_ms == 946_684_800_000


def test_times_ahead_of_the_records_own() -> None:
    value = json.dumps(PURCHASE).encode()
    assert DECODER.purchase(value, None, AT_MS - HOUR_MS).at_ms == AT_MS
    bad = refusal(DECODER.purchase, value, None, AT_MS - HOUR_MS - 1)
    assert bad.reason == "future_time"
    assert "1 hour 1 millisecond ahead" in bad.detail
    assert bad.detail.endswith("and the tolerance is 1 hour")


def test_key_that_is_not_the_customer() -> None:
    for key in (b"43", b"", b"\xff", b"x" * 10_000):
        bad = refusal(purchase, key=key)
        assert bad.reason == "key_mismatch"
        assert len(bad.detail) < 400
        assert refusal(engagement, key=key).reason == "key_mismatch"


def test_of_a_key_that_stands_twice_the_last_counts() -> None:
    value = json.dumps(PURCHASE).encode()[:-1] + b', "amount_minor": 1}'
    assert purchase(value).amount_minor == 1


def test_escaped_field_names_are_the_same_names() -> None:
    value = json.dumps(PURCHASE).encode().replace(b'"id"', b'"\\u0069d"')
    assert purchase(value) == purchase()


def test_of_several_faults_one_is_named_always_the_same() -> None:
    assert reason(id="", amount_minor=-1, currency="XXX", occurred_at=0, key=b"7") == "empty_id"
    assert reason(amount_minor=-1, currency="XXX", occurred_at=0) == "bad_amount"
    assert reason(currency="XXX", occurred_at=0) == "bad_currency"
    assert reason(occurred_at="x", id=5) == "bad_type"
    assert refusal(purchase, without(PURCHASE | {"type": 5}, "id")).reason == "missing_field"


def test_any_offset_gives_the_instant_of_the_standard_library() -> None:
    for minutes in range(-1439, 1440, 77):
        zone = timezone(timedelta(minutes=minutes))
        text = datetime.fromtimestamp(AT_MS / 1000, UTC).astimezone(zone).isoformat()
        assert purchase(occurred_at=text).at_ms == AT_MS


def test_wrong_rates_are_refused_at_once() -> None:
    for rates in ({"USD": 0}, {"USD": -1}, {"USD": float("nan")}, {"EUR": 2}):
        with pytest.raises(ValueError, match="rate"):
            Decoder("EUR", rates, HOUR_MS)
    Decoder("EUR", {"EUR": 1}, HOUR_MS)
