"""Publishes at a steady rate, in a process of its own: `python -m bench.pacing PACE`.

PACE is JSON (`Pace`). Each record bears the instant at which it was due, not at which it went
out: a publisher that is held up then shows as latency, and hides none. Prints how late it was.
"""

import json
import sys
import time
from typing import Final

import msgspec
from confluent_kafka import Producer

from bench.purchases import TOPIC, Purchases, paced

TICK_S: Final = 0.001


class Pace(msgspec.Struct, frozen=True):
    """What is published, and when.

    Attributes:
        bootstrap: the broker.
        rate: events a second.
        seconds: for how long.
        customers: how many there are.
        start_ms: when the first event is due, epoch ms.
        seed: of chance.
    """

    bootstrap: str
    rate: int
    seconds: float
    customers: int
    start_ms: int
    seed: int

    def purchases(self) -> Purchases:
        """The events, due at their `at_ms`."""
        return paced(self.rate, self.seconds, self.customers, self.start_ms, self.seed)


def main() -> None:
    """Publish, and tell by how much the publisher was late at most."""
    pace = msgspec.json.decode(sys.argv[1], type=Pace)
    purchases = pace.purchases()
    lines, due_ms = purchases.lines(), purchases.at_ms.tolist()
    producer = Producer(
        {
            "bootstrap.servers": pace.bootstrap,
            "partitioner": "murmur2_random",
            "linger.ms": 1,
            "log_level": 3,
        }
    )
    producer.list_topics(TOPIC)  # connects
    late_ms, at, count = 0.0, 0, len(lines)
    while at < count:
        now_ms = time.time() * 1000
        if due_ms[at] <= now_ms:
            late_ms = max(late_ms, now_ms - due_ms[at])
        while at < count and due_ms[at] <= now_ms:
            key, value = lines[at]
            producer.produce(TOPIC, value, key, timestamp=due_ms[at])
            at += 1
        producer.poll(0)
        time.sleep(TICK_S)
    left = producer.flush(60)
    print(json.dumps({"late_ms_max": late_ms, "unpublished": left}))


if __name__ == "__main__":
    main()
