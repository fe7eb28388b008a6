"""A dead publisher is told from a closed shop, and from one that sells little."""

import pytest

from streams.publisher_silence import PERIODS, PublisherWatch, is_dead
from streams.settings import Settings
from streams.topics import ENGAGEMENTS, PURCHASES

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def arrivals(bought: list[int], visits: list[int]) -> dict[str, list[int]]:
    """By day, the newest first; days that are not given are like the last one given."""
    return {
        topic: counts + [counts[-1]] * (PERIODS - len(counts))
        for topic, counts in ((PURCHASES, bought), (ENGAGEMENTS, visits))
    }


@pytest.mark.parametrize(
    ("dead", "bought", "visits", "why"),
    [
        (True, [0, 1_000], [5_000], "purchases stopped, page views go on"),
        (True, [0, 0, 0, 1_000], [5_000], "for three days"),
        (False, [1, 1_000], [5_000], "it speaks"),
        (False, [0, 1_000], [0, 5_000], "all is silent: the shop is closed, or nobody is there"),
        (False, [0], [5_000], "there were never any, or they were given up"),
        (False, [1_000], [0], "page views stopped: no purchase can be missing for that"),
        (False, [0, 15], [5_000], "a quiet day of a small shop"),
        (True, [0, 0, 15], [5_000], "two quiet days are too many for it"),
        (False, [0, 0, 0, 0, 2], [5_000], "two purchases a day may well be none for four days"),
    ],
)
def test_what_is_taken_for_dead(dead: bool, bought: list[int], visits: list[int], why: str) -> None:
    assert is_dead(arrivals(bought, visits)) is dead, why


def watch(**settings: object) -> PublisherWatch:
    return PublisherWatch(Settings(**settings), lambda: 0)


def test_nothing_is_believed_before_the_first_answer() -> None:
    made = watch()
    assert made.holds
    made.judge(arrivals([1_000], [5_000]), 0)
    assert not made.holds


def test_time_goes_on_a_while_after_it_speaks_again() -> None:
    told: list[tuple[str, bool]] = []
    made = PublisherWatch(Settings(), lambda: 0, lambda *what: told.append(what))
    made.judge(arrivals([0, 1_000], [5_000]), 0)
    assert made.holds
    made.judge(arrivals([1, 0, 1_000], [5_000]), DAY_MS)
    assert made.holds, "what waited at the publisher comes first, and late"
    made.judge(arrivals([900, 0, 1_000], [5_000]), DAY_MS + HOUR_MS)
    assert not made.holds
    assert told == [(PURCHASES, True), (PURCHASES, True), (PURCHASES, False)]


def test_time_does_not_stand_for_ever() -> None:
    made = watch()
    for days in range(1, PERIODS + 2):
        counts = [0] * min(days, PERIODS) + [1_000] * max(PERIODS - days, 0)
        made.judge(arrivals(counts, [5_000]), days * DAY_MS)
        assert made.holds is (days <= PERIODS), "after so many days it was given up"


async def test_it_can_be_turned_off() -> None:
    made = watch(publisher_silence="0s")
    await made.run()
    assert not made.holds
