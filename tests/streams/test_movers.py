"""Moves are what was published then and now; what Kafka no longer tells is not made up."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.movers import Movers
from tests.streams.test_lookups import score

BEGIN, END = "2026-03-01T00:00:00.000Z", "2026-03-08T00:00:00.000Z"
OLD = "2020-01-01T00:00:00.000Z"


def at(day: int) -> str:
    """A day of March; -1 is the last of February."""
    return f"2026-03-{day:02}T00:00:00.000Z" if day > 0 else f"2026-02-{29 + day}T00:00:00.000Z"


def published(customer: str, as_of: str, total: int, **other: Any) -> SimpleNamespace:
    made = score(customer, total, **{"as_of": as_of, "first_purchase_at": OLD, **other})
    return SimpleNamespace(key=customer.encode(), value=msgspec.json.encode(made))


def gone(customer: str) -> SimpleNamespace:
    return SimpleNamespace(key=customer.encode(), value=None)


def moves(*records: SimpleNamespace, by: Any = "total") -> tuple[dict[str, tuple[Any, ...]], int]:
    """(since, moved, whole) by customer, and how many are unknown; the period is BEGIN to END."""
    movers = Movers(by, 7)
    movers.add([*records, published("end", OLD, 1), published("end", END, 1)])
    assert (movers.begin, movers.until) == (BEGIN, END)
    moved, unknown = movers.moves()
    assert [abs(m.moved_minor) for m in moved] == sorted(
        (abs(m.moved_minor) for m in moved), reverse=True
    )
    return {m.customer_id: (m.since, m.moved_minor, m.whole) for m in moved}, unknown


def test_the_last_score_before_the_period_is_compared_with_the_newest() -> None:
    found, unknown = moves(
        published("a", at(-5), 100),
        published("a", at(-2), 700),
        published("a", at(3), 900),
        published("a", at(5), 250),
    )
    assert found == {"a": (at(-2), -450, True)}
    assert unknown == 0


def test_a_score_of_the_very_beginning_counts_as_before() -> None:
    found, _ = moves(published("a", BEGIN, 100), published("a", at(3), 300))
    assert found == {"a": (BEGIN, 200, True)}


def test_who_bought_first_within_the_period_began_at_nothing() -> None:
    found, unknown = moves(published("a", at(5), 400, first_purchase_at=at(2)))
    assert found == {"a": (None, 400, True)}
    assert unknown == 0


def test_a_refund_may_have_come_before_the_first_purchase() -> None:
    found, unknown = moves(published("a", at(5), 400, first_purchase_at=at(2), refunds=1))
    assert found == {}
    assert unknown == 1


def test_who_never_bought_has_not_moved() -> None:
    assert moves(published("a", at(5), 0, first_purchase_at=None)) == ({}, 0)


def test_where_earlier_scores_are_compacted_away_the_move_is_a_part_and_says_so() -> None:
    found, unknown = moves(
        published("a", at(4), 400), published("a", at(6), 300), published("b", at(5), 400)
    )
    assert found == {"a": (at(4), -100, False)}
    assert unknown == 1


def test_whose_score_has_not_changed_since_before_has_not_moved() -> None:
    assert moves(published("a", at(-5), 400)) == ({}, 0)


def test_a_customer_who_was_taken_out_is_gone() -> None:
    records = published("a", at(-5), 100), published("a", at(3), 300), gone("a"), gone("never")
    assert moves(*records) == ({}, 0)


def test_the_value_at_risk_moves_by_itself() -> None:
    found, _ = moves(
        published("a", at(-5), 100, risk=10), published("a", at(3), 100, risk=50), by="risk"
    )
    assert found == {"a": (at(-5), 40, True)}


def test_nothing_is_said_of_an_empty_topic() -> None:
    movers = Movers("total", 7)
    assert (movers.moves(), movers.begin, movers.customers) == (([], 0), "", 0)


@settings(derandomize=True, deadline=None, database=None)
@given(st.lists(st.tuples(st.integers(1, 27), st.integers(0, 9)), min_size=1, max_size=30))
def test_a_tail_of_the_scores_gives_the_whole_move_or_says_that_it_does_not(
    told: list[tuple[int, int]],
) -> None:
    """Whatever Kafka has compacted away, what is said to be whole is what all scores say."""
    days = sorted(day for day, _ in told)
    values = [value for _, value in told]
    records = [
        published("a", f"2026-03-{day:02}T00:00:00.000Z", value)
        for day, value in zip(days, values, strict=True)
    ]
    begin = days[-1] - 7
    before = [value for day, value in zip(days, values, strict=True) if day <= begin]
    for removed in range(len(records)):
        movers = Movers("total", 7)
        movers.add(records[removed:])
        found, unknown = movers.moves()
        known_before = [day for day in days[removed:] if day <= begin]
        if known_before:
            assert unknown == 0
            assert sum(mover.moved_minor for mover in found) == values[-1] - before[-1]
        elif removed < len(records) - 1:
            assert sum(mover.moved_minor for mover in found) == values[-1] - values[removed]
            assert not any(mover.whole for mover in found)
        else:
            assert (found, unknown) == ([], 1)
        assert all(len(left) <= len(records) - removed for left in movers._left.values())


def test_what_is_kept_is_bounded_by_the_period() -> None:
    movers = Movers("total", 7)
    for day in range(1, 28):
        movers.add([published("a", f"2026-03-{day:02}T00:00:00.000Z", day)])
    assert len(movers._left[b"a"]) == 8


@pytest.mark.parametrize("by", ["total", "risk"])
def test_ties_have_an_order(by: Any) -> None:
    movers = Movers(by, 7)
    for name in ("b", "a"):
        movers.add([published(name, at(1), 1, risk=1), published(name, at(5), 2, risk=2)])
    assert [mover.customer_id for mover in movers.moves()[0]] == ["a", "b"]
