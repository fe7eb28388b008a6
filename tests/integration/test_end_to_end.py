"""The whole job on real servers, to the event and to the cent.

`CLV_TEST_EVENTS` and `CLV_TEST_CUSTOMERS` make it larger: 1000000 and 50000 are the acceptance of
a release.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.integration.job import job, shuffled, simulated
from tests.recount.judge import PURCHASES

EVENTS = int(os.environ.get("CLV_TEST_EVENTS", "20000"))
CUSTOMERS = int(os.environ.get("CLV_TEST_CUSTOMERS", str(EVENTS // 20)))

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.slow]


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return simulated(EVENTS, CUSTOMERS, tmp_path_factory.mktemp("simulated"), {})


@pytest.fixture(scope="module")
def hashes() -> dict[str, str]:
    """The state hash of each run; they must all be equal."""
    return {}


WAYS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "every codec": ({"codecs": ["none", "gzip", "snappy", "lz4", "zstd"]}, {}),
    "small batches, shuffled": ({}, {"CLV_BATCH_EVENTS": "700"}),
    "librdkafka's partitioner": ({"placement": "librdkafka"}, {}),
    "no keys": ({"placement": "keyless"}, {"CLV_BATCH_EVENTS": "3000"}),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_recount_agrees_however_it_is_published(
    way: str, lines: list[bytes], hashes: dict[str, str], tmp_path: Path
) -> None:
    how, env = WAYS[way]
    misplaced = "placement" in how
    given = shuffled(lines, 1000, seed=1) if "shuffled" in way else lines
    if misplaced:
        # Forwarded, a repetition may come long after its first: beyond the memory of 64 ids it
        # counts as new. Without repetitions the facts are the same.
        given = list(dict.fromkeys(lines))
    with job(tmp_path, **env) as running:
        running.worker.start()
        running.publish(given, **how)
        running.settle()
        counted, found = running.recount()
        assert not found, str(found)
        _is_all_there(counted.outcomes, len(given), misplaced=misplaced)
        assert found.compared["dead letters"] == EVENTS // 1000
        hashes[way] = running.state_hash()
        assert len(set(hashes.values())) == 1, hashes
        running.stop()


def _is_all_there(outcomes: Mapping[tuple[str, str], int], lines: int, *, misplaced: bool) -> None:
    """The recount saw what was published, so its agreement means something."""
    totals: dict[str, int] = {}
    for (_, outcome), number in outcomes.items():
        totals[outcome] = totals.get(outcome, 0) + number
    assert sum(totals.values()) - totals.get("rerouted", 0) == lines
    assert (totals.get("rerouted", 0) > lines // 2) == misplaced
    assert (outcomes.get((PURCHASES, "duplicate"), 0) == 0) == misplaced
