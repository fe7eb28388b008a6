"""An input that was deleted and made anew is another log, however long it is."""

import json
import time
from pathlib import Path

import pytest
import redis
from confluent_kafka.admin import AdminClient, NewTopic

from tests.chaos.run import clv
from tests.integration.job import PARTITIONS, Job, job
from tests.integration.test_damaged import CHANGELOG, ends, last_words
from tests.recount import log
from tests.recount.compare import compare
from tests.recount.facts import Input, Recount
from tests.recount.judge import ENGAGEMENTS, PURCHASES, Rules
from tests.recount.outputs import read_outputs, read_redis

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.slow]


def make_anew(running: Job, topic: str) -> None:
    """Delete a topic with all that it holds, and create it again."""
    admin = AdminClient({"bootstrap.servers": running.kafka.bootstrap})
    for future in admin.delete_topics([topic], operation_timeout=30).values():
        future.result()
    while topic in admin.list_topics(timeout=10).topics:
        pass
    for future in admin.create_topics([NewTopic(topic, PARTITIONS, 1)]).values():
        future.result()


def inputs(running: Job, topic: str) -> list[Input]:
    """All that a topic holds now."""
    return [
        Input(m.topic(), m.partition(), m.offset(), m.timestamp()[1], m.key(), m.value())
        for chunk in log.read(running.kafka.bootstrap, {topic: PARTITIONS})
        for m in chunk
    ]


@pytest.fixture
def lines(tmp_path: Path) -> list[bytes]:
    """Events without flaws, so that no place in a log stands for itself."""
    target = tmp_path / "events.jsonl"
    size = "--events 4000 --customers 50 --days 500 --seed 7 --engagements .3"
    clv({}, "simulate", *size.split(), "--output", str(target))
    return target.read_bytes().splitlines()


def test_a_topic_made_anew_with_more_events_is_not_read_from_the_middle(
    tmp_path: Path, lines: list[bytes]
) -> None:
    with job(tmp_path) as running:
        running.publish(lines[:1_000])
        running.worker.start()
        running.settle()
        running.stop()
        old = inputs(running, PURCHASES)
        make_anew(running, PURCHASES)
        running.publish(lines[1_000:])
        before = ends(running)
        said = last_words(running)
        assert PURCHASES in said
        assert "made anew" in said
        assert "'An input is another log'" in said
        assert ends(running) == before

        # All that the new one holds is added to what was known, once.
        begun = json.loads(clv(running.env, "topics", "accept", PURCHASES, "--json"))["begun"]
        assert {one["partition"]: one["now"] for one in begun} == dict.fromkeys(
            range(PARTITIONS), 0
        )
        running.worker.start()
        running.settle()
        running.stop()
        counted = Recount(Rules(partitions=PARTITIONS))
        for those in (old, inputs(running, PURCHASES), inputs(running, ENGAGEMENTS)):
            counted.add(those)
        found = compare(
            counted,
            read_outputs(running.kafka.bootstrap, PARTITIONS),
            read_redis(running.redis.url()),
        )
        processed = {(topic, "processed") for topic in (PURCHASES, ENGAGEMENTS)}
        assert sum(counted.outcomes[one] for one in processed) == len(lines)
        assert not found, str(found)

        # A second time would count all of it twice.
        with pytest.raises(RuntimeError, match="is the log that was processed"):
            clv(running.env, "topics", "accept", PURCHASES)


@pytest.mark.parametrize("frozen", [False, True])
def test_a_topic_made_anew_under_a_running_worker_ends_it(
    tmp_path: Path, lines: list[bytes], *, frozen: bool
) -> None:
    """Before it reads on; where it did not see the topic away, soon after."""
    with job(tmp_path) as running:
        running.publish(lines[:500])
        running.worker.start()
        running.settle()
        before = running.state_hash()
        if frozen:
            running.worker.pause()
        make_anew(running, PURCHASES)
        running.publish(line for line in lines[500:] if b'"purchase"' in line)
        if frozen:
            running.worker.resume()
        deadline_s = time.monotonic() + 20
        while (status := running.worker.ended()) is None:
            assert time.monotonic() < deadline_s, "it reads on from the middle, or waits idly"
            time.sleep(0.05)
        assert status == 1
        said = running.worker.last_words()
        assert PURCHASES in said
        assert "made anew" in said
        assert "'An input is another log'" in said
        assert frozen or running.state_hash() == before


def test_a_changelog_made_anew_is_no_empty_table(tmp_path: Path, lines: list[bytes]) -> None:
    """Redis cannot tell, as it was emptied too."""
    with job(tmp_path) as running:
        running.publish(lines[:1_000])
        running.worker.start()
        running.settle()
        running.stop()
        make_anew(running, CHANGELOG)
        clv(running.env, "topics", "apply")
        with redis.Redis.from_url(running.redis.url()) as client:
            client.flushall()
        before = ends(running)
        said = last_words(running)
        assert CHANGELOG in said
        assert "'The changelog is gone'" in said
        assert ends(running) == before
