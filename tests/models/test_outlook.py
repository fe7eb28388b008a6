"""The outlook: what silence will do is what it then does."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from models.events import Event
from models.outlook import falls
from models.policy import Policy
from tests.models.shop import DAY_MS, Partition, policies, purchase_histories

proof = settings(max_examples=40, derandomize=True, deadline=None, database=None)


@proof
@given(
    policies(),
    purchase_histories(max_size=20, gap_days=60.0, customers=4),
    st.integers(0, 200),
    st.integers(1, 500),
)
def test_it_comes_as_it_was_told(
    policy: Policy, events: list[Event], wait_days: int, days: int
) -> None:
    partition = Partition(policy)
    for event in events:
        partition.one(event)
    start_ms = partition.now_ms + wait_days * DAY_MS
    partition.tick(start_ms)
    end_ms = start_ms + days * DAY_MS
    told = list(falls(policy, partition.table.items(), start_ms, end_ms))
    partition.changes.clear()
    partition.tick(end_ms)
    drops = {"tier": policy.tier_names, "churn": policy.level_names}
    came = {
        (kind, change.customer, change.from_, change.to, change.crossed_at_ms): change
        for kind, change in partition.changes
        if (drops[kind].index(change.to) < drops[kind].index(str(change.from_))) == (kind == "tier")
    }
    assert {(f.kind, f.customer, f.from_, f.to, f.at_ms) for f in told} == set(came)
    assert len(told) == len(came)
    for fall in told:
        if fall.kind == "churn":
            change = came[fall.kind, fall.customer, fall.from_, fall.to, fall.at_ms]
            said = msgspec.json.decode(change.value)
            assert fall.at_risk_minor == said["value_at_risk_minor"]
            assert fall.predicted_minor == said["predicted_clv_minor"]


def test_what_lies_before_the_start_is_left_out() -> None:
    policy = Policy()
    partition = Partition(policy)
    partition.one(Event(0, b"c1", "o-1", 1_600_000_000_000, 60_000, -1))
    end_ms = 1_600_000_000_000 + 500 * DAY_MS
    told = list(falls(policy, partition.table.items(), 0, end_ms))
    assert [(fall.kind, fall.to) for fall in told if fall.kind == "tier"] == [("tier", "bronze")]
    last = max(fall.at_ms for fall in told)
    assert not list(falls(policy, partition.table.items(), last, end_ms))
    assert list(falls(policy, partition.table.items(), last - 1, last))
