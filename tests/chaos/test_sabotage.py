"""The fault run finds workers that are broken on purpose: each within three minutes.

A quarter of an hour together, so only when asked for:

    CLV_CHAOS_SABOTAGE=1 pytest tests/chaos/test_sabotage.py

The faults are those that a mistake is about; what finds it is the recount of every run.
"""

import os
import sys
from collections.abc import Mapping

import pytest

from tests.chaos.faults import (
    Fault,
    join_or_leave,
    kill_worker,
    overtake_worker,
    refuse_sends,
    strand_writer,
)
from tests.chaos.run import Plan, run
from tests.chaos.sabotage import MISTAKES

SECONDS = 120.0
"""Of faults. With the start of the servers, settling and the recount it is less than three
minutes."""

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.skipif(
        os.environ.get("CLV_CHAOS_SABOTAGE") != "1", reason="takes minutes: CLV_CHAOS_SABOTAGE=1"
    ),
]

ABOUT: dict[str, Mapping[Fault, float]] = {
    "release": {join_or_leave: 1, kill_worker: 1},
    "offsets": {kill_worker: 1, refuse_sends: 2},
    "fence": {overtake_worker: 1},
    "redis": {strand_writer: 1},
    "aborted": {refuse_sends: 1},
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_broken_worker_is_found(mistake: str) -> None:
    plan = Plan(
        seed=1,
        seconds=SECONDS,
        rate=300,
        fault_every_s=6.0,
        settle_s_max=45,
        worker=[sys.executable, "-m", "tests.chaos.sabotage", mistake],
        faults=ABOUT[mistake],
        temptation={"woken": 0.3},
    )
    report = run(plan)
    assert report.found, str(report)
