"""What happens to workers."""

import contextlib
from collections.abc import Callable

import redis as client

from tests.chaos.redis_faults import set_memory
from tests.chaos.workers import Slot
from tests.chaos.world import World

SESSION_S = 12.0
"""A worker that is frozen for longer has lost its partitions."""
CLOCK_JUMPS_S = (-3600, 3600)


def _running(world: World, reached: str | None = None) -> Slot | None:
    """A worker that runs and, if asked for, has reached a moment of its life."""
    slots = [slot for slot in world.slots if slot.running and not slot.paused]
    if reached is not None:
        slots = [slot for slot in slots if reached in slot.reached]
    return world.rng.choice(slots) if slots else None


def kill_worker(world: World) -> str | None:
    """SIGKILL at any instant."""
    slot = _running(world)
    if slot is None:
        return None
    slot.kill()
    return f"kill -9 {slot.name}"


def kill_all_workers(world: World) -> str | None:
    """The whole group at once, as when a node dies; frozen ones are left to wake as zombies."""
    slots = [slot for slot in world.slots if slot.running and not slot.paused]
    for slot in slots:
        slot.kill()
    return f"kill -9 all {len(slots)} workers" if slots else None


def terminate_worker(world: World) -> str | None:
    """SIGTERM, as in a deploy; the slot is filled again."""
    slot = _running(world)
    if slot is None:
        return None
    slot.terminate()
    return f"SIGTERM {slot.name}"


def freeze_worker(world: World) -> str | None:
    """SIGSTOP for longer than the session, mostly: the worker becomes a zombie."""
    slot = _running(world)
    if slot is None:
        return None
    seconds = world.rng.choice([3.0, SESSION_S + 3, SESSION_S + 8])
    slot.pause()
    world.after(seconds, lambda: _wake(world, slot))
    return f"SIGSTOP {slot.name} for {seconds:.0f} s"


def strand_writer(world: World) -> str | None:
    """Redis takes no writes for a second, and a worker freezes within it, with a write to do.

    When it wakes up, another one has its partitions, and has gone on; its write must not count.
    """
    slot = _running(world, "recovered")
    if slot is None or world.redis_busy or any(each.paused for each in world.slots):
        return None

    def release() -> None:
        with contextlib.suppress(client.RedisError):  # at the latest at the end
            set_memory(world, "0")
        world.redis_busy = False

    try:
        set_memory(world, "1mb")
    except client.RedisError:
        return None
    world.redis_busy = True
    world.at_the_end.append(lambda: set_memory(world, "0"))
    slot.until = "recovered"
    _strand(world, slot, release)
    return f"Redis is out of memory for 1 s and within it SIGSTOP {slot.name} until it is replaced"


def strand_committer(world: World) -> str | None:
    """Kafka hangs for a second, and a worker freezes within it, with a commit to do.

    When it wakes up, its partitions are another's; its commit must not count.
    """
    slot = _running(world, "recovered")
    if slot is None or world.broker_busy:
        return None
    _strand(world, slot, _hang(world))
    return f"SIGSTOP Kafka for 1 s and within it SIGSTOP {slot.name} beyond its session"


def overtake_worker(world: World) -> str | None:
    """The same, and it wakes up while another one, short of time, takes over from it.

    The commit may then come at any step of the taking over.
    """
    slot = _running(world, "recovered")
    if slot is None or world.broker_busy or any(each.paused for each in world.slots):
        return None
    slot.until = "assigned"
    _strand(world, slot, _hang(world))
    return f"SIGSTOP Kafka for 1 s and within it SIGSTOP {slot.name} until it is overtaken"


def _hang(world: World) -> Callable[[], None]:
    """Make Kafka hang; what is returned lets it go on."""
    world.kafka.pause()
    world.broker_busy = True

    def release() -> None:
        world.kafka.resume()
        world.broker_busy = False

    return release


def _strand(world: World, slot: Slot, release: Callable[[], None]) -> None:
    """Freeze a worker within the next second, while a server is away that is then released."""
    # Somebody has to take over.
    for other in world.slots[:2] if slot.number >= 2 else world.slots[2:]:
        other.wanted = True
    world.after(world.rng.uniform(0.2, 0.8), slot.pause)
    world.after(1.2, release)
    patience_s = world.rng.uniform(2, 6) if slot.until is None else 2 * SESSION_S
    world.after(SESSION_S + patience_s, lambda: _wake(world, slot))


def _wake(world: World, slot: Slot) -> None:
    if slot.paused:
        world.say(f"SIGCONT {slot.name}")
        slot.resume()


def join_or_leave(world: World) -> str | None:
    """Workers come and go for good: one to four of them."""
    wanted = [slot for slot in world.slots if slot.wanted]
    if len(wanted) == 1 or (len(wanted) < len(world.slots) and world.rng.random() < 0.5):
        slot = world.rng.choice([slot for slot in world.slots if not slot.wanted])
        slot.wanted = True
        return f"{slot.name} joins"
    slot = world.rng.choice(wanted)
    slot.wanted = False
    slot.terminate()
    return f"{slot.name} leaves"


def jump_clock(world: World) -> str | None:
    """A worker's clock jumps by an hour, and some time later back to where it should be."""
    slot = _running(world)
    if slot is None or slot.clock is None or slot.clock.offset_s:
        return None
    clock, offset_s = slot.clock, world.rng.choice(CLOCK_JUMPS_S)
    clock.set(offset_s)
    seconds = world.rng.uniform(4, 20)

    def right() -> None:
        clock.set(0)
        world.say(f"the clock of {slot.name} is put right")

    world.after(seconds, right)
    world.at_the_end.append(lambda: clock.set(0))
    return f"the clock of {slot.name} jumps by {offset_s:+,} s, for {seconds:.0f} s"
