"""The examples for subscribers, run as their users run them, against real servers."""

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from models.changes import Change
from sinks.redis import RedisScores
from sinks.sink import Answer, Committed, Unavailable
from sinks.topics import OutputTopics
from tests.servers.kafka import Kafka, create_topics_async
from tests.sinks.batches import Shop
from tests.sinks.subjects import TransactionalTopics

PYTHON = Path(__file__).parents[2] / "examples" / "python"
READ_S_MAX = 60.0


class Program:
    """An example in a process of its own."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._command, self.log = list(command), log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=subprocess.STDOUT)

    def end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[[Sequence[str]], Program]]:
    programs: list[Program] = []

    def make(command: Sequence[str]) -> Program:
        programs.append(Program(command, tmp_path / "log"))
        return programs[-1]

    yield make
    for one in programs:
        one.end(signal.SIGKILL)


class Shops:
    """Two of three partitions have customers who buy until they have risen through all tiers."""

    def __init__(self, bootstrap: str, unique: Callable[[str], str]) -> None:
        self.topics = OutputTopics(unique("scores"), unique("tiers"), unique("churn"))
        self.bootstrap = bootstrap
        self._random = random.Random(1)
        self._shops = [Shop(0), Shop(1)]
        self._writers = [
            TransactionalTopics(bootstrap, unique(f"group{shop.partition}"), self.topics)
            for shop in self._shops
        ]
        self.changes: list[list[Change]] = [[], []]
        self.tiers: dict[str, str] = {}

    async def open(self) -> None:
        names = [self.topics.scores, self.topics.tier_changes, self.topics.churn_changes]
        names += [writer.input for writer in self._writers]
        await create_topics_async(self.bootstrap, dict.fromkeys(names, 3))
        for writer in self._writers:
            await writer.open()

    async def sell(self, batches: int) -> None:
        for _ in range(batches):
            for number, shop in enumerate(self._shops):
                customers = [f"p{number}-{self._random.randrange(20)}" for _ in range(4)]
                batch = shop.buy(*customers, amount_minor=self._random.randrange(20_000))
                await self._write(number, batch)
                self.changes[number] += batch.step.tier_changes
                for customer, score in batch.step.scores:
                    self.tiers[customer.decode()] = orjson.loads(score)["tier"]

    async def _write(self, number: int, batch: Committed) -> None:
        for attempt in range(5):
            try:
                assert await self._writers[number].write(batch) is Answer.WRITTEN
            except Unavailable:  # a broker's very first commits take seconds
                assert attempt < 4
            else:
                return

    async def publish_again(self, count: int) -> None:
        """The same changes under new offsets, as after a replay of the input."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap)
        await producer.start()
        for number, changes in enumerate(self.changes):
            for change in changes[-count:]:
                await producer.send_and_wait(
                    self.topics.tier_changes, change.value, key=change.customer, partition=number
                )
        await producer.stop()

    async def close(self) -> None:
        for writer in self._writers:
            await writer.close()


async def until(true: Callable[[], bool], what: str) -> None:
    limit_s = time.monotonic() + READ_S_MAX
    while not true():
        assert time.monotonic() < limit_s, what
        await asyncio.sleep(0.1)


def seen(state: Path) -> list[str]:
    with closing(sqlite3.connect(state)) as db:
        return [row[0] for row in db.execute("SELECT id FROM seen ORDER BY number")]


@pytest.mark.slow
async def test_each_tier_change_once_whatever_happens_to_the_subscriber(
    kafka: Kafka,
    unique: Callable[[str], str],
    tmp_path: Path,
    program: Callable[[Sequence[str]], Program],
) -> None:
    shops = Shops(kafka.bootstrap, unique)
    await shops.open()
    await shops.sell(5)
    state = tmp_path / "tiers.db"
    command = [sys.executable, str(PYTHON / "tier_changes.py"), "--bootstrap", kafka.bootstrap]
    command += ["--state", str(state), "--scores", shops.topics.scores]
    subscriber = program([*command, "--changes", shops.topics.tier_changes])

    subscriber.start()
    while "snapshot:" not in subscriber.said():  # sales go on while it is taken
        await shops.sell(1)
    for how in (signal.SIGKILL, signal.SIGINT, signal.SIGKILL):
        await shops.sell(8)
        subscriber.end(how)
        await shops.sell(4)
        subscriber.start()
    last = {changes[-1].id for changes in shops.changes}
    await until(lambda: last <= set(seen(state)), "the last changes never came")
    await shops.publish_again(3)
    await shops.sell(8)
    last = {changes[-1].id for changes in shops.changes}
    await until(lambda: last <= set(seen(state)), "the changes after the repetition never came")
    subscriber.end(signal.SIGINT)
    await shops.close()

    found = set(seen(state))
    handled = []
    for changes in shops.changes:
        # From the snapshot's positions on, all of them.
        missed = sum(change.id not in found for change in changes)
        assert all(change.id in found for change in changes[missed:])
        handled += changes[missed:]
    assert len(handled) == len(found) > 50
    with closing(sqlite3.connect(state)) as db:
        assert dict(db.execute("SELECT * FROM tiers")) == shops.tiers
        letters = db.execute("SELECT count(*) FROM letters").fetchone()[0]
    assert letters == sum(change.from_ is not None for change in handled)
    assert subscriber.said().count("snapshot:") == 1


@pytest.mark.skipif("CLV_EXAMPLE_GO" not in os.environ, reason="needs the built Go example")
async def test_the_go_example_shows_each_change_once(
    kafka: Kafka, unique: Callable[[str], str], program: Callable[[Sequence[str]], Program]
) -> None:
    shops = Shops(kafka.bootstrap, unique)
    await shops.open()
    await shops.sell(5)
    before = sum(map(len, shops.changes))
    command = [os.environ["CLV_EXAMPLE_GO"], "-bootstrap", kafka.bootstrap]
    command += ["-scores", shops.topics.scores, "-changes", shops.topics.tier_changes]
    subscriber = program(command)
    subscriber.start()
    await until(lambda: "snapshot: 2" in subscriber.said(), "no snapshot")
    await shops.sell(8)
    await shops.publish_again(3)
    await shops.sell(8)
    after = sum(map(len, shops.changes)) - before
    await until(lambda: subscriber.said().count(" -> ") >= after, "changes are missing")
    await shops.close()
    assert subscriber.said().count(" -> ") == after > 20


async def test_a_look_up(redis_url: str) -> None:
    sink = RedisScores(redis_url)
    await sink.refill(0, -1, [])
    shop = Shop()
    await sink.write(shop.buy("42"))
    await sink.close()

    def look_up(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(PYTHON / "look_up.py"), "--redis", redis_url, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    found = look_up("42")
    assert "gold, churn level low" in found.stdout
    assert found.returncode == 0
    assert look_up("--first", "5").stdout.split() == ["0", "42"]
    missing = look_up("43")
    assert missing.returncode == 1
    assert missing.stderr == "There is no score of customer 43.\n"


def test_a_look_up_without_redis_is_one_sentence(unused_tcp_port: int) -> None:
    url = f"redis://127.0.0.1:{unused_tcp_port}/0"
    command = [sys.executable, str(PYTHON / "look_up.py"), "--redis", url, "42"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Redis did not answer: ")
    assert "Does --redis say where it is" in done.stderr
    assert done.stderr.count("\n") == 1
