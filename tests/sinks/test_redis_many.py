"""What is packed here is what hiredis packs, byte by byte."""

from typing import cast

import hiredis
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks.redis_many import packed_mset, packed_zadd

proof = settings(max_examples=100, derandomize=True, deadline=None, database=None)
some_bytes = st.binary(max_size=40) | st.sampled_from([b"", b"\r\n", b"%d", "Zoë".encode()])


def packed(*parts: bytes | int) -> bytes:
    return cast("bytes", hiredis.pack_command(parts))  # type: ignore[arg-type]


@proof
@given(some_bytes, st.lists(st.tuples(some_bytes, some_bytes), min_size=1, max_size=12))
def test_values(prefix: bytes, values: list[tuple[bytes, bytes]]) -> None:
    flat = [part for name, value in values for part in (prefix + name, value)]
    assert packed_mset(prefix, values) == packed(b"MSET", *flat)


@proof
@given(
    some_bytes,
    st.lists(
        st.tuples(some_bytes, st.integers(-(2**63), 2**63 - 1) | st.integers(-9, 9)),
        min_size=1,
        max_size=12,
    ),
)
def test_members(key: bytes, scores: list[tuple[bytes, int]]) -> None:
    flat = [part for member, score in scores for part in (score, member)]
    assert packed_zadd(key, scores) == packed(b"ZADD", key, *flat)
