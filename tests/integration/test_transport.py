"""The transport, by recount: whatever happens to workers, each record counts once.

The worker only counts (`counting_worker.py`), so what is wrong here is the transport's.
"""

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from tests.servers.kafka import create_topics_async

PARTITIONS = 4
KEYS = 300
Counts = dict[bytes, tuple[int, int]]


class Job:
    """A group with its topics, the workers in it, and the truth."""

    def __init__(self, bootstrap: str, group: str, log: Path) -> None:
        self.bootstrap, self.group, self.log = bootstrap, group, log
        self.truth: Counts = {}
        self._random = random.Random(7)
        self._workers: list[subprocess.Popen[bytes]] = []

    async def create(self) -> None:
        names = [f"{self.group}-{name}" for name in ("in", "more", "out", "state-changelog")]
        await create_topics_async(self.bootstrap, dict.fromkeys(names, PARTITIONS))

    def inputs(self) -> list[TopicPartition]:
        topics = [f"{self.group}-{name}" for name in ("in", "more")]
        return [TopicPartition(topic, n) for topic in topics for n in range(PARTITIONS)]

    async def publish(
        self,
        records: int,
        *,
        pace_s: float = 0.0,
        transactional: bool = False,
        abort: bool = False,
    ) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap,
            transactional_id=f"{self.group}-publisher" if transactional else None,
        )
        await producer.start()
        try:
            for start in range(0, records, 100):
                if transactional:
                    await producer.begin_transaction()
                sent = []
                for _ in range(start, min(start + 100, records)):
                    key, value = b"%d" % self._random.randrange(KEYS), self._random.randrange(1000)
                    topic = f"{self.group}-{self._random.choice(('in', 'more'))}"
                    sent.append(await producer.send(topic, b"%d" % value, key=key))
                    if not abort:
                        n, total = self.truth.get(key, (0, 0))
                        self.truth[key] = n + 1, total + value
                await asyncio.gather(*sent)
                if abort:
                    await producer.abort_transaction()
                elif transactional:
                    await producer.commit_transaction()
                await asyncio.sleep(pace_s)
        finally:
            await producer.stop()

    async def expire(self) -> None:
        """Delete all of the input, as its retention does after a long silence."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            everything = RecordsToDelete(before_offset=-1)
            await admin.delete_records(dict.fromkeys(self.inputs(), everything))
        finally:
            await admin.close()

    def worker(self, instance: str = "", records_max: int = 200) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.counting_worker", self.bootstrap,
                 self.group, str(PARTITIONS), str(records_max)],
                env={"INSTANCE": instance, "PATH": "/usr/bin:/bin"},
                stdout=log, stderr=log,
            )  # fmt: skip
        self._workers.append(process)
        return process

    def end(self) -> None:
        for process in self._workers:
            if process.poll() is None:
                process.kill()
            process.wait()

    async def read(self, topic: str) -> tuple[Counts, list[tuple[bytes, int]]]:
        """The last state of each key, and every (key, count) in the order of the log."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, isolation_level="read_committed"
        )
        await consumer.start()
        try:
            tps = [TopicPartition(f"{self.group}-{topic}", n) for n in range(PARTITIONS)]
            consumer.assign(tps)
            await consumer.seek_to_beginning(*tps)
            last: Counts = {}
            seen = []
            for tp, end in (await consumer.end_offsets(tps)).items():
                while await consumer.position(tp) < end:
                    for record in (await consumer.getmany(tp, timeout_ms=200)).get(tp, []):
                        n, total = map(int, record.value.split())
                        last[record.key] = n, total
                        seen.append((record.key, n))
            return last, seen
        finally:
            await consumer.stop()

    async def settle(self, seconds_max: float = 60) -> None:
        """Wait until as many records are counted as were published."""
        deadline = time.monotonic() + seconds_max
        want = sum(n for n, _ in self.truth.values())
        have = -1
        while time.monotonic() < deadline:
            state, _ = await self.read("state-changelog")
            have = sum(n for n, _ in state.values())
            if have >= want:
                return
            await asyncio.sleep(0.3)
        pytest.fail(f"{have} of {want} counted\n{self.log.read_text()[-4000:]}")

    async def told(self, seconds_max: float = 30) -> None:
        """Wait until the group stands behind all input, the markers at its end included.

        All records are counted a moment before: the last marker may come with the next fetch.
        """
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id=self.group)
        await consumer.start()
        try:
            tps = self.inputs()
            ends = await consumer.end_offsets(tps)
            async with asyncio.timeout(seconds_max):
                while {tp: await consumer.committed(tp) for tp in tps} != ends:
                    await asyncio.sleep(0.1)
        finally:
            await consumer.stop()

    async def check(self) -> None:
        """The table, the outputs and the truth are one, and no count came twice."""
        state, _ = await self.read("state-changelog")
        out, seen = await self.read("out")
        assert state == self.truth
        assert out == self.truth
        assert len(seen) == len(set(seen)), "a state was published twice"


@pytest.fixture
def job(kafka, unique: Callable[[str], str], tmp_path: Path) -> Iterator[Job]:
    with ended(Job(kafka.bootstrap, unique("count"), tmp_path / "log")) as job:
        yield job


@contextmanager
def ended(job: Job) -> Iterator[Job]:
    try:
        yield job
    finally:
        job.end()


async def test_kill_9_at_random(job: Job) -> None:
    await job.create()
    rng = random.Random(11)
    publishing = asyncio.create_task(job.publish(6_000, pace_s=0.1))
    for _ in range(6):
        worker = job.worker("only")
        # From starting over recovery to the first batches: where the races are.
        await asyncio.sleep(rng.uniform(0.8, 3.0))
        worker.kill()
    await publishing
    job.worker("only")
    await job.settle()
    await job.check()


async def test_workers_come_and_go(job: Job) -> None:
    await job.create()
    publishing = asyncio.create_task(job.publish(6_000, pace_s=0.15))
    first = job.worker()
    await asyncio.sleep(3)
    second = job.worker()
    await asyncio.sleep(4)
    first.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(first.wait, 20) == 0
    job.worker()
    await asyncio.sleep(3)
    second.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(second.wait, 20) == 0
    await publishing
    await job.settle()
    await job.check()


async def test_a_stalled_worker_commits_nothing_when_it_wakes(job: Job) -> None:
    await job.create()
    publishing = asyncio.create_task(job.publish(5_000, pace_s=0.4))
    zombie = job.worker()
    await asyncio.sleep(4)
    zombie.send_signal(signal.SIGSTOP)
    job.worker()
    await asyncio.sleep(14)  # beyond the session: the other worker owns all partitions
    zombie.send_signal(signal.SIGCONT)
    await publishing
    await job.settle()
    await job.check()


async def test_what_a_transactional_publisher_aborts_is_neither_counted_nor_a_loss(
    job: Job,
) -> None:
    await job.create()
    await job.publish(1_000, transactional=True)
    await job.publish(500, transactional=True, abort=True)
    await job.publish(1_000, transactional=True)
    job.worker()
    await job.settle()
    await job.check()


async def test_markers_that_are_deleted_are_no_loss(job: Job) -> None:
    """After a silence that is longer than records are kept, the log begins behind the last one."""
    await job.create()
    await job.publish(1_000, transactional=True)
    worker = job.worker()
    await job.settle()
    await job.told()
    await job.expire()
    await job.publish(1_000, transactional=True)
    await job.settle()
    await job.told()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    await job.expire()
    job.worker()
    await job.publish(1_000, transactional=True)
    await job.settle()
    await job.check()
