"""Whatever the bytes, decoding gives an event or a `BadEvent`, in a bounded time."""

import json
import sys
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.events import BadEvent, Decoder, Event, Reason
from tests.models.test_events import AT_MS, DECODER, ENGAGEMENT, PURCHASE, without

VALUE_BYTES_MAX = 65536
# Linear work takes well below a millisecond; what is quadratic takes hundreds.
SECONDS_MAX = 0.005

fuzz = settings(max_examples=400, derandomize=True, deadline=None, database=None)


def outcome(value: bytes, key: bytes | None = None) -> tuple[Event | str, Event | str]:
    """What either decoder makes of the bytes: an event, or the code of a reason."""
    return _decoded(DECODER.purchase, value, key), _decoded(DECODER.engagement, value, key)


def _decoded(
    decode: Callable[[bytes, bytes | None, int], Event], value: bytes, key: bytes | None
) -> Event | str:
    try:
        return decode(value, key, AT_MS)
    except BadEvent as bad:
        error = bad
    assert error.reason in list(Reason)
    assert 0 < len(error.detail) < 500
    return error.reason


@fuzz
@given(st.binary(max_size=200), st.none() | st.binary(max_size=10))
def test_any_bytes(value: bytes, key: bytes | None) -> None:
    outcome(value, key)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([*PURCHASE.values(), *ENGAGEMENT.values(), 10**25, -1, 1e400, "refund"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@fuzz
@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(PURCHASE, json_values)),
    st.dictionaries(st.text(max_size=3), json_values, max_size=3),
)
def test_any_values_of_the_fields(changed: dict[str, object], more: dict[str, object]) -> None:
    outcome(json.dumps(PURCHASE | more | changed).encode())
    outcome(json.dumps(ENGAGEMENT | more | changed, ensure_ascii=False).encode(errors="replace"))


BYTES = (
    b'"|\\|\\u|\\ud800|{|}|[|]|,|:|-|0|1e9|.|null|true|NaN|\x00|\xff|\xc3|\xf0\x9f| |\n|9999999999'
)
fragments = st.sampled_from(BYTES.split(b"|"))


@fuzz
@given(
    st.sampled_from([PURCHASE, ENGAGEMENT]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), fragments), min_size=1, max_size=4),
)
def test_good_messages_with_a_few_bytes_changed(
    message: dict[str, object], edits: list[tuple[float, int, bytes]]
) -> None:
    value = json.dumps(message).encode()
    for where, cut, piece in edits:
        at = int(where * len(value))
        value = value[:at] + piece + value[at + cut :]
    found = outcome(value)
    try:
        parsed = json.loads(value.decode(), parse_constant=pytest.fail)
    except (ValueError, pytest.fail.Exception):
        assert found == ("invalid_json", "invalid_json")  # what is not JSON is never accepted
    else:
        if not isinstance(parsed, dict):
            assert set(found) <= {"not_an_object", "invalid_json"}


def test_missing_fields_never_look_like_another_fault() -> None:
    for name in PURCHASE:
        first, _ = outcome(without(PURCHASE, name))
        assert isinstance(first, Event) or first == "missing_field"


