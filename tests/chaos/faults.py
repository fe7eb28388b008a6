"""The faults. Each is over within a minute, and healed by itself."""

import contextlib
from collections.abc import Callable

import redis as client
from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from tests.chaos.workers import Slot
from tests.chaos.world import World
from tests.recount.outputs import SCORES, TIER_CHANGES

CHANGELOG = "clv-state-changelog"
SESSION_S = 12.0
"""A worker that is frozen for longer has lost its partitions."""


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


def strand_worker(world: World) -> str | None:
    """Kafka hangs, or Redis takes no writes, and a worker freezes with a commit or write to do.

    When it wakes up, its partitions are another's; its commit or write must not count.
    """
    slot = _running(world, "recovered")
    if slot is None or world.broker_busy or world.redis_busy:
        return None
    with contextlib.suppress(client.RedisError):
        kafka = world.rng.random() < 0.5
        if kafka:
            world.kafka.pause()
        else:
            _set_memory(world, "1mb")
            world.at_the_end.append(lambda: _set_memory(world, "0"))
        world.broker_busy = world.redis_busy = True

        def release() -> None:
            if kafka:
                world.kafka.resume()
            else:
                with contextlib.suppress(client.RedisError):  # at the latest at the end
                    _set_memory(world, "0")
            world.broker_busy = world.redis_busy = False

        # Somebody has to take over.
        for other in world.slots[:2] if slot.number >= 2 else world.slots[2:]:
            other.wanted = True
        world.after(world.rng.uniform(0.2, 0.8), slot.pause)
        world.after(1.2, release)
        seconds = SESSION_S + world.rng.uniform(2, 6)
        world.after(seconds, lambda: _wake(world, slot))
        what = "SIGSTOP Kafka" if kafka else "Redis is out of memory"
        return f"{what} for 1 s and within it SIGSTOP {slot.name} for {seconds:.0f} s"
    return None


def _wake(world: World, slot: Slot) -> None:
    if slot.paused:
        world.say(f"SIGCONT {slot.name}")
        slot.resume()


def _set_memory(world: World, size: str) -> None:
    with _redis(world) as connection:
        connection.config_set("maxmemory", size)


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


def _broker_back(world: World, after_s: float) -> None:
    def start() -> None:
        world.in_background(world.kafka.start, back)

    def back() -> None:
        world.broker_busy = False
        world.say("Kafka is back")

    world.after(after_s, start)


def kill_broker(world: World) -> str | None:
    """SIGKILL of the broker."""
    if world.broker_busy:
        return None
    world.broker_busy = True
    world.kafka.kill()
    away_s = world.rng.uniform(0, 5)
    _broker_back(world, away_s)
    return f"kill -9 Kafka, started again after {away_s:.1f} s"


def restart_broker(world: World) -> str | None:
    """An orderly restart of the broker."""
    if world.broker_busy:
        return None
    world.broker_busy = True

    def back() -> None:
        world.broker_busy = False
        world.say("Kafka is back")

    world.in_background(world.kafka.restart, back)
    return "restart Kafka"


def freeze_broker(world: World) -> str | None:
    """Slow acknowledgements: seconds, or half a minute."""
    if world.broker_busy:
        return None
    world.broker_busy = True
    seconds = world.rng.choice([1.0, 3.0, 6.0, 6.0, 15.0])
    world.kafka.pause()

    def back() -> None:
        world.kafka.resume()
        world.broker_busy = False

    world.after(seconds, back)
    return f"SIGSTOP Kafka for {seconds:.0f} s"


def refuse_sends(world: World) -> str | None:
    """The broker refuses what is sent to one topic, so that transactions fail half way.

    By its own rule that a batch must fit into a segment; transaction markers, which must not be
    refused, are smaller than any batch.
    """
    # Where nobody sends, there is nothing to refuse.
    working = any("recovered" in slot.reached and slot.running for slot in world.slots)
    if world.broker_busy or not working:
        return None
    topic = world.rng.choice([CHANGELOG, SCORES, TIER_CHANGES])
    if not _alter(world, topic, "segment.bytes", "150"):
        return None
    world.broker_busy = True
    seconds = world.rng.uniform(1, 4)

    def allow() -> None:
        if _alter(world, topic, "segment.bytes", str(128 << 20)):
            world.broker_busy = False
        else:
            world.after(0.5, allow)

    world.after(seconds, allow)
    world.at_the_end.append(allow)
    return f"Kafka refuses sends to {topic} for {seconds:.1f} s"


def _alter(world: World, topic: str, name: str, value: str) -> bool:
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    client = AdminClient({"bootstrap.servers": world.kafka.bootstrap, "log_level": 0})
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    try:
        for done in client.incremental_alter_configs([resource], request_timeout=3).values():
            done.result()
    except KafkaException:
        return False
    return True


def _redis_away(world: World, seconds: float, action: Callable[[], object]) -> None:
    world.redis_busy = True

    def back() -> None:
        def done() -> None:
            world.redis_busy = False

        world.in_background(action, done)

    world.after(seconds, back)


def kill_redis(world: World) -> str | None:
    """SIGKILL of Redis; it comes back with its data."""
    if world.redis_busy:
        return None
    world.redis.kill()
    _redis_away(world, world.rng.uniform(0, 5), world.redis.start)
    return "kill -9 Redis"


def restart_redis(world: World) -> str | None:
    """An orderly restart of Redis, with its data."""
    if world.redis_busy:
        return None
    _redis_away(world, 0.0, world.redis.restart)
    return "restart Redis"


def freeze_redis(world: World) -> str | None:
    """Redis hangs: its connections stay open."""
    if world.redis_busy:
        return None
    world.redis.pause()
    seconds = world.rng.choice([1.0, 4.0, 12.0])
    _redis_away(world, seconds, world.redis.resume)
    return f"SIGSTOP Redis for {seconds:.0f} s"


def empty_redis(world: World) -> str | None:
    """All data lost."""
    if world.redis_busy:
        return None
    with contextlib.suppress(client.RedisError), _redis(world) as connection:
        connection.flushall()
        return "FLUSHALL"
    return None


def fill_redis(world: World) -> str | None:
    """No memory left: writes are refused."""
    if world.redis_busy:
        return None
    with contextlib.suppress(client.RedisError):
        _set_memory(world, "1mb")
        _redis_away(world, world.rng.uniform(1, 6), lambda: _set_memory(world, "0"))
        world.at_the_end.append(lambda: _set_memory(world, "0"))
        return "Redis is out of memory"
    return None


def _redis(world: World) -> "client.Redis":
    return client.Redis.from_url(world.redis.url(), socket_timeout=5)


Fault = Callable[[World], str | None]

FAULTS: dict[Fault, float] = {
    kill_worker: 6,
    kill_all_workers: 1,
    terminate_worker: 2,
    freeze_worker: 2,
    strand_worker: 3,
    join_or_leave: 3,
    kill_broker: 1,
    restart_broker: 0.7,
    freeze_broker: 1.5,
    refuse_sends: 3,
    kill_redis: 1,
    restart_redis: 1,
    freeze_redis: 1,
    empty_redis: 1,
    fill_redis: 1,
}
"""How often each comes, by proportion."""


def inject(world: World, among: dict[Fault, float]) -> None:
    """One fault, by chance."""
    fault = world.rng.choices(list(among), weights=list(among.values()))[0]
    what = fault(world)
    if what is not None:
        world.faults[fault.__name__.replace("_", " ")] += 1
        world.say(what)
