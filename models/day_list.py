"""Ascending day numbers as their last day and the gaps between them: short to store.

Most gaps fit one byte where a day number needs three, and both common updates, the same day again
and a later day, touch only the end. n days have n - 1 gaps; no day at all has the last day 0.
"""

from itertools import accumulate


def days_of(last: int, gaps: list[int], count: int) -> list[int]:
    """All days, ascending; `count` tells one day from none, which both have no gaps."""
    return list(accumulate(gaps, initial=last - sum(gaps))) if count else []


def find(last: int, gaps: list[int], day: int) -> tuple[int, int]:
    """Where a day belongs, looked for from the newest end.

    Args:
        last: the last day; there is at least one.
        gaps: the gaps between the days.
        day: the day to look for, not after `last`.

    Returns:
        The index of the earliest of the days that is not before `day`, and that day itself.
    """
    index = len(gaps)
    found = last
    while index and found - gaps[index - 1] >= day:
        index -= 1
        found -= gaps[index]
    return index, found


def insert(gaps: list[int], index: int, before: int) -> None:
    """Inserts a day `before` days ahead of the day at `index`, after the one before that."""
    if index:
        gaps[index - 1] -= before
    gaps.insert(index, before)


def drop_until(first: int, gaps: list[int], horizon: int) -> list[int]:
    """Drops the days up to and including `horizon` from the gaps.

    Args:
        first: the first day.
        gaps: the gaps between the days.
        horizon: the newest day to drop.

    Returns:
        The days dropped, ascending; where there is one more of them than there were gaps, none
        is left.
    """
    dropped = []
    for gap in gaps:
        if first > horizon:
            break
        dropped.append(first)
        first += gap
    else:
        if first <= horizon:
            dropped.append(first)  # the last day, which no gap follows
    del gaps[: len(dropped)]
    return dropped
