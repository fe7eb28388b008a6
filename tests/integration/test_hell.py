"""Input as bad as it gets, on a real worker: what is good counts, what is bad is set aside.

`CLV_TEST_EVENTS=100000` gives the busiest customer as many events.
"""

import asyncio
import json
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiokafka
import pytest
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from confluent_kafka import Producer

from tests.integration.job import PARTITIONS, Job, job
from tests.recount import log
from tests.recount.judge import ENGAGEMENTS, PURCHASES
from tests.recount.murmur import partition_of

EVENTS = int(os.environ.get("CLV_TEST_EVENTS", "5000"))
AT_MS = 1_772_357_400_000
DAY_MS = 86_400_000
LIMIT_WINDOW = 10_000

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.slow]

Raw = tuple[str, bytes | None, bytes | None]


def purchase(who: str, number: object, **changed: Any) -> Raw:
    fields = {
        "id": f"o-{number}", "type": "purchase", "customer_id": who, "occurred_at": AT_MS,
        "amount_minor": 4999, "currency": "EUR",
    }  # fmt: skip
    return PURCHASES, who.encode(), json.dumps(fields | changed).encode()


def view(who: str, number: object, **changed: Any) -> Raw:
    fields = {"id": f"e-{number}", "type": "page_view", "customer_id": who, "occurred_at": AT_MS}
    return ENGAGEMENTS, who.encode(), json.dumps(fields | changed).encode()


def busiest() -> Iterator[Raw]:
    """One customer, of all kinds, out of order by up to 400 days, each tenth event twice."""
    rng = random.Random(2)
    for number in range(EVENTS):
        at_ms = AT_MS - rng.randrange(400 * DAY_MS)
        if number % 5:
            event = view("hot", number, occurred_at=at_ms)
        else:
            event = purchase("hot", number, occurred_at=at_ms, amount_minor=rng.randrange(10**6))
        yield event
        if number % 10 == 0:
            yield event


def strangers_and_rubbish() -> Iterator[Raw]:
    """10,000 types that nobody knows, and as many records that are no events."""
    for number, bad_one in enumerate(rubbish(LIMIT_WINDOW)):
        yield view(f"c-{number % 100}", f"t-{number}", type=f"type-{number}")
        yield bad_one


def odd_but_good() -> Iterator[Raw]:
    """Values at the edges of what is allowed."""
    yield purchase("edge", "most", amount_minor=10**12)
    yield purchase("edge", "nothing", amount_minor=0)
    yield purchase("\u00e9\U0001f600", "unicode")
    yield purchase("i" * 256, "long")
    yield purchase("edge", "fine", occurred_at="2026-03-01T09:29:59.999999999Z")
    yield view("edge", "finer", occurred_at="2026-03-01T09:29:58.1239995Z")
    yield view("edge", "big", properties={"huge": 10**30, "float": 1e-7, "text": "x" * 60_000})
    # What JavaScript makes of a text that was cut within an emoji.
    yield purchase("edge", "half", note="\ud83d", other="\\\ude00\ud83d")
    yield purchase("edge", "leap second", occurred_at="2016-12-31T23:59:60Z")
    yield view("edge", "half", properties={"\ude00": ["\ud83d", "\\ud83d"]})
    deep: Any = 1
    for _ in range(150):
        deep = [deep]
    yield view("edge", "deep", properties=deep)


def bad() -> Iterator[Raw]:
    """What is no event."""
    values = [
        None, b"", b" ", b"null", b"[]", b"\xff\xfe\x00", b'"\xc3"', b"[" * 60_000,
        b'{"a":' * 10_000, b"x" * 1_000_000, b"9" * 60_000, b"{" + b'"id":1,' * 9_000 + b'"a":1}',
    ]  # fmt: skip
    for value in values:
        yield PURCHASES, None, value
        yield ENGAGEMENTS, None, value
    for amount in (1.5, -1, 10**12 + 1, 10**30, 1e300, "5", None, True, [], {}):
        yield purchase("bad", "amount", amount_minor=amount)
    for at in (0, -1, 10**20, 1.5, "yesterday", "2026-03-01", "2026-13-01T00:00:00Z", None):
        yield view("bad", "time", occurred_at=at)
    for who in ("", "i" * 257):
        yield purchase(who, "nobody")
    yield purchase("bad", "half \ud83d")
    yield view("bad", "half", type="\ude00")
    yield purchase("bad", "type", type="gift")
    yield purchase("bad", "currency", currency="XXX")
    yield PURCHASES, b"somebody else", purchase("bad", "key")[2]


def rubbish(count: int) -> Iterator[Raw]:
    return ((PURCHASES, None, b"rubbish %d" % number) for number in range(count))


