"""What happens to Kafka."""

import resource

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from tests.chaos.world import World
from tests.recount.outputs import SCORES, TIER_CHANGES

CHANGELOG = "clv-state-changelog"


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
    """Nothing is acknowledged, for a second or for fifteen."""
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


def slow_broker(world: World) -> str | None:
    """Acknowledgements come late, each of them: the broker runs a fifth of the time."""
    if world.broker_busy:
        return None
    world.broker_busy = True
    seconds = world.rng.uniform(4, 12)
    end_s = world.elapsed_s + seconds

    def stop() -> None:
        if world.elapsed_s < end_s:
            world.kafka.pause()
            world.after(world.rng.uniform(0.1, 0.6), go_on)
        else:
            world.broker_busy = False

    def go_on() -> None:
        world.kafka.resume()
        world.after(0.1, stop)

    stop()
    return f"Kafka is slow for {seconds:.0f} s"


def fill_disk(world: World) -> str | None:
    """No space left for the broker: its log directory fails, and with its only one it halts.

    By a limit to the size of its files, which fails its writes in the same way, some half way:
    at once, or where a log outgrows the largest of now. When there is space again the broker is
    started afresh, whether it has halted or not.
    """
    if world.broker_busy or not world.kafka.running:
        return None
    world.broker_busy = True
    largest = max((f.stat().st_size for f in world.kafka.logs()), default=0)
    limit = world.rng.choice([0, largest // 2, largest + 10_000])
    limited = world.kafka.child
    resource.prlimit(limited.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    seconds = world.rng.uniform(2, 8)

    def free() -> None:
        if not limited.running:
            world.say("Kafka has halted on its full disk")
        limited.kill()
        _broker_back(world, 0)

    def free_at_the_end() -> None:
        limited.kill()
        world.kafka.start()

    world.after(seconds, free)
    world.at_the_end.append(free_at_the_end)
    return f"Kafka's disk is full for {seconds:.0f} s, beyond {limit:,} bytes a file"
