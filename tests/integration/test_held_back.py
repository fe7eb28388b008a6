"""A committed batch that Kafka shows to nobody: neither workers nor commands go on without it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiokafka.structs import TopicPartition

from sinks.record import Record
from streams.transport.transaction import Transactions
from tests.chaos.run import clv
from tests.integration.job import GROUP, Job, job, simulated
from tests.integration.test_damaged import CHANGELOG, ends
from tests.servers.kafka import create_topics
from tests.servers.lost_markers import CARELESS, commit_unmarked, mark_aborted

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.slow]

HELD, ASIDE = TopicPartition(CHANGELOG, 0), TopicPartition("aside", 0)
SENTENCE = "'Kafka holds a changelog back' in grafana/RUNBOOK.md"


def taking_over(running: Job, act: Callable[[Transactions], Awaitable[None]]) -> None:
    """Do something as the owner of the partition; who has it is fenced."""

    async def do() -> None:
        connection = {"bootstrap_servers": running.kafka.bootstrap}
        transactions = Transactions(f"{GROUP}-{HELD.partition}", GROUP, connection)
        try:
            await transactions.open()
            await act(transactions)
        finally:
            await transactions.close()

    asyncio.run(do())


def ends_there(running: Job) -> dict[str, int]:
    return {topic: at for (topic, number), at in ends(running).items() if number == HELD.partition}


def test_nobody_goes_on_without_a_batch_that_kafka_does_not_show(tmp_path: Path) -> None:
    lines = simulated(2_000, 50, tmp_path, {})
    lost = [Record(b"nobody", b"no state", [], None)]
    with job(tmp_path, properties=CARELESS) as running:
        create_topics(running.kafka.bootstrap, {ASIDE.topic: 1})
        running.publish(lines[:1_500])
        running.worker.start()
        running.settle()
        running.stop()
        taking_over(running, lambda taken: commit_unmarked(taken, HELD, ASIDE, lost))
        before = ends_there(running)

        for command in ("topics accept clv.purchases", f"repair {HELD.partition} 0"):
            with pytest.raises(RuntimeError, match=SENTENCE):
                clv(running.env, *command.split())

        running.worker.start()
        running.publish(lines[1_500:])
        deadline_s = time.monotonic() + 60
        while SENTENCE not in running.worker.log.read_text():
            assert running.worker.running, running.worker.last_words()
            assert time.monotonic() < deadline_s
            time.sleep(0.1)
        assert ends_there(running) == before

        taking_over(running, lambda taken: mark_aborted(taken, HELD))
        running.settle()
        assert ends_there(running) != before
        counted, findings = running.recount()
        assert counted.customers
        assert not findings
