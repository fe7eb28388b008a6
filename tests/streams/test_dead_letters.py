"""What cannot be processed is kept as it was, with its reason; too much of it stops the worker."""

from types import SimpleNamespace

import pytest

from models.reasons import Reason, Refusal
from models.times import MS_MAX
from streams.dead_letters import (
    KEY_BYTES_MAX,
    VALUE_BYTES_MAX,
    WINDOW_EVENTS,
    DeadLetterLimit,
    TooManyDeadLetters,
    dead_letter,
)


def record(value: bytes | None, key: bytes | None = b"42") -> SimpleNamespace:
    return SimpleNamespace(
        topic="clv.purchases", partition=3, offset=17, key=key, value=value, timestamp=1_000
    )


def test_letter_holds_the_original_bytes_and_whence_they_came() -> None:
    letter = dead_letter(record(b"\xff{"), Refusal(Reason.INVALID_JSON, "not JSON"))
    assert (letter.key, letter.value, letter.timestamp_ms) == (b"42", b"\xff{", None)
    headers = dict(letter.headers)
    assert headers["clv-reason"] == b"invalid_json"
    assert headers["clv-detail"] == b"not JSON"
    assert headers["clv-topic"] == b"clv.purchases"
    assert headers["clv-partition"] == b"3"
    assert headers["clv-offset"] == b"17"
    assert headers["clv-key"] == b"42"
    assert headers["clv-timestamp"] == b"1000"
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_time"] == b"1970-01-01T00:00:01.000Z"
    assert headers["ce_id"] == b"clv.purchases/3/17"
    assert "clv-truncated" not in headers


@pytest.mark.parametrize("timestamp_ms", [MS_MAX, MS_MAX + 1, 2**63 - 1])
def test_the_time_of_a_letter_is_one_that_readers_can_read(timestamp_ms: int) -> None:
    """RFC 3339 has no year 292278994, which a publisher may stamp a record with."""
    stamped = record(b"{}")
    stamped.timestamp = timestamp_ms
    headers = dict(dead_letter(stamped, Refusal(Reason.BAD_TIME, "ahead")).headers)
    assert headers["ce_time"] == b"9999-12-31T23:59:59.999Z"
    assert headers["clv-timestamp"] == b"%d" % timestamp_ms


def test_long_values_are_cut_and_say_so() -> None:
    value = b"x" * (VALUE_BYTES_MAX + 5)
    letter = dead_letter(record(value), Refusal(Reason.TOO_LARGE, "too large"))
    assert letter.value == value[:VALUE_BYTES_MAX]
    assert dict(letter.headers)["clv-truncated"] == b"%d" % len(value)


def test_long_keys_are_cut_and_say_so_too() -> None:
    key = b"k" * (KEY_BYTES_MAX + 1)
    letter = dead_letter(record(b"{}", key=key), Refusal(Reason.MISSING_FIELD, "id"))
    headers = dict(letter.headers)
    assert letter.key == headers["clv-key"] == key[:KEY_BYTES_MAX]
    assert letter.value == b"{}"
    assert headers["clv-key-truncated"] == b"%d" % len(key)
    assert "clv-truncated" not in headers


def test_a_null_value_stays_null() -> None:
    letter = dead_letter(record(None, key=None), Refusal(Reason.EMPTY_VALUE, "null"))
    assert letter.value is None
    assert letter.key is None


def commit(limit: DeadLetterLimit, bad: list[bool]) -> None:
    limit.check(0, bad)
    limit.committed(0)


def test_a_batch_that_is_checked_again_and_again_counts_once() -> None:
    limit = DeadLetterLimit(0.5)
    commit(limit, [False] * WINDOW_EVENTS)
    for _ in range(WINDOW_EVENTS):
        limit.check(0, [True] * 20)  # Kafka is away, and the batch is repeated


def test_batches_under_way_count_together() -> None:
    limit = DeadLetterLimit(0.5)
    commit(limit, [False] * WINDOW_EVENTS)
    limit.check(1, [True] * 2_000)
    limit.check(2, [True] * 2_000)
    with pytest.raises(TooManyDeadLetters):
        limit.check(3, [True] * 2_000)
    limit.given_up(1)
    limit.check(3, [True] * 2_000)


@pytest.mark.parametrize("batch", [1, 7, 1_000])
def test_limit_counts_full_windows_only(batch: int) -> None:
    limit = DeadLetterLimit(0.5)
    for start in range(0, WINDOW_EVENTS - 1, batch):
        commit(limit, [True] * min(batch, WINDOW_EVENTS - 1 - start))
    with pytest.raises(TooManyDeadLetters, match="CLV_DEAD_LETTER_LIMIT"):
        commit(limit, [True])


@pytest.mark.parametrize("batch", [WINDOW_EVENTS, 3 * WINDOW_EVENTS])
def test_one_batch_may_fill_the_window(batch: int) -> None:
    with pytest.raises(TooManyDeadLetters):
        commit(DeadLetterLimit(0.5), [True] * batch)


def test_half_of_the_window_is_allowed_and_one_more_is_not() -> None:
    half = [True, False] * (WINDOW_EVENTS // 2)
    limit = DeadLetterLimit(0.5)
    commit(limit, half)
    commit(limit, half)
    with pytest.raises(TooManyDeadLetters):
        commit(limit, [True, True])


def test_bad_events_leave_the_window_as_good_ones_come() -> None:
    limit = DeadLetterLimit(0.5)
    commit(limit, [True] * (WINDOW_EVENTS // 2))
    for _ in range(10):
        commit(limit, [False] * WINDOW_EVENTS)
    commit(limit, [True] * (WINDOW_EVENTS // 2))


def test_a_bad_stretch_within_one_large_batch_is_found() -> None:
    limit = DeadLetterLimit(0.5)
    flags = [False] * 5_000 + [True] * WINDOW_EVENTS + [False] * 15_000
    with pytest.raises(TooManyDeadLetters):
        commit(limit, flags)
