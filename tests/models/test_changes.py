"""Ids of changes: one for each change, and the same again."""

from itertools import combinations

from models.changes import change_id

BASE = ("tier", b"42", "silence", "o-1", "gold", 1_600_000_000_123)


def test_the_same_change_has_the_same_id() -> None:
    assert change_id(*BASE) == change_id(*BASE)
    assert len(change_id(*BASE)) == 32
    # Of a silent crossing only the second counts: a root may move by a millisecond.
    assert change_id(*BASE[:5], 1_600_000_000_999) == change_id(*BASE)
    assert change_id(*BASE[:5], 1_600_000_001_000) != change_id(*BASE)
    # Of an event's, the event does.
    event = ("tier", b"42", "purchase", "o-1", "gold")
    assert change_id(*event, 1) == change_id(*event, 10**12)


def test_different_changes_have_different_ids() -> None:
    others = [
        BASE,
        ("churn", *BASE[1:]),
        ("tier", b"43", *BASE[2:]),
        ("tier", b"42", "purchase", *BASE[3:]),
        ("tier", b"42", "silence", "o-2", *BASE[4:]),
        ("tier", b"42", "silence", "o-1", "silver", BASE[5]),
        # Where one part ends and the next begins cannot be confused.
        ("tier", b"42", "silence", "o-1g", "old", BASE[5]),
        ("tier", b"d42", "silence", "o-1", "gol", BASE[5]),
        ("tier", b"42", "silence", "o-1 4", "gold", BASE[5]),
    ]
    for one, other in combinations(others, 2):
        assert change_id(*one) != change_id(*other)  # type: ignore[arg-type]
