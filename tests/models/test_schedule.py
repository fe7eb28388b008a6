"""The schedule of deadlines against a plain dictionary, and what a million of them take."""

import time
import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from models.schedule import Schedule

MEMORY_BYTES_MAX = 150_000_000  # issue 5, Deadlines
IDLE_S_MAX = 0.001  # issue 5: an idle tick costs under 1 ms
HOUR_S = 3_600

proof = settings(max_examples=300, derandomize=True, deadline=None, database=None)

seconds = st.sampled_from([1, 2, 100, 4_095, 4_096, 4_097, 8_192]) | st.integers(1, 40 * HOUR_S)
operations = st.lists(
    st.tuples(st.just("put"), st.integers(0, 5), seconds | st.just(0))
    | st.tuples(
        st.just("tick"), st.integers(0, 5_000_000) | st.integers(0, 50_000_000), st.integers(1, 4)
    ),
    max_size=60,
)


@proof
@given(operations)
def test_none_is_missed_and_none_comes_twice(done: list[tuple[str, int, int]]) -> None:
    schedule = Schedule()
    true: dict[bytes, int] = {}
    now_ms = 0
    for name, first, second in done:
        if name == "put":
            customer = b"%d" % first
            deadline_s = second + now_ms // 1000 if second else 0
            schedule.put_all([(customer, deadline_s)])
            true.pop(customer, None)
            if deadline_s:
                true[customer] = deadline_s
            assert len(schedule) == len(true)
            continue
        now_ms += first
        came: list[bytes] = []
        while batch := schedule.due(now_ms, second):
            assert len(batch) <= second
            came += batch
            for customer in batch:
                # Early ones are put in again, as `silence` does; so are those still due.
                if customer in true:
                    schedule.put(customer, true[customer])
        assert len(came) == len(set(came))
        assert {c for c, deadline_s in true.items() if deadline_s * 1000 <= now_ms} <= set(came)
        for customer in came:
            if true.get(customer, now_ms) * 1000 <= now_ms:
                true.pop(customer, None)
                schedule.put(customer, 0)
        earliest = schedule.earliest_s()
        assert not true or (earliest is not None and earliest <= min(true.values()))


def test_an_earlier_second_of_the_same_slot_counts() -> None:
    schedule = Schedule()
    schedule.put_all([(b"c", 8_000)])
    schedule.put_all([(b"c", 5_000)])
    assert schedule.due(5_000_000, 9) == [b"c"]


def test_a_deadline_that_moves_with_each_event_does_not_pile_up() -> None:
    schedule = Schedule()
    for event in range(100_000):
        schedule.put(b"busy", 1_700_000_000 + event)
        schedule.put(b"back", 1_700_000_000 + 10 * HOUR_S - event // 10)
    assert len(schedule) == 2
    held = sum(len(slot.customers) for slot in schedule._closed.values())
    assert held < 2_200  # twice what counts, and the least that is swept


def test_who_waits_while_others_are_swept_is_not_forgotten() -> None:
    """In a portion that is to come, in seconds ahead, and put in as due too late for this tick."""
    schedule = Schedule()
    for customer in (b"a", b"b", b"c"):
        schedule.put(customer, 100)
    first = schedule.due(100_000, 1)
    for customer in (b"d", b"e"):
        schedule.put(customer, 200)
    for customer in (b"f", b"g"):
        schedule.put(customer, 100)
    for event in range(2_000):  # of which half at least are swept: see above
        schedule.put(b"busy", 10 * HOUR_S - event)
    assert sorted(first + schedule.due(100_000, 9)) == [b"a", b"b", b"c"]
    assert sorted(schedule.due(101_000, 9)) == [b"f", b"g"]
    assert sorted(schedule.due(200_000, 9)) == [b"d", b"e"]
    assert schedule.due(10 * HOUR_S * 1000, 9) == [b"busy"]


def test_what_is_due_at_once_again_waits_for_time_to_move() -> None:
    schedule = Schedule()
    schedule.put(b"a", 100)
    assert schedule.due(100_999, 10) == [b"a"]
    schedule.put(b"a", 100)
    assert schedule.due(100_999, 10) == []
    assert schedule.earliest_s() == 100
    assert schedule.due(101_000, 10) == [b"a"]
    assert schedule.earliest_s() is None


def test_what_is_left_of_a_portion_has_waited_since_it_was_due() -> None:
    schedule = Schedule()
    for number in range(10):
        schedule.put(b"%d" % number, 5_000 + number)
    assert schedule.earliest_s() == 4_096, "a slot that is closed tells its beginning"
    assert schedule.due(4_096_000, 10) == []
    assert schedule.earliest_s() == 5_000
    assert len(schedule.due(900_000_000, 4)) == 4
    assert schedule.earliest_s() == 5_000
    assert len(schedule.due(900_000_000, 10)) == 6
    assert schedule.earliest_s() is None


def test_a_million_deadlines() -> None:
    keys = [b"customer-%d" % number for number in range(1_000_000)]
    tracemalloc.start()
    schedule = Schedule()
    for number, key in enumerate(keys):
        schedule.put(key, 1_700_000_000 + number * 7_919 % (400 * 24 * HOUR_S))
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < MEMORY_BYTES_MAX
    schedule.due(1_699_999_000_000, 10_000)
    started = time.process_time()
    for tick in range(100):
        assert schedule.due(1_699_999_000_000 + 250 * (tick % 4), 10_000) == []
    assert (time.process_time() - started) / 100 < IDLE_S_MAX
    total = 0
    while batch := schedule.due(1_700_000_000_000 + 400 * 24 * HOUR_S * 1000, 50_000):
        total += len(batch)
    assert total == len(keys)
    assert len(schedule) == 0
