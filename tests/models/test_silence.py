"""Silence: the same changes at the same instants, however it is looked at."""

from hypothesis import given, settings
from hypothesis import strategies as st

from models.events import Event
from models.policy import Policy
from tests.models.naive import Crossed, Naive
from tests.models.shop import DAY_MS, Partition, policies, purchase_histories

SILENT_DAYS = 600  # longer than any window, so that everyone falls as far as silence leads

proof = settings(max_examples=60, derandomize=True, deadline=None, database=None)


def scanned(policy: Policy, events: list[Event], end_ms: int) -> list[Crossed]:
    naive = Naive(policy)
    for event in events:
        naive.apply(event, naive.as_of_ms)
    naive.silence(end_ms)
    return naive.changes


def same(found: list[Crossed], truth: list[Crossed]) -> None:
    """The same changes in the same order, and their instants within a second."""
    assert [change[:-1] for change in found] == [change[:-1] for change in truth]
    for change, true in zip(found, truth, strict=True):
        assert abs(change.at_ms - true.at_ms) < 1_000


@proof
@given(policies(), purchase_histories(), st.data())
def test_ticks_of_any_spacing_find_what_a_scan_finds(
    policy: Policy, events: list[Event], data: st.DataObject
) -> None:
    end_ms = events[-1].at_ms + SILENT_DAYS * DAY_MS
    partition = Partition(policy)
    for number, event in enumerate(events):
        if data.draw(st.booleans()):
            tick_until(partition, event.at_ms, data, number)
        partition.one(event)
    tick_until(partition, end_ms, data, len(events))
    truth = scanned(policy, events, end_ms)
    for kind in ("tier", "churn"):
        same(partition.crossed(kind), [change for change in truth if change.kind == kind])


def tick_until(partition: Partition, end_ms: int, data: st.DataObject, number: int) -> None:
    """Ticks at uneven times, from minutes to months apart."""
    spacings = st.sampled_from([60_000, 3_600_000, DAY_MS, 10 * DAY_MS, 200 * DAY_MS])
    for spacing in data.draw(st.lists(spacings, max_size=30), label=f"ticks before {number}"):
        if partition.now_ms + spacing < end_ms:
            partition.tick(partition.now_ms + spacing)
    partition.tick(end_ms)
