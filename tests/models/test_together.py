"""Partitions that are stepped together come out as each of them does alone."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from models.events import Event
from models.facts import TOTAL_MINOR_MAX
from models.policy import Policy
from models.silent_step import SilentWork, silence_together
from models.step import Step, Work, step_together
from tests.models.shop import DAY_MS, Partition, arrivals, policies, purchase, visit

proof = settings(max_examples=50, derandomize=True, deadline=None, database=None)

Timed = list[tuple[Event, int]]


def play(partitions: Sequence[Partition], events: Sequence[Timed]) -> list[Step]:
    works = [Work(p.table.get, some, p.now_ms) for p, some in zip(partitions, events, strict=True)]
    results = step_together(partitions[0].policy, works)
    for partition, result in zip(partitions, results, strict=True):
        partition.take(result)
    return results


def tick(partitions: Sequence[Partition], now_ms: int) -> list[Step]:
    works = []
    for partition in partitions:
        partition.now_ms = max(now_ms, partition.now_ms)
        due = partition.schedule.due(partition.now_ms, 1_000)
        works.append(SilentWork(partition.table.get, due, partition.now_ms))
    results = silence_together(partitions[0].policy, works)
    for partition, result in zip(partitions, results, strict=True):
        partition.take(result)
    return results


@proof
@given(policies(), st.lists(arrivals(), min_size=2, max_size=4), st.data())
def test_together_and_alone_are_the_same(
    policy: Policy, histories: list[Timed], data: st.DataObject
) -> None:
    together = [Partition(policy) for _ in histories]
    alone = [Partition(policy) for _ in histories]
    rounds = data.draw(st.integers(1, 4))
    for number in range(rounds):
        # Their customers have the same names: what is kept must be kept apart.
        parts = [events[number::rounds] for events in histories]
        joint = play(together, parts)
        assert joint == [play([p], [part])[0] for p, part in zip(alone, parts, strict=True)]
        now_ms = max(p.now_ms for p in alone) + data.draw(st.integers(0, 400)) * DAY_MS
        assert tick(together, now_ms) == [tick([p], now_ms)[0] for p in alone]
    assert [p.table for p in together] == [p.table for p in alone]


def test_each_partition_hears_of_what_is_its_own() -> None:
    first, second, idle = (Partition(Policy()) for _ in range(3))
    bought, too_much = purchase(1, 0), purchase(2, 1, TOTAL_MINOR_MAX)
    events = [
        [(bought, bought.at_ms), (bought, bought.at_ms), (too_much, too_much.at_ms)],
        [(event, event.at_ms) for event in (visit(1, 2), purchase(3, 2, 100_000))],
        [],
    ]
    one, two, none = play([first, second, idle], events)
    assert [index for index, _ in one.refused] == [2]
    assert not two.refused
    assert one.outcomes == {("purchases", "processed"): 1, ("purchases", "duplicate"): 1}
    assert two.outcomes == {("engagements", "processed"): 1, ("purchases", "processed"): 1}
    assert one.causes == two.causes == {"purchase": 1}
    assert len(one.tier_changes) == 1
    assert len(two.tier_changes) == 2
    assert one.population.historic_minor.total() == 5_000
    assert two.population.historic_minor.total() == 100_000
    assert none == Step(0)
