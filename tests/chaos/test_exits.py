"""Which ends of a worker are a finding, and which a fault of ours explains."""

import random
import time
from pathlib import Path
from typing import cast

import pytest

from tests.chaos.world import LATE, World
from tests.servers.kafka import Kafka
from tests.servers.redis import Redis

# A worker that does not get done within its second, and says so.
SLOW = (
    f"trap 'sleep 1; echo \"{LATE} 20 s\"; exit 1' TERM; echo stopping:; while :; do sleep .1; done"
)


@pytest.mark.parametrize("frozen", [False, True])
def test_a_late_end_is_explained_by_a_worker_that_was_frozen(frozen: bool, tmp_path: Path) -> None:
    servers = cast("Kafka", None), cast("Redis", None)
    world = World(*servers, random.Random(1), tmp_path, {}, ["sh", "-c", SLOW])
    slot = world.slots[0]
    slot.start()
    try:
        within_s = time.monotonic() + 20
        while not slot.moments():
            assert time.monotonic() < within_s
            time.sleep(0.02)
        slot.terminate()
        if frozen:
            slot.pause()
            slot.resume()
        while slot.running:
            assert time.monotonic() < within_s
            time.sleep(0.02)
        world.turn()
    finally:
        slot.kill()
    assert sum(world.exits.values()) == 1
    assert len(world.crashes) == (not frozen)
