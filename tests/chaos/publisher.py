"""Publishes the workload at a pace, with every codec, whatever the broker does meanwhile."""

import random
import threading
import time
from collections.abc import Iterator
from typing import Any

from confluent_kafka import Producer

from tests.chaos.workload import Shot

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
SLICE_S = 0.05
FLUSH_S_MAX = 180.0


class Publisher(threading.Thread):
    """Idempotent producers that never give up, in a thread.

    Attributes:
        sent: records handed to a producer.
        acknowledged: records that the broker has.
        failed: what was refused, by error.
    """

    def __init__(self, bootstrap: str, shots: Iterator[Shot], rate: int, seed: int) -> None:
        super().__init__(name="publisher", daemon=True)
        self._shots, self._rate, self._rng = shots, rate, random.Random(seed)
        self._end = threading.Event()
        self.sent = self.acknowledged = 0
        self.failed: dict[str, int] = {}
        self._producers = [
            Producer(
                {
                    "bootstrap.servers": bootstrap,
                    "enable.idempotence": True,
                    "compression.type": codec,
                    "linger.ms": 5,
                    "message.timeout.ms": 0,
                    "message.max.bytes": 1_000_000,
                    "reconnect.backoff.max.ms": 500,
                    # Beyond the longest pause of the broker: what it took with it when it died is
                    # else waited for by the minute.
                    "socket.timeout.ms": 20_000,
                    "log_level": 0,
                }
            )
            for codec in CODECS
        ]

    def run(self) -> None:
        """Publish until `finish`."""
        next_s = time.monotonic()
        while not self._end.is_set():
            producer = self._rng.choice(self._producers)
            for _ in range(max(1, int(self._rate * SLICE_S))):
                self._produce(producer, next(self._shots))
            for each in self._producers:
                each.poll(0)
            next_s = max(next_s + SLICE_S, time.monotonic() - 1.0)
            self._end.wait(max(0.0, next_s - time.monotonic()))

    def _produce(self, producer: Any, shot: Shot) -> None:
        where = {} if shot.partition is None else {"partition": shot.partition}
        while not self._end.is_set():
            try:
                producer.produce(
                    shot.topic, shot.value, shot.key, on_delivery=self._delivered, **where
                )
            except BufferError:  # the broker is away: wait with it
                producer.poll(0.2)
            else:
                self.sent += 1
                return

    def _delivered(self, error: Any, _message: Any) -> None:
        if error is None:
            self.acknowledged += 1
        else:
            name = str(error.name())
            self.failed[name] = self.failed.get(name, 0) + 1

    def finish(self) -> None:
        """Stop publishing, and wait until the broker has everything."""
        self._end.set()
        self.join()
        deadline_s = time.monotonic() + FLUSH_S_MAX
        while sum(map(len, self._producers)) and time.monotonic() < deadline_s:
            for producer in self._producers:
                producer.flush(0.2)
        if left := sum(map(len, self._producers)):
            self.failed["never acknowledged"] = left
