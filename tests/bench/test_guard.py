"""The cost of an event in the core has not risen: CI's own benchmark."""

import json
import time
from collections.abc import Callable

import pytest

from bench import guard

ATTEMPTS = 3  # a busy machine makes a cost look higher, never lower


@pytest.fixture(scope="module")
def batch() -> Callable[[], object]:
    return guard.batch()


def recorded() -> float:
    ratio = guard.recorded()
    if ratio is None:
        pytest.skip(f"nothing is on record for Python {guard.version()}: bench/guard.py --record")
    return ratio


def test_an_event_costs_no_more_than_on_record(batch: Callable[[], object]) -> None:
    limit = recorded() * guard.RISE_MAX
    costs = []
    for _ in range(ATTEMPTS):
        costs.append(guard.measure(batch))
        if costs[-1].ratio <= limit:
            return
    pytest.fail(
        f"an event costs {min(cost.ratio for cost in costs):.2f} turns of the fixed loop, and "
        f"{limit:.2f} is the most: make it cheaper, or `python bench/guard.py --record` and say why"
    )


def test_a_dearer_event_shows(batch: Callable[[], object]) -> None:
    """Half as much again on each event, in CPU time, is found every time."""

    def dearer() -> None:
        begun = time.process_time()
        batch()
        end = time.process_time() + (time.process_time() - begun) / 2
        while time.process_time() < end:
            pass

    as_is, worse = guard.measure(batch), guard.measure(dearer)
    assert 1.3 < worse.ratio / as_is.ratio < 1.7


def test_the_record_is_of_known_versions() -> None:
    on_record = json.loads(guard.RECORDED.read_text())
    assert on_record
    assert all(ratio > 0 for ratio in on_record.values())
