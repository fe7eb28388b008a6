"""The cost of an event in the core has not risen: CI's own benchmark."""

import json
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
        pytest.skip(
            f"nothing is on record for Python {guard.version()}: `python -m bench.guard --record`"
        )
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
        f"{limit:.2f} is the most: make it cheaper, or `python -m bench.guard --record` and say why"
    )


def test_the_ratio_counts_turns_of_the_loop() -> None:
    loop = guard.reference()
    once = guard.measure(loop, 30)
    twice = guard.measure(lambda: (loop(), loop()), 30)
    assert once.ratio == pytest.approx(1.0, rel=0.15)
    assert twice.ratio == pytest.approx(2.0, rel=0.15)


def test_the_record_is_of_known_versions() -> None:
    on_record = json.loads(guard.RECORDED.read_text())
    assert on_record
    assert all(ratio > 0 for ratio in on_record.values())
