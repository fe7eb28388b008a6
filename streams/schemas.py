"""JSON Schemas of all messages, and the AsyncAPI document, made from the code itself.

The shapes come from the structs that decode and encode the messages, and the descriptions from
their docstrings; so neither can say what the program does not do.

Source: JSON Schema 2020-12; AsyncAPI 3.0.0, with its Kafka binding 0.5.0; CloudEvents 1.0.2.
"""

import inspect
import re
from typing import Any, Final

import msgspec

from models.changes import ChurnRiskChange, TierChange
from models.events import (
    AMOUNT_MINOR_MAX,
    ENGAGEMENT_TYPES,
    TIME_MS_MAX,
    TIME_MS_MIN,
    VALUE_BYTES_MAX,
    EngagementMessage,
    PurchaseMessage,
)
from models.reasons import Reason
from models.refusals import ID_BYTES_MAX
from models.score import Score
from sinks.topics import CHURN_CHANGE_TYPE, SCORE_TYPE, TIER_CHANGE_TYPE
from streams import topics
from streams.replay import REPLAYED

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_ID: Final[Schema] = {"minLength": 1, "maxLength": ID_BYTES_MAX}  # in UTF-8, so at most that many
_INSTANT: Final[Schema] = {"type": "string", "format": "date-time"}
_CURRENCY: Final[Schema] = {"pattern": "^[A-Z]{3}$"}

# What the decoder checks beyond types, and what publishers may add.
_INPUT: Final[dict[str, Schema]] = {
    "id": _ID,
    "customer_id": _ID,
    "amount_minor": {"minimum": 0, "maximum": AMOUNT_MINOR_MAX},
    "currency": _CURRENCY,
    "occurred_at": {
        "anyOf": [{"type": "integer", "minimum": TIME_MS_MIN, "maximum": TIME_MS_MAX}, _INSTANT]
    },
}
_OPTIONAL: Final[dict[str, dict[str, Schema]]] = {
    "purchase": {
        "order_id": {"type": "string"},
        "channel": {"type": "string"},
        "category": {"type": "string"},
    },
    "engagement": {"channel": {"type": "string"}, "properties": {"type": "object"}},
}


def message_schemas() -> dict[str, Schema]:
    """The JSON Schema of each message, by its name."""
    purchase = _input(PurchaseMessage, "purchase")
    purchase["properties"]["type"] |= {"enum": ["purchase", "refund"]}
    engagement = _input(EngagementMessage, "engagement")
    engagement["properties"]["type"] |= {"examples": list(ENGAGEMENT_TYPES)}
    return {
        "purchase": purchase,
        "engagement": engagement,
        "score": _output(Score),
        "tier-change": _output(TierChange),
        "churn-risk-change": _output(ChurnRiskChange),
    }


def _input(struct: type[msgspec.Struct], name: str) -> Schema:
    schema = _schema(struct)
    for field, checked in _INPUT.items():
        if field in schema["properties"]:
            schema["properties"][field] |= checked
    schema["properties"] |= _OPTIONAL[name]
    return {**schema, "$comment": f"At most {VALUE_BYTES_MAX} bytes. Other fields are ignored."}


def _output(struct: type[msgspec.Struct]) -> Schema:
    schema = _schema(struct)
    schema["required"] = list(schema["properties"])  # null is written, never left out
    for name, field in schema["properties"].items():
        if name.endswith("_at") or name in {"as_of", "valid_until"}:
            for text in (field, *field.get("anyOf", ())):
                if text.get("type") == "string":
                    text["format"] = "date-time"
    if "currency" in schema["properties"]:
        schema["properties"]["currency"] |= _CURRENCY
    return schema


def _schema(struct: type[msgspec.Struct]) -> Schema:
    """A struct's schema that stands by itself, with its docstring's words."""
    schema = msgspec.json.schema(struct)
    definitions = schema.pop("$defs")
    for definition in definitions.values():
        _describe(definition, definition.get("description", ""))
    main: Schema = definitions.pop(struct.__name__)
    nested = {"$defs": definitions} if definitions else {}
    return {"$schema": DIALECT, **main, **nested}


_ATTRIBUTE: Final = re.compile(r"^    (\w+): ", re.MULTILINE)


def _describe(schema: Schema, docstring: str) -> None:
    """Divide a docstring: its summary describes the whole, its attributes the fields."""
    summary, _, attributes = inspect.cleandoc(docstring).partition("Attributes:\n")
    schema["description"] = " ".join(summary.split())
    parts = _ATTRIBUTE.split(attributes)
    for name, text in zip(parts[1::2], parts[2::2], strict=True):
        words = " ".join(text.split())
        schema["properties"][name.rstrip("_")]["description"] = words[:1].upper() + words[1:]


