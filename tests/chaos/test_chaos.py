"""One short fault run, and the harness's own parts.

`CLV_CHAOS_SECONDS` and `CLV_CHAOS_SEED` make it longer, or another. With `CLV_REQUIRE_FAKETIME=1`
it fails where a fault has to be left out.
"""

import os
from itertools import islice

import pytest

from tests.chaos.run import Plan, run
from tests.chaos.workload import Workload
from tests.recount.facts import Input, Recount
from tests.recount.judge import PURCHASES, Rules

SECONDS = float(os.environ.get("CLV_CHAOS_SECONDS", "60"))
SEED = int(os.environ.get("CLV_CHAOS_SEED", "1"))


@pytest.mark.kafka
@pytest.mark.redis
@pytest.mark.slow
def test_nothing_is_lost_and_nothing_is_doubled() -> None:
    report = run(Plan(seed=SEED, seconds=SECONDS))
    assert report.faults
    assert not report.left_out or os.environ.get("CLV_REQUIRE_FAKETIME") != "1", report.left_out
    assert not report.found, str(report)


def test_the_same_seed_publishes_the_same() -> None:
    first, second = (list(islice(Workload(3, 8, 500, 2_000), 2_000)) for _ in range(2))
    assert [shot.partition for shot in first] == [shot.partition for shot in second]
    differing = [a for a, b in zip(first, second, strict=True) if a != b]
    assert len(differing) < 20  # only what lies in the future, of which there is a new one each ms


def test_the_workload_holds_what_it_promises() -> None:
    counted = Recount(Rules(partitions=8, rates={}))
    for offset, shot in enumerate(islice(Workload(3, 8, 500, 20_000), 20_000)):
        where = 0 if shot.partition is None else shot.partition
        record = Input(shot.topic, where, offset, 1 << 42, shot.key, shot.value)
        counted.add([record])
    outcomes = counted.outcomes
    for outcome in ("processed", "duplicate", "late", "rerouted", "dead_letter"):
        assert outcomes[PURCHASES, outcome] > 20, outcome
    reasons = {reason for faults, _ in counted.bad.values() for reason in faults}
    assert reasons > {"invalid_json", "too_large", "bad_type", "bad_time", "missing_field"}
    assert max(customer.orders for customer in counted.customers.values()) > 100
