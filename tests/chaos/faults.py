"""The faults, and how often each comes. Each is over within a minute, and healed by itself."""

import resource
from collections.abc import Callable, Mapping

from tests.chaos.broker_faults import (
    fill_disk,
    freeze_broker,
    kill_broker,
    refuse_sends,
    restart_broker,
    slow_broker,
)
from tests.chaos.clock import faketime
from tests.chaos.redis_faults import (
    empty_redis,
    fill_redis,
    freeze_redis,
    kill_redis,
    restart_redis,
)
from tests.chaos.worker_faults import (
    freeze_worker,
    join_or_leave,
    jump_clock,
    kill_all_workers,
    kill_worker,
    overtake_worker,
    strand_committer,
    strand_writer,
    terminate_worker,
)
from tests.chaos.world import World

Fault = Callable[[World], str | None]

FAULTS: dict[Fault, float] = {
    kill_worker: 6,
    kill_all_workers: 1,
    terminate_worker: 2,
    freeze_worker: 2,
    strand_committer: 1.5,
    strand_writer: 1.5,
    overtake_worker: 2,
    join_or_leave: 3,
    jump_clock: 2,
    kill_broker: 1,
    restart_broker: 0.7,
    freeze_broker: 1.5,
    slow_broker: 1.5,
    refuse_sends: 3,
    fill_disk: 1,
    kill_redis: 1,
    restart_redis: 1,
    freeze_redis: 1,
    empty_redis: 1,
    fill_redis: 1,
}
"""How often each comes, by proportion."""


def impossible() -> dict[Fault, str]:
    """Faults that this machine cannot bring about, and why."""
    reasons: dict[Fault, str] = {}
    if faketime() is None:
        reasons[jump_clock] = "no libfaketime (Debian: apt-get install faketime)"
    if not hasattr(resource, "prlimit"):
        reasons[fill_disk] = "only Linux limits the files of another process"
    return reasons


def fault_name(fault: Fault) -> str:
    """What people call it."""
    return fault.__name__.replace("_", " ")


def inject(world: World, among: Mapping[Fault, float]) -> None:
    """One fault, by chance."""
    fault = world.rng.choices(list(among), weights=list(among.values()))[0]
    what = fault(world)
    if what is not None:
        world.faults[fault_name(fault)] += 1
        world.say(what)
