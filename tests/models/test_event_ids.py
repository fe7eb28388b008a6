"""The bounded memory of event ids."""

from hypothesis import given, settings
from hypothesis import strategies as st

from models.event_ids import MEMORY_BYTES_MAX, id_hash, remember, remembers


def test_a_hash_has_seven_bytes_and_stays_what_it_was() -> None:
    assert id_hash("o-1001") == bytes.fromhex("1c632afd6e6924")
    assert {len(id_hash(text)) for text in ("", "x" * 256, "é", "\0")} == {7}


def test_64_are_remembered() -> None:
    memory = b""
    for number in range(100):
        assert not remembers(memory, id_hash(f"{number}"))
        memory = remember(memory, id_hash(f"{number}"))
    assert len(memory) == MEMORY_BYTES_MAX == 448
    assert [n for n in range(100) if remembers(memory, id_hash(f"{n}"))] == list(range(36, 100))


@settings(derandomize=True, deadline=None, database=None)
@given(st.lists(st.lists(st.sampled_from(b"ab"), min_size=7, max_size=7).map(bytes)), st.data())
def test_only_whole_hashes_are_found(hashes: list[bytes], data: st.DataObject) -> None:
    """Two letters make hashes that often stand across the border of two others."""
    memory = b"".join(hashes)
    wanted = data.draw(st.lists(st.sampled_from(b"ab"), min_size=7, max_size=7).map(bytes))
    assert remembers(memory, wanted) == (wanted in hashes)
    for one in hashes:
        assert remembers(memory, one)


def test_a_hash_across_a_border_hides_no_later_one() -> None:
    first, second = b"abcdefg", b"hijklmn"
    across = b"efghijk"
    assert not remembers(first + second, across)
    assert remembers(first + second + across, across)
