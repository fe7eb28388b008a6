"""The recount's own reading of the contract, by cases worked out by hand."""

import json
from decimal import Decimal
from typing import Any

import pytest
from aiokafka.partitioner import murmur2 as aiokafka_murmur2

from models.events import BadEvent, Decoder
from tests.recount.judge import ENGAGEMENTS, PURCHASES, Event, Rules, judge, parse_time
from tests.recount.murmur import murmur2, partition_of

RULES = Rules(rates={"USD": Decimal("0.92"), "JPY": Decimal("0.0061")})
NOW_MS = 1_772_357_400_000  # 2026-03-01T09:30:00Z
PURCHASE = {
    "id": "o-1001",
    "type": "purchase",
    "customer_id": "42",
    "occurred_at": "2026-03-01T09:30:00Z",
    "amount_minor": 4999,
    "currency": "EUR",
}


def purchase(**fields: Any) -> bytes:
    return json.dumps({**PURCHASE, **fields}).encode()


def without(field: str) -> bytes:
    return json.dumps({name: value for name, value in PURCHASE.items() if name != field}).encode()


GOOD = [
    (purchase(), 4999),
    (purchase(occurred_at=NOW_MS), 4999),
    (purchase(occurred_at="2026-03-01T10:30:00.000+01:00", unknown=[1.5, None]), 4999),
    (purchase(amount_minor=0), 0),
    (purchase(amount_minor=10**12), 10**12),
    (purchase(currency="USD", amount_minor=100), 92),
    (purchase(currency="USD", amount_minor=25), 23),
    (purchase(currency="JPY", amount_minor=1000), 610),
    (b" \n" + purchase() + b"\t", 4999),
    (purchase(unknown="x" * 60_000), 4999),
    (purchase()[:-1] + b', "deep": ' + b"[" * 200 + b"]" * 200 + b"}", 4999),
    (purchase()[:-1] + b', "huge": ' + b"9" * 6000 + b"}", 4999),
    (b'{"amount_minor": -1, ' + purchase()[1:], 4999),  # of a field twice, the last counts
    (b'{"amount_minor": "a", ' + purchase()[1:], 4999),
    (purchase(note="half of \ud83d"), 4999),  # as JavaScript writes what was cut within an emoji
    (purchase(notes=[{"\ude00\ud83d": "\ud83d\\ude00"}]), 4999),
]
BAD = [
    (None, "empty_value"),
    (b"", "invalid_json"),
    (b"\xff" + purchase(), "invalid_json"),
    (purchase() + b"}", "invalid_json"),
    (purchase()[:-1] + b', "x": NaN}', "invalid_json"),
    (purchase()[:-1] + b', "x": ' + b"[" * 300 + b"]" * 300 + b"}", "invalid_json"),
    (b"[]", "not_an_object"),
    (b"null", "not_an_object"),
    (b"12", "not_an_object"),
    (b'"' + b"x" * 66_000 + b'"', "too_large"),
    (without("id"), "missing_field"),
    (without("occurred_at"), "missing_field"),
    (without("amount_minor"), "missing_field"),
    (without("currency"), "missing_field"),
    (purchase(customer_id=42), "bad_type"),
    (purchase(amount_minor=49.99), "bad_type"),
    (purchase(amount_minor=4999.0), "bad_type"),
    (purchase(amount_minor="4999"), "bad_type"),
    (purchase(amount_minor=True), "bad_type"),
    (purchase(occurred_at=None), "bad_type"),
    (purchase(occurred_at=[]), "bad_type"),
    (purchase(id="\ud83d"), "invalid_json"),
    (purchase(customer_id="4\ude002"), "invalid_json"),
    (purchase(id=""), "empty_id"),
    (purchase(id="é" * 129), "id_too_long"),
    (purchase(type="gift"), "unknown_type"),
    (purchase(amount_minor=-1), "bad_amount"),
    (purchase(amount_minor=10**12 + 1), "bad_amount"),
    (purchase(amount_minor=10**300), "bad_amount"),
    (purchase(currency="XXX"), "bad_currency"),
    (purchase(occurred_at="yesterday"), "bad_time"),
    (purchase(occurred_at="2026-03-01T09:30:00"), "bad_time"),
    (purchase(occurred_at="2026-02-30T09:30:00Z"), "bad_time"),
    (purchase(occurred_at="1999-12-31T23:59:59.999Z"), "bad_time"),
    (purchase(occurred_at=NOW_MS // 1000), "bad_time"),
    (purchase(occurred_at=NOW_MS + 3_600_001), "future_time"),
]


@pytest.mark.parametrize(("value", "amount"), GOOD)
def test_events(value: bytes, amount: int) -> None:
    event = judge(RULES, PURCHASES, b"42", value, NOW_MS)
    assert event == Event("purchase", "42", "o-1001", NOW_MS, amount)


@pytest.mark.parametrize(("value", "fault"), BAD)
def test_faults(value: bytes | None, fault: str) -> None:
    assert judge(RULES, PURCHASES, None, value, NOW_MS) == frozenset({fault})


def test_half_a_character_is_a_fault_of_any_named_field() -> None:
    for name in ("type", "currency", "occurred_at"):
        verdict = judge(RULES, PURCHASES, None, purchase(**{name: "\ud83d"}), NOW_MS)
        assert "invalid_json" in verdict
    value = without("amount_minor").replace(b"purchase", rb"\ud83d")
    assert judge(RULES, ENGAGEMENTS, None, value, NOW_MS) == frozenset({"invalid_json"})


def test_several_faults_are_all_named() -> None:
    value = purchase(id="", amount_minor=-1, currency="XXX")
    faults = frozenset({"empty_id", "bad_amount", "bad_currency", "key_mismatch"})
    assert judge(RULES, PURCHASES, b"43", value, NOW_MS) == faults


def test_engagements_need_no_money() -> None:
    value = without("amount_minor").replace(b"purchase", b"survey")
    assert judge(RULES, ENGAGEMENTS, None, value, NOW_MS) == Event(
        "survey", "42", "o-1001", NOW_MS, 0
    )
    unknown = judge(RULES, ENGAGEMENTS, None, value.replace(b"survey", b"dance"), NOW_MS)
    assert isinstance(unknown, Event)
    assert unknown.type == "other"


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2000-02-29t12:00:00.5z", 951_825_600_500),
        ("2026-03-01T09:30:00.123987+00:00", NOW_MS + 123),
        ("2026-03-01T04:00:00-05:30", NOW_MS),
        ("2016-12-31T23:59:60Z", 1_483_228_799_999),
        ("2016-12-31T18:59:60.25-05:00", 1_483_228_799_999),
        ("2016-12-31T23:59:61Z", None),
        ("2016-12-31T23:59:60", None),
        ("2026-03-01T24:00:00Z", None),
        ("2026-3-1T09:30:00Z", None),
    ],
)
def test_times(text: str, at_ms: int | None) -> None:
    assert parse_time(text) == at_ms