def asyncapi(version: str) -> Schema:
    """The AsyncAPI document of all topics that others may read or write.

    Args:
        version: of the program.
    """
    channels = (
        ("purchases", topics.PURCHASES, "purchase", "receive", None),
        ("engagements", topics.ENGAGEMENTS, "engagement", "receive", None),
        ("scores", topics.SCORES, "score", "send", SCORE_TYPE),
        ("tierChanges", topics.TIER_CHANGES, "tier-change", "send", TIER_CHANGE_TYPE),
        ("churnRisk", topics.CHURN_RISK, "churn-risk-change", "send", CHURN_CHANGE_TYPE),
        ("deadLetters", topics.DEAD_LETTERS, "dead-letter", "send", None),
    )
    schemas, shared = _referring_to_components(message_schemas())
    messages = {
        name: _message(name, schemas[name], ce_type)
        for _, _, name, _, ce_type in channels
        if name in schemas
    }
    messages["dead-letter"] = _dead_letter()
    messages["replay-marker"] = _replay_marker()
    within = {name: [name] for name in messages} | {"dead-letter": ["dead-letter", "replay-marker"]}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "clv-stream",
            "version": version,
            "description": "Customer lifetime value and churn risk, per event. Records are keyed "
            "by customer_id and placed by the Java client's default partitioner (murmur2). "
            "Subscribers set isolation.level=read_committed.",
        },
        "defaultContentType": "application/json",
        "channels": {
            channel: {
                "address": topic,
                "messages": {
                    each: {"$ref": f"#/components/messages/{each}"} for each in within[name]
                },
                "bindings": {"kafka": {"topic": topic, "bindingVersion": "0.5.0"}},
            }
            for channel, topic, name, _, _ in channels
        },
        "operations": {
            f"{action}{channel[0].upper()}{channel[1:]}": {
                "action": action,
                "channel": {"$ref": f"#/channels/{channel}"},
            }
            for channel, _, _, action, _ in channels
        },
        "components": {"messages": messages, "schemas": shared},
    }


def _referring_to_components(schemas: dict[str, Schema]) -> tuple[dict[str, Schema], Schema]:
    """Schemas for within a document, where a reference counts from the document's root."""
    moved: dict[str, Schema] = msgspec.json.decode(
        msgspec.json.encode(schemas).replace(b'"#/$defs/', b'"#/components/schemas/')
    )
    shared: Schema = {}
    for schema in moved.values():
        del schema["$schema"]
        shared |= schema.pop("$defs", {})
    return moved, shared


def _message(name: str, schema: Schema, ce_type: str | None) -> Schema:
    message: Schema = {
        "name": name,
        "contentType": "application/json",
        "payload": schema,
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": "customer_id in UTF-8"},
                "bindingVersion": "0.5.0",
            }
        },
    }
    if ce_type is not None:
        message["headers"] = _cloud_event(ce_type)
    return message


def _cloud_event(ce_type: str) -> Schema:
    headers: dict[str, Schema] = {
        "ce_id": {"type": "string"},
        "ce_type": {"const": ce_type},
        "ce_source": {"type": "string", "format": "uri-reference"},
        "ce_time": _INSTANT,
        "ce_specversion": {"const": "1.0"},
        "content-type": {"const": "application/json"},
    }
    return {"type": "object", "properties": headers, "required": list(headers)}


def dead_letter_headers() -> Schema:
    """The headers of a dead letter, which say why and whence; its value may be any bytes."""
    event = _cloud_event("clv.dead-letter.v1")["properties"]
    del event["content-type"]
    headers: dict[str, Schema] = {
        "clv-reason": {
            "enum": [reason.value for reason in Reason],
            "description": "\n".join(f"- `{reason}`: {reason.meaning}" for reason in Reason),
        },
        "clv-detail": {"type": "string", "description": "A sentence."},
        "clv-topic": {"type": "string", "description": "Where the event came from."},
        "clv-partition": _number("Of that topic."),
        "clv-offset": _number("In that partition."),
        "clv-key": {
            "type": "string",
            "description": "The event's key, cut at 64 KiB; empty where it had none.",
        },
        "clv-timestamp": _number("The event's own Kafka timestamp, epoch milliseconds."),
        **event,
    }
    optional = {
        f"clv-{name}": _number(f"Size of the whole {what} in bytes, where it was cut at 64 KiB.")
        for name, what in (("truncated", "value"), ("key-truncated", "key"))
    }
    return {
        "$schema": DIALECT,
        "description": "Headers of a record of clv.dead-letters, as text. Key and value are the "
        "event's own, whatever they are, cut at 64 KiB each.",
        "type": "object",
        "properties": headers | optional,
        "required": list(headers),
    }


def _number(description: str) -> Schema:
    """A whole number, as headers have it."""
    return {"type": "string", "pattern": "^[0-9]+$", "description": description}


def _dead_letter() -> Schema:
    headers = dead_letter_headers()
    del headers["$schema"]
    return {
        "name": "dead-letter",
        "contentType": "application/octet-stream",
        "summary": "The original bytes of what could not be processed, key and value cut at "
        "64 KiB each.",
        "headers": headers,
        "payload": {"description": "Whatever was published."},
    }


def _replay_marker() -> Schema:
    return {
        "name": "replay-marker",
        "contentType": "application/json",
        "summary": "No dead letter but a note, without a key, that some were published again: "
        "their offsets in the same partition. Readers of dead letters pass it over.",
        "headers": {
            "type": "object",
            "properties": {REPLAYED: _number("How many.")},
            "required": [REPLAYED],
        },
        "payload": {"type": "array", "items": {"type": "integer", "minimum": 0}},
    }
