"""Sees scores as a reader does, in a process of its own.

`python -m bench.observing topic BOOTSTRAP TOPIC FILE`: consumes committed records until SIGTERM;
FILE gets [arrival in epoch ms, [(key, value)]], as MessagePack.

`python -m bench.observing redis URL PACE FILE`: looks up the customers of some events as soon as
these are due, until their scores cover them; FILE gets [(due in epoch ms, seen in epoch ms)].
"""

import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import msgspec
from redis import Redis

from bench import broker
from bench.pacing import Pace

BATCH: Final = 5_000
POLL_S: Final = 0.002
PROBES_A_SECOND: Final = 200
LOOKED_UP_MAX: Final = 2_000
"""Where some partitions stand still for seconds, the events of the others are looked up too."""

PATIENCE_MS: Final = 15_000

_ORDERS: Final = b'"orders":'

Seen = list[tuple[float, list[tuple[bytes, bytes]]]]


class _Stop:
    """Whether SIGTERM has come."""

    def __init__(self) -> None:
        self.set = False
        signal.signal(signal.SIGTERM, self._on_signal)

    def _on_signal(self, *_: object) -> None:
        self.set = True


def watch_topic(bootstrap: str, topic: str, target: Path) -> None:
    """Note when each record could be read; decode nothing meanwhile."""
    stop, seen = _Stop(), []
    consumer = broker.reader(bootstrap, topic)
    while not stop.set:
        messages = consumer.consume(BATCH, POLL_S)
        if messages:
            now_ms = time.time() * 1000
            good = [(m.key(), m.value()) for m in messages if m.error() is None]
            seen.append((now_ms, good))
    consumer.close()
    target.write_bytes(msgspec.msgpack.encode(seen))


def _probes(pace: Pace) -> list[tuple[int, bytes, int]]:
    """Due instant, key and number of orders, of events evenly spread."""
    purchases, orders = pace.purchases(), Counter[int]()
    every = max(1, pace.rate // PROBES_A_SECOND)
    chosen = []
    for index, (customer, due_ms) in enumerate(
        zip(purchases.customer.tolist(), purchases.at_ms.tolist(), strict=True)
    ):
        orders[customer] += 1
        if index % every == 0:
            chosen.append((due_ms, b"clv:score:" + purchases.key(index), orders[customer]))
    return chosen


def watch_redis(url: str, pace: Pace, target: Path) -> None:
    """Look up what is due and not seen yet, every other millisecond."""
    redis, stop = Redis.from_url(url), _Stop()
    waiting, seen = _probes(pace), []
    end_ms = pace.start_ms + pace.seconds * 1000 + PATIENCE_MS
    while waiting and not stop.set and time.time() * 1000 < end_ms:
        now_ms = time.time() * 1000
        due = [probe for probe in waiting[:LOOKED_UP_MAX] if probe[0] <= now_ms]
        if due:
            values = redis.mget([key for _, key, _ in due])
            now_ms = time.time() * 1000
            found = [_orders(value) >= probe[2] for probe, value in zip(due, values, strict=True)]
            seen += [(probe[0], now_ms) for probe, is_there in zip(due, found, strict=True)
                     if is_there]  # fmt: skip
            left = [probe for probe, is_there in zip(due, found, strict=True) if not is_there]
            waiting[: len(due)] = left
        time.sleep(POLL_S)
    seen += [(due_ms, float("inf")) for due_ms, _, _ in waiting]
    target.write_bytes(msgspec.msgpack.encode(seen))


def _orders(value: Any) -> int:
    if value is None:
        return 0
    start = value.index(_ORDERS) + len(_ORDERS)
    return int(value[start : value.index(b",", start)])


def main() -> None:
    """As the arguments say."""
    what, where, which, target = sys.argv[1:]
    if what == "topic":
        watch_topic(where, which, Path(target))
    else:
        watch_redis(where, msgspec.json.decode(which, type=Pace), Path(target))


if __name__ == "__main__":
    main()
