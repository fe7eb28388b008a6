"""The stored state: what goes in comes out, within the bounds, from every version there was."""

from copy import copy
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.events import Event
from models.packed import PACKED
from models.policy import DAYS_RETENTION_MAX
from models.state import (
    _OLDER,
    NOT_BEGUN,
    VERSION,
    State,
    Summary,
    UnknownVersion,
    decode,
    decode_summary,
    encode,
    facts_digest,
)
from tests.models.history import facts, histories, play
from tests.models.stored_states import GOLDEN, STATES, daily, regular, worst

TYPICAL_BYTES_MAX = 280  # issue 3, State and aggregates
STATE_BYTES_MAX = 8192

proof = settings(max_examples=200, derandomize=True, deadline=None, database=None)


@pytest.mark.parametrize("name", STATES)
def test_what_goes_in_comes_out(name: str) -> None:
    assert decode(encode(STATES[name])) == STATES[name]


@proof
@given(histories(1500), st.sampled_from([0, 365, 730, 1096]))
def test_any_history_comes_out(events: list[Event], retention_days: int) -> None:
    state = play(events, retention_days)
    untouched = msgspec.structs.asdict(state)
    assert decode(encode(state)) == state
    assert msgspec.structs.asdict(state) == untouched


@proof
@given(
    st.sets(st.integers(18000, 18365), min_size=1),
    st.sets(st.integers(18000, 18365), min_size=1),
    st.sets(st.integers(17000, 17634)),
    st.integers(-(2**62), 2**62),
)
def test_any_packed_state_comes_out(
    purchases: set[int], engagements: set[int], old: set[int], net_minor: int
) -> None:
    state = daily(1, 730)
    state.old_days = sorted(old)
    state.purchase_last_day, state.purchase_gaps = max(purchases), gaps(purchases)
    state.purchase_orders = list(range(len(purchases)))
    state.purchase_net_minor = [net_minor] * len(purchases)
    state.engagement_last_day, state.engagement_gaps = max(engagements), gaps(engagements)
    state.engagement_day_counts = list(range(1, len(engagements) + 1))
    assert decode(encode(state)) == state


def gaps(days: set[int]) -> list[int]:
    return [later - earlier for earlier, later in pairwise(sorted(days))]


def test_long_histories_are_packed_and_short_ones_are_not() -> None:
    assert encode(daily(128, 730))[3] == VERSION
    assert encode(daily(129, 730))[3] == VERSION + PACKED
    dense, sparse = daily(400, 1096), State()
    sparse.old_days = list(range(129))
    for state in (dense, sparse):
        assert encode(state)[3] == VERSION + PACKED
        assert decode(encode(state)) == state


