"""Topics advance together through a backlog, each in its own order; nothing stalls or is lost."""

from types import SimpleNamespace
from typing import Any

from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from streams.transport.alignment import PATIENCE_S, Alignment

A, B, CLOCK = (TopicPartition(topic, 0) for topic in ("a", "b", "clock"))


def records(*timestamps: int, first: int = 0) -> list[Any]:
    return [SimpleNamespace(offset=first + n, timestamp=ms) for n, ms in enumerate(timestamps)]


def times(taken: dict[TopicPartition, list[Any]]) -> dict[str, list[int]]:
    return {tp.topic: [record.timestamp for record in chunk] for tp, chunk in taken.items()}


def test_where_nothing_lags_nothing_is_held() -> None:
    alignment = Alignment([A, B])
    taken = alignment.take({A: records(1, 9), B: records(5)}, lambda _tp: False, 0)
    assert times(taken) == {"a": [1, 9], "b": [5]}
    assert alignment.holds(A) is None


def test_a_topic_waits_for_the_one_that_lags() -> None:
    alignment = Alignment([A, B])
    lags = lambda tp: tp == A  # noqa: E731
    taken = alignment.take({A: records(1, 2, 3), B: records(1, 3, 4, 9)}, lags, 0)
    assert times(taken) == {"a": [1, 2, 3], "b": [1, 3]}
    assert alignment.holds(B) == 2
    taken = alignment.take({A: records(4, 5, first=3)}, lags, 0)
    assert times(taken) == {"a": [4, 5], "b": [4]}
    taken = alignment.take({A: records(6, first=5)}, lambda _tp: False, 0)
    assert times(taken) == {"a": [6], "b": [9]}


def test_ticks_do_not_wait() -> None:
    alignment = Alignment([A, B])
    taken = alignment.take({A: records(7), CLOCK: records(99)}, lambda tp: tp == B, 0)
    assert times(taken) == {"clock": [99]}


def test_order_within_a_topic_outranks_its_timestamps() -> None:
    alignment = Alignment([A, B])
    taken = alignment.take({A: records(5), B: records(9, 1)}, lambda tp: tp == A, 0)
    assert times(taken) == {"a": [5]}
    assert alignment.holds(B) == 0


def test_a_stamp_of_the_future_says_nothing() -> None:
    """Neither may its topic wait for the other's end, nor the other run ahead of its topic."""
    alignment = Alignment([A, B])
    lags = lambda _tp: True  # noqa: E731
    taken = alignment.take({A: records(1, 4), B: records(1, 999, 3, 5)}, lags, 0, latest_ms=99)
    assert times(taken) == {"a": [1, 4], "b": [1, 999, 3]}
    taken = alignment.take({A: records(999, first=2)}, lags, 0, latest_ms=99)
    assert times(taken) == {"a": [999]}
    taken = alignment.take({A: records(6, first=3)}, lags, 0, latest_ms=99)
    assert times(taken) == {"b": [5]}


def test_patience_ends() -> None:
    alignment = Alignment([A, B])
    assert not alignment.take({A: records(7)}, lambda tp: tp == B, 0)
    assert not alignment.take({}, lambda tp: tp == B, PATIENCE_S)
    assert times(alignment.take({}, lambda tp: tp == B, PATIENCE_S + 0.1)) == {"a": [7]}


def test_a_topic_that_comes_slowly_is_waited_for_all_the_same() -> None:
    """It is a standstill that patience is for: else all would look silent in a long backlog."""
    alignment = Alignment([A, B])
    lags = lambda tp: tp == B  # noqa: E731
    assert not alignment.take({A: records(99)}, lags, 0)
    for number in range(1, 6):
        now_s = number * 0.9 * PATIENCE_S
        taken = alignment.take({B: records(number, first=number)}, lags, now_s)
        assert times(taken) == {"b": [number]}
        assert not alignment.take({}, lags, now_s + 0.01)
    assert alignment.holds(A) == 0


def test_ticks_do_not_prolong_it() -> None:
    alignment = Alignment([A, B])
    assert not alignment.take({A: records(7)}, lambda tp: tp == B, 0)
    taken = alignment.take({CLOCK: records(8)}, lambda tp: tp == B, PATIENCE_S)
    assert times(taken) == {"clock": [8]}
    assert times(alignment.take({}, lambda tp: tp == B, PATIENCE_S + 0.1)) == {"a": [7]}


@given(
    st.lists(st.integers(0, 50), max_size=30),
    st.lists(st.integers(0, 50), max_size=30),
    st.integers(1, 7),
)
def test_everything_is_handed_on_once_and_in_order(a: list[int], b: list[int], size: int) -> None:
    left = {A: records(*a), B: records(*b)}
    alignment = Alignment([A, B])
    seen: dict[TopicPartition, list[Any]] = {A: [], B: []}
    known = {A: -1, B: -1}
    for _ in range(200):
        fetched = {}
        for tp in (A, B):
            if alignment.holds(tp) is None:
                fetched[tp], left[tp] = left[tp][:size], left[tp][size:]
                known[tp] = max([known[tp], *(record.timestamp for record in fetched[tp])])
        taken = alignment.take(fetched, lambda tp: bool(left[tp]), 0)
        for tp, chunk in taken.items():
            seen[tp] += chunk
        for tp, other in ((A, B), (B, A)):
            # What was handed on of one is no newer than what is known of the other.
            if left[other] and taken.get(tp):
                assert max(r.timestamp for r in taken[tp]) <= known[other]
    assert [r.offset for r in seen[A]] == list(range(len(a)))
    assert [r.offset for r in seen[B]] == list(range(len(b)))