def padded(start: bytes, middle: bytes, end: bytes) -> bytes:
    """As many of the middle as fit into 64 KiB."""
    room = VALUE_BYTES_MAX - len(start) - len(end)
    return start + middle * (room // len(middle)) + end


OPEN = json.dumps(PURCHASE).encode()[:-1] + b", "
AMOUNT = json.dumps(PURCHASE).encode().split(b"4999")
TIME = json.dumps(PURCHASE).encode().split(b'"2026-03-01T09:30:00Z"')
CUSTOMER = json.dumps(PURCHASE).encode().split(b"42")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (padded(AMOUNT[0], b"9", AMOUNT[1]), "bad_amount"),
        (padded(AMOUNT[0] + b"-", b"9", AMOUNT[1]), "bad_amount"),
        (padded(AMOUNT[0] + b"1.", b"9", AMOUNT[1]), "bad_type"),
        (padded(AMOUNT[0] + b"1e", b"9", AMOUNT[1]), "bad_type"),
        (padded(TIME[0], b"9", TIME[1]), "bad_time"),
        (padded(TIME[0] + b'"2026-03-01T09:30:00.', b"9", b'Z"' + TIME[1]), None),
        (padded(CUSTOMER[0], b"\\u00e9", CUSTOMER[1]), "id_too_long"),
        (padded(CUSTOMER[0], b"\\ud83d\\ude00", CUSTOMER[1]), "id_too_long"),
        (padded(OPEN + b'"x": ', b"9", b"}"), None),
        (padded(OPEN + b'"x": 0.', b"9", b"}"), None),
        (padded(OPEN + b'"x": "', b"\\\\", b'"}'), None),
        (padded(OPEN + b'"x": "', b'\\"', b'"}'), None),
        (padded(OPEN + b'"x": "', rb"\ud83d", b'"}'), None),
        (padded(OPEN + b'"x": "', rb"\ude00\n", b'"}'), None),
        (padded(OPEN + b'"x": "\\ud83d', rb"\\", b'"}'), None),
        (padded(OPEN + b'"x": "\\ud83d', rb"\ud83d\ude00", b'"}'), None),
        (padded(OPEN + b'"x": "\\ud83d", ', b'"\\ud83d":1,', b'"b":2}'), None),
        (padded(CUSTOMER[0], rb"\ud83d", CUSTOMER[1]), "invalid_json"),
        (padded(OPEN + b'"x": "', b"[", b'"}'), None),
        (padded(OPEN + b'"x": "', b'\\"', b""), "invalid_json"),
        (padded(OPEN + b'"x": [', b"[],", b"[]]}"), None),
        (padded(OPEN + b'"x": ', b"[", b""), "invalid_json"),
        (padded(OPEN + b'"x": ', b'{"a":', b""), "invalid_json"),
        (padded(OPEN, b'"a":1,', b'"b":2}'), None),
        (padded(b"{", b'"a":1,', b'"b":2}'), "missing_field"),
        (padded(b"{", b'"id":1,', b'"b":2}'), "missing_field"),
        (padded(OPEN, b'"id":1,', b'"b":2}'), "bad_type"),
        (b"{" + b",".join(b'"%d":1' % i for i in range(6500)) + b"}", "missing_field"),
        (b" " * VALUE_BYTES_MAX, "invalid_json"),
        (padded(b"", b"\xc3\xa9", b""), "invalid_json"),
        (padded(b"", b'"', b""), "invalid_json"),
        (padded(b"", b"]", b""), "invalid_json"),
        (padded(b"", b"[", b""), "invalid_json"),
        (padded(b"[", b"9,", b"9]"), "not_an_object"),
        (padded(b"", b"9", b""), "not_an_object"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_the_largest_values_take_milliseconds_at_most(value: bytes, reason: str | None) -> None:
    assert len(value) <= VALUE_BYTES_MAX
    best = min(_seconds(lambda: outcome(value)) for _ in range(5))
    first, _ = outcome(value)
    assert isinstance(first, Event) if reason is None else first == reason
    assert best / 2 < SECONDS_MAX  # two decoders


def _seconds(call: Callable[[], object]) -> float:
    start = time.thread_time()  # on a machine that others use, too
    call()
    return time.thread_time() - start


def test_verdicts_do_not_depend_on_the_depth_of_the_caller() -> None:
    deep = OPEN + b'"x": ' + b"[" * 255 + b"]" * 255 + b"}"

    def at_depth(levels: int) -> Event:
        return at_depth(levels - 1) if levels else DECODER.purchase(deep, None, AT_MS)

    assert at_depth(0) == at_depth(300)


def test_a_caller_near_the_end_of_its_stack_gets_a_bad_event() -> None:
    decoder = Decoder("EUR", {}, 0)
    value = OPEN + b'"x": ' + b"[" * 200 + b"]" * 200 + b"}"

    def dive(levels: int) -> Event:
        return dive(levels - 1) if levels else decoder.purchase(value, None, AT_MS)

    with pytest.raises(BadEvent) as caught:
        dive(sys.getrecursionlimit() - 200)
    assert caught.value.reason == "invalid_json"