def publish(running: Job, raws: Iterator[Raw]) -> int:
    producer = Producer(
        {
            "bootstrap.servers": running.kafka.bootstrap,
            "log_level": 3,
            "linger.ms": 20,
            "message.max.bytes": 2 << 20,
        }
    )
    count = 0
    for topic, key, value in raws:
        partition = partition_of(key, PARTITIONS) if key else count % PARTITIONS
        while True:
            try:
                producer.produce(topic, value, key=key, partition=partition)
                break
            except BufferError:
                producer.poll(0.1)
        count += 1
    assert producer.flush(60) == 0
    return count


def test_the_recount_agrees_on_input_from_hell_and_the_limit_stops(tmp_path: Path) -> None:
    # Half of it is bad, and by chance more than half of some window.
    with job(tmp_path, CLV_DEAD_LETTER_LIMIT="0.7") as running:
        running.worker.start()
        published = publish(running, busiest()) + publish(running, odd_but_good())
        letters = publish(running, bad()) + LIMIT_WINDOW
        published += letters - LIMIT_WINDOW + publish(running, strangers_and_rubbish())
        running.settle()
        counted, found = running.recount()
        assert not found, str(found)
        assert found.compared["dead letters"] == letters
        assert sum(counted.outcomes.values()) == published
        running.stop()
        _limit_reached(running, letters)


class RawName(str):
    """The name of a header, as a client of C or Go may write it."""

    __slots__ = ()

    def encode(self, *_: Any) -> bytes:
        return b"m\xfcnchen"


async def _publish_raw(bootstrap: str, raw: Raw, partition: int) -> None:
    """One record whose header has a name that is no UTF-8."""
    topic, key, value = raw
    async with aiokafka.AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        batch = producer.create_batch()
        batch._builder = _DefaultRecordBatchBuilderPy(2, 0, 0, -1, -1, -1, 1 << 20)
        batch.append(timestamp=None, key=key, value=value, headers=[(RawName("x"), b"1")])
        batch.close()
        await (await producer.send_batch(batch, topic, partition=partition))


def test_what_is_large_or_misnamed_beside_the_value_stops_nothing(tmp_path: Path) -> None:
    """Compressed on the way, so that Kafka takes it; none of it may be published uncompressed."""
    with job(tmp_path) as running:
        producer = Producer(
            {
                "bootstrap.servers": running.kafka.bootstrap,
                "compression.type": "lz4",
                "message.max.bytes": 9_000_000,
            }
        )
        producer.produce(PURCHASES, b"{}", key=bytes(3_000_000), partition=0)
        topic, key, value = purchase("astray", 1)
        assert key is not None
        away = (partition_of(key, PARTITIONS) + 1) % PARTITIONS
        headers = [("trace", bytes(3_000_000))]
        producer.produce(topic, value, key=key, partition=away, headers=headers)
        assert producer.flush(60) == 0
        named = purchase("named", 2)
        assert named[1] is not None
        home = partition_of(named[1], PARTITIONS)
        asyncio.run(_publish_raw(running.kafka.bootstrap, named, home))
        asyncio.run(_publish_raw(running.kafka.bootstrap, purchase("named", 3), (home + 1) % 4))
        publish(running, iter([view(f"c-{n}", n) for n in range(100)]))
        running.worker.start()
        running.settle()
        counted, found = running.recount()
        assert not found, str(found)
        assert found.compared["dead letters"] == 1
        assert counted.outcomes[PURCHASES, "processed"] == 3
        assert counted.outcomes[ENGAGEMENTS, "processed"] == 100
        running.stop()


def dead_letters(running: Job) -> int:
    chunks = log.read(running.kafka.bootstrap, {"clv.dead-letters": PARTITIONS})
    return sum(len(chunk) for chunk in chunks)


def _limit_reached(running: Job, letters: int) -> None:
    """A broken publisher ends the worker, which then has committed nothing of what it read."""
    more = publish(running, rubbish(LIMIT_WINDOW + 2_000))
    env = [f"{name}={value}" for name, value in running.env.items()]
    settings = [*env, "CLV_METRICS_PORT=0", f"CLV_BATCH_EVENTS={5 * LIMIT_WINDOW}"]
    done = subprocess.run(
        ["/usr/bin/env", *settings, *running.worker._argv[-2:]],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("clv: ")]
    assert "CLV_DEAD_LETTER_LIMIT" in said
    # What was committed before the window was full is set aside; the rest waits.
    assert letters <= dead_letters(running) < letters + more
    # Once it is known to be no deploy of ours, the limit is lifted, and all of it is set aside.
    running.worker._argv.insert(-2, "CLV_DEAD_LETTER_LIMIT=1")
    running.worker.start()
    running.settle()
    _, found = running.recount()
    assert not found, str(found)
    assert found.compared["dead letters"] == letters + more
    running.stop()