def test_packed_state_goes_on_like_any_other() -> None:
    events = [
        Event(kind, b"c", f"{day}", day * 86_400_000, 5 if kind == 0 else 0, -1 if kind == 0 else 2)
        for day in range(18000, 18900)
        for kind in (0, 2)
    ]
    state = State()
    for event in events:
        state.apply(event, event.at_ms // 86_400_000, 730)
    assert facts(play(events, 730, stored=True)) == facts(state)


# --- size ------------------------------------------------------------------------------------


def test_a_typical_customer_takes_at_most_280_bytes() -> None:
    assert len(encode(regular(5, 10))) <= TYPICAL_BYTES_MAX
    assert len(encode(regular(5, 15))) <= TYPICAL_BYTES_MAX


@pytest.mark.parametrize("retention_days", [0, 365, 366, 730, DAYS_RETENTION_MAX])
def test_no_customer_takes_more_than_8_kib(retention_days: int) -> None:
    state = worst(retention_days)
    assert len(encode(state)) <= STATE_BYTES_MAX
    assert decode(encode(state)) == state


def test_the_longest_plain_state_takes_less_than_the_worst_packed_one() -> None:
    state = worst(127)  # as many buckets as are not packed
    state.old_days = list(range(70_000, 70_128))
    state.purchase_orders.pop()
    state.purchase_net_minor.pop()
    state.purchase_gaps.pop()
    state.engagement_day_counts.pop()
    state.engagement_gaps.pop()
    assert encode(state)[3] == VERSION
    assert len(encode(state)) < len(encode(worst(730)))


# --- summary ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STATES)
def test_summary_is_the_head_of_the_state(name: str) -> None:
    state = STATES[name]
    summary = decode_summary(encode(state))
    for field in Summary.__struct_fields__:
        assert getattr(summary, field) == getattr(state, field)
    assert summary.historic_minor == state.historic_minor
    assert not hasattr(summary, "purchase_days")


def test_the_version_is_the_first_element_and_the_fourth_byte() -> None:
    for state in STATES.values():
        data = encode(state)
        assert msgspec.msgpack.decode(data)[0] % PACKED == VERSION
        assert data[0] == 0xDC
        assert data[3] % PACKED == VERSION


# --- versions --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.msgpack")), ids=lambda path: path.stem)
def test_golden_files_decode_to_the_same_facts(path: object) -> None:
    name = path.stem.split("-", 1)[1]  # type: ignore[attr-defined]
    data = path.read_bytes()  # type: ignore[attr-defined]
    truth = copy(STATES[name])
    if path.stem.startswith("v1-"):  # type: ignore[attr-defined]
        truth.chance_bp = NOT_BEGUN
    assert decode(data) == truth
    assert decode_summary(data).historic_minor == truth.historic_minor


def test_each_version_has_its_golden_files() -> None:
    names = {path.stem for path in GOLDEN.glob("*.msgpack")}
    assert names >= {f"v{version}-{name}" for version in range(1, VERSION + 1) for name in STATES}


@pytest.mark.parametrize("decoder", [decode, decode_summary])
@pytest.mark.parametrize(
    "elements",
    [
        [VERSION + 1, *range(40)],
        [VERSION + 1, "another", {"layout": 1}, *[None] * 20],
        [VERSION + 1 + PACKED, *[b""] * 30],
        [63, *[0] * 15],
        [VERSION + 1, {}],
    ],
)
def test_a_newer_version_is_refused_whatever_it_looks_like(
    elements: list[object], decoder: object
) -> None:
    with pytest.raises(UnknownVersion, match="run the newer program") as caught:
        decoder(msgspec.msgpack.encode(elements))  # type: ignore[operator]
    assert caught.value.version == elements[0] % PACKED  # type: ignore[operator]


def test_an_older_version_is_upgraded_as_its_function_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version 0 that never was, with other names in another order."""

    class Version0(msgspec.Struct, array_like=True):
        version: int
        padding: list[int]
        orders: int
        rest: tuple[int, ...]

    def upgrade(data: bytes) -> State:
        old = msgspec.msgpack.decode(data, type=Version0)
        return State(orders=old.orders)

    monkeypatch.setitem(_OLDER, 0, upgrade)
    data = b"\xdc\x00\x10" + msgspec.msgpack.encode(0) + msgspec.msgpack.encode([1])
    data += msgspec.msgpack.encode(7) + msgspec.msgpack.encode([2] * 13) + b"\xc0" * 12
    assert decode(data) == State(orders=7)
    assert decode_summary(data).orders == 7
    assert encode(decode(data))[3] == VERSION


@pytest.mark.parametrize("name", STATES)
def test_facts_of_version_1_have_the_hash_that_they_had(name: str) -> None:
    data = (GOLDEN / f"v1-{name}.msgpack").read_bytes()
    assert facts_digest(decode(data)) == facts_digest(STATES[name])
    again = decode(encode(decode(data)))
    assert again == decode(data)
    assert decode_summary(data).version == VERSION


@pytest.mark.parametrize("data", [b"", b"\xdc", b"\xc0", b"{}", encode(regular(1, 1))[:-1]])
def test_what_is_no_state_is_an_error(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(data)
