"""The benchmark's judge: a lost event and a doubled one are found, and times are counted right."""

import json
from collections.abc import Sequence

import numpy as np

from bench.recount import NOT_TOLD, Aggregates, Recount, Scores

Event = tuple[bytes, int, int]  # customer, occurred_at, amount


def counted(*partitions: Sequence[Event]) -> Recount:
    """A recount of events sent a second apart."""
    return Recount(
        [
            [
                (key, json.dumps({"occurred_at": at, "amount_minor": amount}).encode(), 1000 * n)
                for n, (key, at, amount) in enumerate(partition)
            ]
            for partition in partitions
        ]
    )


A, B = b"a", b"b"
INPUT = [(A, 50, 7), (B, 60, 1), (A, 40, 9), (A, 70, 2)]
RIGHT = [
    (10.0, A, Aggregates(1, 50, 50, 7, 7)),
    (20.0, B, Aggregates(1, 60, 60, 1, 1)),
    (30.0, A, Aggregates(3, 40, 70, 18, 9)),
]


def complaint(rows: Sequence[tuple[float, bytes, Aggregates]], *, complete: bool = True) -> str:
    return counted(INPUT).judge(Scores.of(rows)).complaint(complete=complete)


def test_right_scores_pass() -> None:
    assert complaint(RIGHT) == ""
    told_less = Aggregates(3, 40, 70, 18, NOT_TOLD)
    assert complaint([RIGHT[0], RIGHT[1], (30.0, A, told_less)]) == ""


def test_a_lost_event_is_found() -> None:
    assert complaint(RIGHT[:2]) == "WRONG: lost 2 of 4 events"
    assert complaint(RIGHT[:2], complete=False) == ""


def test_a_score_that_skipped_an_event_is_found() -> None:
    skipped = (30.0, A, Aggregates(2, 50, 70, 9, 7))
    assert complaint([*RIGHT, skipped], complete=False).startswith("WRONG: 1 scores")


def test_a_doubled_event_is_found() -> None:
    doubled = (40.0, A, Aggregates(4, 40, 70, 20, 9))
    assert complaint([*RIGHT, doubled]).startswith("WRONG: 1 scores")


def test_a_customer_that_nobody_knows_is_found() -> None:
    assert complaint([*RIGHT, (5.0, b"c", Aggregates(1, 1, 1, 1, 1))]).startswith("WRONG")


def test_progress_counts_each_event_once() -> None:
    at_ms, covered = counted(INPUT).progress(Scores.of([*RIGHT, RIGHT[2]]))
    assert at_ms.tolist() == [10, 20, 30, 30]
    assert covered.tolist() == [1, 2, 4, 4]


def test_latency_is_until_the_first_score_that_covers_an_event() -> None:
    recount = counted([(A, 1, 1), (A, 2, 1), (A, 3, 1)], [(B, 1, 1)])
    rows = [
        (500.0, A, Aggregates(1, 1, 1, 1, 1)),
        (4000.0, A, Aggregates(3, 1, 3, 3, 1)),
        (4500.0, A, Aggregates(3, 1, 3, 3, 1)),
    ]
    found = recount.latencies_ms(Scores.of(rows), 0, 1e9)
    assert found.tolist() == [500, 3000, 2000, np.inf]
    assert recount.latencies_ms(Scores.of(rows), 1000, 2000).tolist() == [3000]


def test_the_last_customer_of_each_partition_is_told() -> None:
    assert counted(INPUT, [(b"c", 1, 1)]).lasts == [(A, 3), (b"c", 1)]
