"""The example for publishers: each event arrives once, where its customer belongs."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.recount.murmur import partition_of
from tests.servers.kafka import Kafka, create_topics

PUBLISH = Path(__file__).parents[2] / "examples" / "python" / "publish.py"
PARTITIONS = 7
CUSTOMERS = 40


def event(number: int, type_: str) -> dict[str, object]:
    customer = f"käufer-{number % CUSTOMERS}"
    common = {"id": f"e-{number}", "type": type_, "customer_id": customer}
    common["occurred_at"] = "2026-03-01T09:30:00Z"
    return common if type_ == "page_view" else {**common, "amount_minor": 499, "currency": "EUR"}


def publish(lines: list[dict[str, object]], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PUBLISH), *arguments],
        input="".join(json.dumps(line) + "\n" for line in lines),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_events_arrive_once_where_their_customers_belong(
    kafka: Kafka, unique: Callable[[str], str]
) -> None:
    purchases, engagements = unique("purchases"), unique("engagements")
    create_topics(kafka.bootstrap, {purchases: PARTITIONS, engagements: PARTITIONS})
    types = ("purchase", "refund", "page_view")
    lines = [event(number, types[number % 3]) for number in range(300)]
    topics = ["--purchases", purchases, "--engagements", engagements]
    ran = publish(lines, "--bootstrap", kafka.bootstrap, *topics)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "300 events published\n"

    reader = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": unique("reader")})
    places = [TopicPartition(topic, n, 0) for topic in topics[1::2] for n in range(PARTITIONS)]
    reader.assign(places)
    found = []
    while len(found) < len(lines):
        message = reader.poll(30.0)
        assert message is not None, f"only {len(found)} events came"
        assert message.error() is None
        arrived = json.loads(message.value())
        found.append(arrived)
        assert message.key() == arrived["customer_id"].encode()
        assert message.partition() == partition_of(message.key(), PARTITIONS)
        assert message.topic() == (engagements if arrived["type"] == "page_view" else purchases)
    assert reader.poll(2.0) is None
    reader.close()
    assert sorted(found, key=json.dumps) == sorted(lines, key=json.dumps)


@pytest.mark.parametrize("count", [1, 3])
def test_without_kafka_it_says_so_in_one_sentence(unused_tcp_port: int, count: int) -> None:
    lines = [event(number, "purchase") for number in range(count)]
    ran = publish(lines, "--bootstrap", f"127.0.0.1:{unused_tcp_port}", "--patience", "1")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith(
        f"{count} of {count} events did not reach Kafka at 127.0.0.1:{unused_tcp_port} ("
    )
    assert ran.stderr.count("\n") == 1
