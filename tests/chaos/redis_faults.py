"""What happens to Redis."""

import contextlib
from collections.abc import Callable

import redis as client

from tests.chaos.world import World


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
        set_memory(world, "1mb")
        _redis_away(world, world.rng.uniform(1, 6), lambda: set_memory(world, "0"))
        world.at_the_end.append(lambda: set_memory(world, "0"))
        return "Redis is out of memory"
    return None


def set_memory(world: World, size: str) -> None:
    """How much Redis may hold; `0` for as much as there is."""
    with _redis(world) as connection:
        connection.config_set("maxmemory", size)


def _redis(world: World) -> "client.Redis":
    return client.Redis.from_url(world.redis.url(), socket_timeout=5)
