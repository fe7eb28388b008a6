"""A changelog that cannot be read stops the worker before it writes anything, and can be mended."""

import json
import subprocess
from collections.abc import Iterator

import msgspec
import pytest
from confluent_kafka import Producer

from models.state import VERSION, Summary
from tests.chaos.run import clv
from tests.integration.job import GROUP, PARTITIONS, Job, job, simulated
from tests.recount import log
from tests.recount.murmur import partition_of
from tests.recount.outputs import CHURN_RISK, SCORES, TIER_CHANGES

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.slow]

CHANGELOG = f"{GROUP}-state-changelog"
WRITTEN = (SCORES, TIER_CHANGES, CHURN_RISK, "clv.dead-letters", CHANGELOG)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Job, list[bytes]]]:
    """A job that has done something and has stopped; and lines that were not published yet."""
    folder = tmp_path_factory.mktemp("damaged")
    with job(folder) as made:
        lines = simulated(2_000, 50, folder, {})
        made.publish(lines[:1_500])
        made.worker.start()
        made.settle()
        made.stop()
        yield made, lines[1_500:]


def ends(running: Job) -> dict[tuple[str, int], int]:
    """Where all that a worker writes ends."""
    return dict(log.committed_ends(running.kafka.bootstrap, dict.fromkeys(WRITTEN, PARTITIONS)))


def put(running: Job, customer: str, value: bytes) -> tuple[int, int]:
    """Writes a value over a customer's state; where it is."""
    producer = Producer({"bootstrap.servers": running.kafka.bootstrap, "log_level": 3})
    places: list[tuple[int, int]] = []
    key = customer.encode()
    producer.produce(
        CHANGELOG,
        value,
        key=key,
        partition=partition_of(key, PARTITIONS),
        on_delivery=lambda _error, sent: places.append((sent.partition(), sent.offset())),
    )
    assert producer.flush(30) == 0
    return places[0]


def newest(running: Job) -> dict[str, bytes]:
    states: dict[str, bytes] = {}
    for chunk in log.read(running.kafka.bootstrap, {CHANGELOG: PARTITIONS}):
        states |= {message.key().decode(): message.value() for message in chunk}
    return states


def last_words(running: Job) -> str:
    """What a worker says that ends by itself."""
    done = subprocess.run(
        ["env", *(f"{k}={v}" for k, v in running.env.items()), "CLV_METRICS_PORT=0",
         *running.worker._argv[-2:]],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("clv: ")]
    return said


def test_a_state_from_the_future_stops_the_worker_before_anything_is_written(
    stopped: tuple[Job, list[bytes]],
) -> None:
    running, _ = stopped
    customer, state = next((k, v) for k, v in newest(running).items() if k)
    place = put(running, customer, state[:3] + bytes([VERSION + 7]) + state[4:])
    before = ends(running)
    said = last_words(running)
    assert CHANGELOG in said
    assert f"has version {VERSION + 7}, and this program knows up to {VERSION}" in said
    assert "run the newer program" in said
    assert ends(running) == before
    # To go back: the newer program, or what was there before it.
    assert put(running, customer, state)[0] == place[0]


def no_msgpack(state: bytes) -> bytes:
    return b"\xc1" * len(state)


def sound_head(state: bytes) -> bytes:
    """What a start reads of it, its head, is as it was."""
    elements = msgspec.msgpack.decode(state)
    elements[len(Summary.__struct_fields__)] = "no time"
    return msgspec.msgpack.encode(elements)


def test_a_damaged_state_is_named_and_made_again_from_the_input(
    stopped: tuple[Job, list[bytes]],
) -> None:
    running, lines = stopped
    whole = running.state_hash()
    states = {k: v for k, v in sorted(newest(running).items()) if k}
    for (customer, state), damaged in zip(states.items(), (no_msgpack, sound_head), strict=False):
        partition, offset = put(running, customer, damaged(state))
        before = ends(running)
        said = last_words(running)
        assert f"{CHANGELOG}, partition {partition}, offset {offset}, holds" in said
        assert f"`clv repair {partition} {offset}`" in said
        assert ends(running) == before
        if damaged is sound_head:
            running.publish(lines)  # not applied yet, and so of no state that is made again
        repaired = json.loads(clv(running.env, "repair", str(partition), str(offset), "--json"))
        assert repaired["customer_id"] == customer
        assert running.state_hash() == whole
    running.worker.start()
    running.settle()
    _, found = running.recount()
    assert not found, str(found)
    running.stop()
