"""Fields that the contract ignores never make an event a bad one, whatever is in their strings."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.events import ENGAGEMENT_TYPES, BadEvent, Event, Kind
from tests.models.test_events import AT_MS, DECODER, ENGAGEMENT, PURCHASE

HALVES = [
    r"\ud83d",
    r"\uDE00",
    r"\ude00\ud83d",
    r"\ud83d\ud83d\ude00",
    r"\ud83d\ude00\ude00",
    r"\ud83dx",
    r"\ud83d\n",
    r"\ud83d\\ude00",
    r"\\\ud83d",
    r"\ufdd0\ud83d",
]
WHOLE = [r"\ud83d\ude00", r"\\ud83d", r"\\\\ud83d", r"\\\ud83d\ude00", r"\ufdd0", r"\uFdD0"]


def written(**changed: str) -> bytes:
    """A purchase; the changed fields are as they are given, escapes and all."""
    fields = {name: json.dumps(value) for name, value in PURCHASE.items()}
    fields |= {name: f'"{text}"' for name, text in changed.items()}
    return ("{" + ",".join(f'"{name}": {value}' for name, value in fields.items()) + "}").encode()


@pytest.mark.parametrize("half", HALVES)
def test_half_a_character_in_an_ignored_field_is_ignored(half: str) -> None:
    good = DECODER.purchase(json.dumps(PURCHASE).encode(), b"42", AT_MS)
    for name in ("note", "category", half, half + "id"):
        assert DECODER.purchase(written(**{name: half}), b"42", AT_MS) == good
    nested = written(note="@").replace(b'"@"', f'[{{"{half}": ["{half}"]}}]'.encode())
    assert DECODER.purchase(nested, b"42", AT_MS) == good


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("name", ["id", "type", "customer_id", "occurred_at", "currency"])
def test_half_a_character_in_a_named_field_is_refused_and_called_that(name: str, half: str) -> None:
    with pytest.raises(BadEvent) as bad:
        DECODER.purchase(written(**{name: half}), None, AT_MS)
    assert bad.value.reason == "invalid_json"
    assert f"`{name}` holds half a character" in bad.value.detail


@pytest.mark.parametrize("text", WHOLE)
def test_what_only_looks_like_half_a_character_is_kept_as_it_is(text: str) -> None:
    for value in (written(id=text), written(id=text, note=r"\ud83d")):
        event = DECODER.purchase(value, b"42", AT_MS)
        assert event.id == json.loads(f'"{text}"')


def test_another_fault_is_named_although_there_is_half_a_character() -> None:
    for changed, reason in (
        (b'"id": 5', "bad_type"),
        (b'"other": 5', "missing_field"),
        (b'"id": ""', "empty_id"),
        (b'"id": "x" "y"', "invalid_json"),
        (b'"id": "\\ud83z"', "invalid_json"),
        (b'"id": "\0"', "invalid_json"),
        (b'"id": "\0\0"', "invalid_json"),
    ):
        value = written(note=r"\ud83d\\").replace(b'"id": "o-1001"', changed)
        with pytest.raises(BadEvent) as bad:
            DECODER.purchase(value, b"42", AT_MS)
        assert bad.value.reason == reason
    with pytest.raises(BadEvent) as bad:
        DECODER.purchase(rb'["\ud83d"]', None, AT_MS)
    assert bad.value.reason == "not_an_object"


def test_bytes_that_are_no_utf8_stay_refused_beside_half_a_character() -> None:
    for raw in (b"\xff", b"\xed\xa0\xbd"):  # the second is what half a character would be
        with pytest.raises(BadEvent) as bad:
            DECODER.purchase(written(note=r"\ud83d@").replace(b"@", raw), b"42", AT_MS)
        assert bad.value.reason == "invalid_json"
        assert "UTF-8" in bad.value.detail


def test_the_last_of_a_key_counts_also_where_an_earlier_one_is_of_a_wrong_type() -> None:
    for name, wrong in (("amount_minor", '"a"'), ("id", "5"), ("occurred_at", "[]")):
        value = f'{{"{name}": {wrong}, '.encode() + json.dumps(PURCHASE).encode()[1:]
        assert DECODER.purchase(value, b"42", AT_MS).amount_minor == 4999
        value = json.dumps(PURCHASE).encode()[:-1] + f', "{name}": {wrong}}}'.encode()
        with pytest.raises(BadEvent) as bad:
            DECODER.purchase(value, b"42", AT_MS)
        assert bad.value.reason == "bad_type"


PIECES = [
    *HALVES, *WHOLE, r"\uD83D", r"\uDFFF", r"\udbff", r"\u0041", r"\\", r"\"", r"\/", r"\n",
    "\ufdd0", "é", "😀", "u", "d83d", "x", "{", ",",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), max_size=4).map("".join)
members = st.tuples(
    st.sampled_from([*ENGAGEMENT, "note"]) | texts,
    st.integers() | st.none() | texts.map(lambda text: f'"{text}"'),
)


@settings(max_examples=1000, derandomize=True, deadline=None, database=None)
@given(st.lists(members, max_size=5), st.lists(members, max_size=3))
def test_the_verdict_is_that_of_pythons_json_and_of_a_look_at_the_named_fields(
    before: list[tuple[str, object]], after: list[tuple[str, object]]
) -> None:
    good = [(name, json.dumps(value)) for name, value in ENGAGEMENT.items()]
    text = ", ".join(
        f'"{name}": {"null" if value is None else value}' for name, value in before + good + after
    )
    parsed = json.loads(f"{{{text}}}")
    assert _decoded(f"{{{text}}}".encode()) == _expected(parsed)


def _decoded(value: bytes) -> Event | str:
    try:
        return DECODER.engagement(value, None, AT_MS)
    except BadEvent as bad:
        return bad.reason


def _expected(fields: dict[str, Any]) -> Event | str:
    return next(_faults(fields), None) or Event(
        Kind.ENGAGEMENT,
        fields["customer_id"].encode(),
        fields["id"],
        fields["occurred_at"],
        0,
        ENGAGEMENT_TYPES.index(fields["type"] if fields["type"] in ENGAGEMENT_TYPES else "other"),
    )


def _faults(fields: dict[str, Any]) -> Iterator[str]:
    """Reasons to refuse an engagement, the first one first."""
    names = ["id", "type", "customer_id", "occurred_at"]
    named = [fields[name] for name in names]
    if any(isinstance(value, str) and _is_torn(value) for value in named):
        yield "invalid_json"
    if not all(isinstance(value, str) for value in named[:3]) or named[3] is None:
        yield "bad_type"
    if isinstance(named[3], str):
        yield "bad_time"  # no text of the pieces is one
    if not all(named[:3:2]):
        yield "empty_id"
    if not 946_684_800_000 <= named[3] < 253_402_300_800_000:
        yield "bad_time"
    if named[3] > AT_MS + 3_600_000:
        yield "future_time"


def _is_torn(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
