"""An input that was deleted and made anew is another log, however long it is."""

from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from tests.integration.job import PARTITIONS, Job, job, simulated
from tests.integration.test_damaged import ends, last_words
from tests.recount.judge import PURCHASES

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


def test_a_topic_made_anew_with_more_events_is_not_read_from_the_middle(tmp_path: Path) -> None:
    with job(tmp_path) as running:
        lines = simulated(4_000, 50, tmp_path, {})
        running.publish(lines[:1_000])
        running.worker.start()
        running.settle()
        running.stop()
        make_anew(running, PURCHASES)
        running.publish(lines[1_000:])
        before = ends(running)
        said = last_words(running)
        assert PURCHASES in said
        assert "made anew" in said
        assert ends(running) == before
