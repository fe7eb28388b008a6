"""A reader of Redis who never looks away: a score is never replaced by an older one."""

import json
import random
import threading
import time
from collections.abc import Sequence
from typing import Any

import redis
from redis import RedisError

LOOK_S = 0.05
CUSTOMERS_A_LOOK = 40


class Reader(threading.Thread):
    """Looks customers up all the time.

    Attributes:
        looks: how many scores were read.
        went_back: what was seen of revisions that fell.
    """

    def __init__(self, url: str, customers: Sequence[str], seed: int) -> None:
        super().__init__(name="reader", daemon=True)
        self._url, self._customers, self._rng = url, customers, random.Random(seed)
        self._end = threading.Event()
        self._newest: dict[str, int] = {}
        self.looks = 0
        self.went_back: list[str] = []

    def run(self) -> None:
        """Look until `finish`."""
        client: Any = redis.Redis.from_url(self._url, socket_timeout=1)
        while not self._end.wait(LOOK_S):
            names = self._rng.choices(self._customers, k=CUSTOMERS_A_LOOK)
            try:
                values = client.mget([f"clv:score:{name}" for name in names])
            except (RedisError, OSError):
                continue  # it is away, by a fault of ours
            for name, value in zip(names, values, strict=True):
                if value is not None:
                    self._look(name, json.loads(value)["revision"])
        client.close()

    def _look(self, name: str, revision: int) -> None:
        self.looks += 1
        before = self._newest.get(name, 0)
        if revision < before:
            at = time.strftime("%H:%M:%S")
            self.went_back.append(f"{name}: revision {revision} after {before}, at {at}")
        self._newest[name] = max(before, revision)

    def finish(self) -> None:
        """Stop looking."""
        self._end.set()
        self.join()
