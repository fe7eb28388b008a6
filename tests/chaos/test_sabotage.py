"""The fault run finds workers that are broken on purpose. A quarter of an hour: asked for only.

CLV_CHAOS_SABOTAGE=1 pytest tests/chaos/test_sabotage.py
"""

import os
import sys

import pytest

from tests.chaos.run import Plan, run
from tests.chaos.sabotage import MISTAKES

SECONDS = 180.0

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.skipif(
        os.environ.get("CLV_CHAOS_SABOTAGE") != "1", reason="takes minutes: CLV_CHAOS_SABOTAGE=1"
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_broken_worker_is_found(mistake: str) -> None:
    worker = [sys.executable, "-m", "tests.chaos.sabotage", mistake]
    report = run(Plan(seed=1, seconds=SECONDS, settle_s_max=60, worker=worker))
    assert report.found, str(report)
