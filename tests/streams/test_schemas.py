"""Schemas say what CONTRACT.md says, and what the program really reads and writes."""

import json
from types import SimpleNamespace

import jsonschema
import pytest

from models.events import BadEvent, Decoder
from models.reasons import Reason, Refusal
from streams.dead_letters import KEY_BYTES_MAX, VALUE_BYTES_MAX, dead_letter
from streams.schemas import asyncapi, dead_letter_headers, message_schemas

# Source: CONTRACT.md, In and Out; the fields that its examples show.
FIELDS = {
    "purchase": "id type customer_id occurred_at amount_minor currency order_id channel category",
    "engagement": "id type customer_id occurred_at channel properties",
    "score": "schema customer_id revision as_of valid_until currency tier churn_level churn_risk "
    "activity_decline p_alive p_active expected_purchases expected_order_value_minor "
    "historic_clv_minor predicted_clv_minor predicted_clv_low_minor predicted_clv_high_minor "
    "total_clv_minor tier_value_minor value_at_risk_minor "
    "orders refunds frequency recency_days age_days first_purchase_at last_purchase_at "
    "expected_next_purchase_at windows engagements model model_version",
    "tier-change": "schema id customer_id from to direction tier_value_minor_before "
    "tier_value_minor threshold_minor cause cause_id crossed_at detected_at model_version",
    "churn-risk-change": "schema id customer_id from to direction activity_decline_before "
    "activity_decline threshold churn_risk predicted_clv_minor value_at_risk_minor cause cause_id "
    "crossed_at detected_at model_version",
}
PURCHASE = {
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
ENGAGEMENT = {
    "id": "e-1",
    "type": "page_view",
    "customer_id": "42",
    "occurred_at": 1772357400000,
    "channel": "app",
    "properties": {"nps": 9},
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_message_has_the_fields_of_the_contract(name):
    assert set(FIELDS[name].split()) <= set(message_schemas()[name]["properties"])


@pytest.mark.parametrize("name", FIELDS)
def test_a_schema_is_one_and_every_required_field_is_described(name):
    schema = message_schemas()[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["description"]
    for field in schema["required"]:
        assert schema["properties"][field].get("description"), field


@pytest.mark.parametrize(("name", "example"), [("purchase", PURCHASE), ("engagement", ENGAGEMENT)])
def test_the_contracts_examples_fit(name, example):
    validator = jsonschema.Draft202012Validator(message_schemas()[name])
    validator.validate(example)
    validator.validate({**example, "unknown": [1]})


@pytest.mark.parametrize(
    "flaw",
    [
        {"id": ""},
        {"id": "x" * 257},
        {"customer_id": 42},
        {"type": "gift"},
        {"amount_minor": -1},
        {"amount_minor": 10**12 + 1},
        {"amount_minor": 1.5},
        {"amount_minor": "1"},
        {"occurred_at": 946_684_799_999},
        {"occurred_at": None},
        {"currency": 978},
    ],
)
def test_schema_and_decoder_refuse_the_same(flaw):
    message = {**PURCHASE, **flaw}
    schema = message_schemas()["purchase"]
    assert not jsonschema.Draft202012Validator(schema).is_valid(message)
    with pytest.raises(BadEvent):
        Decoder("EUR", {}, 0).purchase(json.dumps(message).encode(), None, 1_800_000_000_000)


def test_outputs_require_all_their_fields():
    for name in ("score", "tier-change", "churn-risk-change"):
        schema = message_schemas()[name]
        assert set(schema["required"]) == set(schema["properties"])


def references(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_reference_of_the_document_leads_somewhere():
    document = asyncapi("1.2.3")
    found = set(references(document))
    assert "#/components/schemas/Window" in found
    for reference in found:
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_the_document_names_every_topic_of_the_contract():
    document = asyncapi("1.2.3")
    assert document["info"]["version"] == "1.2.3"
    assert {channel["address"] for channel in document["channels"].values()} == {
        "clv.purchases",
        "clv.engagements",
        "clv.scores",
        "clv.tier-changes",
        "clv.churn-risk",
        "clv.dead-letters",
    }
    actions = {name: operation["action"] for name, operation in document["operations"].items()}
    assert actions["receivePurchases"] == "receive"
    assert actions["sendTierChanges"] == "send"
    headers = document["components"]["messages"]["tier-change"]["headers"]["properties"]
    assert headers["ce_type"] == {"const": "clv.tier-changed.v1"}


def test_the_document_says_what_each_reason_means():
    headers = asyncapi("1.2.3")["components"]["messages"]["dead-letter"]["headers"]["properties"]
    reasons = headers["clv-reason"]
    assert "bad_amount" in reasons["enum"]
    said = reasons["description"].splitlines()
    assert [line.split("`")[1] for line in said] == reasons["enum"]
    (amount,) = [line for line in said if "bad_amount" in line]
    assert "total over 2^62" in amount
    assert "2^62" in message_schemas()["purchase"]["properties"]["amount_minor"]["description"]


@pytest.mark.parametrize(
    ("key", "value", "optional"),
    [
        (b"42", b"{", set()),
        (None, b"x" * (VALUE_BYTES_MAX + 1), {"clv-truncated"}),
        (b"x" * (KEY_BYTES_MAX + 1), b"{", {"clv-key-truncated"}),
    ],
)
def test_a_dead_letter_has_the_headers_that_its_schema_says(key, value, optional):
    record = SimpleNamespace(
        topic="clv.purchases", partition=3, offset=17, key=key, value=value, timestamp=1_000
    )
    letter = dead_letter(record, Refusal(Reason.INVALID_JSON, "not JSON"))
    headers = {name: text.decode() for name, text in letter.headers}
    schema = dead_letter_headers()
    jsonschema.Draft202012Validator(schema).validate(headers)
    assert set(headers) == {*schema["required"], *optional}
    there_at_times = set(schema["properties"]) - set(schema["required"])
    assert there_at_times == {"clv-truncated", "clv-key-truncated"}


def test_the_notes_of_replays_are_messages_of_their_own():
    document = asyncapi("1.2.3")
    assert set(document["channels"]["deadLetters"]["messages"]) == {"dead-letter", "replay-marker"}
    marker = document["components"]["messages"]["replay-marker"]
    assert marker["headers"]["required"] == ["clv-replayed"]
    jsonschema.validate([3, 4], marker["payload"])
    letter = document["components"]["messages"]["dead-letter"]["headers"]
    assert "clv-timestamp" in letter["required"]
