"""Our small job keeps up with the transport that it runs on."""

import pytest

from bench.engines import our_small_job
from bench.lineup import LINEUP
from streams.transport.roles import Keeper


def test_the_small_job_has_all_that_a_lane_asks_for() -> None:
    asked = {name for name in vars(Keeper) if not name.startswith("_")}
    assert asked
    assert asked <= set(vars(our_small_job.Restored))


def test_names_of_engines_are_distinct() -> None:
    names = [engine.name for engine in LINEUP]
    assert len(set(names)) == len(names)


def test_our_small_job_and_the_peers_agree() -> None:
    from bench.engines import small_job

    purchases = [{"occurred_at": at, "amount_minor": amount} for at, amount in
                 ((5_000_000_000, 7), (4_000_000_000, 30), (9_000_000_000, 1))]  # fmt: skip
    totals = small_job.NOTHING
    for purchase in purchases:
        totals = small_job.step(totals, purchase)
    ours = our_small_job.msgspec.json.decode(our_small_job.score(totals))
    assert totals == (3, 4_000_000_000, 9_000_000_000, 38, 30)
    assert ours == pytest.approx(small_job.score(totals))
