"""Instants in messages: RFC 3339 as the standard library writes it."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.times import MS_MAX, rfc3339, spoken

proof = settings(max_examples=200, derandomize=True, deadline=None, database=None)


@proof
@given(st.lists(st.integers(0, MS_MAX), min_size=1, max_size=5))
def test_as_the_standard_library_writes_it(instants: list[int]) -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    expected = [
        (epoch + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds")[:-6] + "Z"
        for ms in instants
    ]
    assert rfc3339(np.array(instants, dtype=np.int64)) == expected


def test_the_edges_of_the_table() -> None:
    edges = [946_684_800_000, 4_102_444_799_999, 4_102_444_800_000, MS_MAX]
    for at_ms, text in zip(
        edges,
        [
            "2000-01-01T00:00:00.000Z",
            "2099-12-31T23:59:59.999Z",
            "2100-01-01T00:00:00.000Z",
            "9999-12-31T23:59:59.999Z",
        ],
        strict=True,
    ):
        assert rfc3339(np.array([at_ms])) == [text]
    assert rfc3339(np.array([], dtype=np.int64)) == []


@pytest.mark.parametrize(
    ("length_ms", "said"),
    [
        (0, "0 milliseconds"),
        (1, "1 millisecond"),
        (3_600_000, "1 hour"),
        (3_600_001, "1 hour 1 millisecond"),
        (90_061_001, "1 day 1 hour"),
        (102_803_916_952, "1,189 days 20 hours"),
    ],
)
def test_lengths_are_said_in_peoples_units(length_ms: int, said: str) -> None:
    assert spoken(length_ms) == said