@pytest.mark.parametrize(
    ("key", "hashed"),
    # Of Kafka's own test of the function: UtilsTest.testMurmur2.
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536)],
)
def test_murmur2(key: bytes, hashed: int) -> None:
    assert murmur2(key) == hashed % 2**32


def test_murmur2_agrees_with_aiokafka() -> None:
    for number in range(2_000):
        key = f"c-{number * 7919}".encode()
        assert murmur2(key) == aiokafka_murmur2(key) & 0xFFFFFFFF
        assert 0 <= partition_of(key, 7) < 7


def test_two_readings_of_a_leap_second_agree() -> None:
    decoder = Decoder(RULES.currency, RULES.rates, RULES.future_tolerance_ms)
    for time in ("2016-12-31T23:59:60Z", "2016-12-31T18:59:60.25-05:00", "2000-01-01 00:00:60z"):
        value = purchase(occurred_at=time)
        event = judge(RULES, PURCHASES, None, value, NOW_MS)
        assert isinstance(event, Event)
        assert decoder.purchase(value, None, NOW_MS).at_ms == event.at_ms


def test_two_readings_of_the_contract_agree() -> None:
    decoder = Decoder(RULES.currency, RULES.rates, RULES.future_tolerance_ms)
    for value in [*(value for value, _ in GOOD), *(value for value, _ in BAD)]:
        verdict = judge(RULES, PURCHASES, b"42", value, NOW_MS)
        if isinstance(verdict, Event):
            event = decoder.purchase(value, b"42", NOW_MS)
            assert (event.at_ms, event.amount_minor) == (verdict.at_ms, verdict.amount)
        else:
            with pytest.raises(BadEvent) as bad:
                decoder.purchase(value, b"42", NOW_MS)
            assert bad.value.reason in verdict
