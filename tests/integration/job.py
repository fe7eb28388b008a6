"""A whole job on real servers: topics, lines published in some way, workers, and the recount."""

import json
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from tests.chaos.run import clv
from tests.chaos.settle import unsettled
from tests.chaos.workers import Slot, command
from tests.recount.compare import compare
from tests.recount.facts import Recount
from tests.recount.findings import Findings
from tests.recount.judge import ENGAGEMENTS, PURCHASES, Rules
from tests.recount.murmur import partition_of
from tests.recount.outputs import read_outputs, read_redis, recount_topics
from tests.servers.kafka import Kafka
from tests.servers.redis import Redis

GROUP = "clv"
PARTITIONS = 4
SETTLE_S_MAX = 600.0
_MONEY = {"purchase", "refund"}


def routed(lines: Iterable[bytes]) -> Iterator[tuple[str, bytes | None, bytes]]:
    """Topic, key and value of each line; rubbish goes to the purchases, without a key."""
    for line in lines:
        try:
            fields = json.loads(line)
            kind, customer = fields["type"], fields["customer_id"]
        except (ValueError, TypeError, KeyError):
            yield PURCHASES, None, line
        else:
            topic = PURCHASES if kind in _MONEY else ENGAGEMENTS
            yield topic, customer.encode() or None, line


def publish(
    bootstrap: str,
    lines: Iterable[bytes],
    *,
    placement: str = "java",
    codecs: Sequence[str] = ("none",),
) -> None:
    """Publish lines and wait until the broker has them.

    Args:
        bootstrap: the broker.
        lines: JSON lines, or rubbish.
        placement: `java` (murmur2), `librdkafka` (its default), or `keyless`.
        codecs: compression, a thousand lines each in turn.
    """
    settings = {"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 3}
    producers = [Producer({**settings, "compression.type": codec}) for codec in codecs]
    for number, (topic, key, value) in enumerate(routed(lines)):
        producer = producers[number // 1000 % len(producers)]
        if number % 1000 == 0:
            producers[number // 1000 % len(producers) - 1].flush()  # the order of lines is kept
        where: dict[str, Any] = {"key": key}
        if placement == "keyless":
            where = {"key": None}
        elif placement == "java" and key is not None:
            where = {"key": key, "partition": partition_of(key, PARTITIONS)}
        while True:
            try:
                producer.produce(topic, value, **where)
                break
            except BufferError:
                producer.poll(0.1)
    for producer in producers:
        assert producer.flush(60) == 0


class Job:
    """One broker's topics, one Redis, and one worker at a time."""

    def __init__(self, kafka: Kafka, redis: Redis, folder: Path, **env: str) -> None:
        self.kafka, self.redis = kafka, redis
        self.env = {
            "CLV_KAFKA_BOOTSTRAP": kafka.bootstrap,
            "CLV_REDIS_URL": redis.url(),
            "CLV_PARTITIONS": str(PARTITIONS),
            "CLV_GROUP": GROUP,
            **env,
        }
        clv(self.env, "topics", "apply")
        port = int(self.env.pop("CLV_METRICS_PORT", "0"))
        self.worker = Slot(0, self.env, folder, command(), port=port)

    def publish(self, lines: Iterable[bytes], **how: Any) -> None:
        """See `publish`."""
        publish(self.kafka.bootstrap, lines, **how)

    def wait_for(self, moment: str, seconds_max: float = 60.0) -> None:
        """Until the running worker's log tells of a moment (`tests.chaos.workers.MOMENTS`)."""
        deadline_s = time.monotonic() + seconds_max
        while moment not in self.worker.reached:
            self.worker.moments()
            assert self.worker.running, self.worker.last_words()
            assert time.monotonic() < deadline_s, f"the worker never {moment}"
            time.sleep(0.01)

    def settle(self) -> None:
        """Until all is processed and Redis has followed."""
        deadline_s = time.monotonic() + SETTLE_S_MAX
        quiet = 0
        while quiet < 2:  # once may be by chance: silence may be about to speak
            time.sleep(0.5)
            assert self.worker.running, self.worker.last_words()
            left = unsettled(self.kafka.bootstrap, GROUP, PARTITIONS, self.redis.url())
            quiet = quiet + 1 if left is None else 0
            assert time.monotonic() < deadline_s, left

    def stop(self) -> None:
        """End the worker in order."""
        self.worker.terminate()
        deadline_s = time.monotonic() + 30
        while (status := self.worker.ended()) is None:
            assert time.monotonic() < deadline_s, "the worker did not stop"
            time.sleep(0.05)
        assert status == 0, self.worker.last_words()

    def recount(self) -> tuple[Recount, Findings]:
        """The input counted, and all outputs compared with it."""
        counted = recount_topics(self.kafka.bootstrap, Rules(partitions=PARTITIONS))
        outputs = read_outputs(self.kafka.bootstrap, PARTITIONS)
        return counted, compare(counted, outputs, read_redis(self.redis.url()))

    def state_hash(self) -> str:
        """What `clv state-hash` says."""
        return str(json.loads(clv(self.env, "state-hash", "--json"))["hash"])


@contextmanager
def job(folder: Path, *, properties: Mapping[str, str] | None = None, **env: str) -> Iterator[Job]:
    """A job on servers of its own, the broker with more settings where wanted."""
    with Kafka(properties=properties) as kafka, Redis(aof=True) as redis:
        made = Job(kafka, redis, folder, **env)
        try:
            yield made
        finally:
            made.worker.kill()


def simulated(events: int, customers: int, folder: Path, env: Mapping[str, str]) -> list[bytes]:
    """Lines of `clv simulate` with every flaw."""
    target = folder / "events.jsonl"
    shares = "--engagements .3 --duplicates .01 --refunds .01 --rubbish .001 --late .05"
    size = f"--events {events} --customers {customers} --days 500 --seed 7"
    clv(env, "simulate", *size.split(), *shares.split(), "--output", str(target))
    return target.read_bytes().splitlines()


def shuffled(lines: Sequence[bytes], within: int, seed: int) -> list[bytes]:
    """The lines in another order: shuffled within each block of so many."""
    rng = random.Random(seed)
    mixed: list[bytes] = []
    for at in range(0, len(lines), within):
        block = list(lines[at : at + within])
        rng.shuffle(block)
        mixed += block
    return mixed
