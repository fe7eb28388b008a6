"""Days as gaps behave as a sorted list of days."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from models import day_list

proof = settings(max_examples=300, derandomize=True, deadline=None, database=None)
sets_of_days = st.sets(st.integers(10_957, 11_400), min_size=1, max_size=30).map(sorted)


def gaps_of(days: list[int]) -> list[int]:
    return [later - earlier for earlier, later in pairwise(days)]


@proof
@given(sets_of_days)
def test_the_days_come_out(days: list[int]) -> None:
    assert day_list.days_of(days[-1], gaps_of(days), len(days)) == days


def test_no_days() -> None:
    assert day_list.days_of(0, [], 0) == []


@proof
@given(sets_of_days, st.integers(10_900, 11_400))
def test_a_day_is_found_or_inserted_where_it_belongs(days: list[int], day: int) -> None:
    day = min(day, days[-1])
    gaps = gaps_of(days)
    index, found = day_list.find(days[-1], gaps, day)
    assert found == min(one for one in days if one >= day)
    assert days[index] == found
    if found != day:
        day_list.insert(gaps, index, found - day)
        assert gaps == gaps_of(sorted([*days, day]))


@proof
@given(sets_of_days, st.integers(10_900, 11_500))
def test_days_up_to_a_horizon_are_dropped(days: list[int], horizon: int) -> None:
    gaps = gaps_of(days)
    dropped = [day for day in days if day <= horizon]
    assert day_list.drop_until(days[0], gaps, horizon) == dropped
    assert gaps == gaps_of(days[len(dropped) :])
