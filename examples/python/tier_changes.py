"""Follow tier changes: from a snapshot of `clv.scores` to the live changes, each of them once.

    pip install confluent-kafka
    python tier_changes.py --bootstrap localhost:9092 --state tiers.db

The first run takes a snapshot; later runs go on where the last one ended, however it ended.
docs/subscribers.md says why it is done in this order.
"""

import argparse
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

IDS_REMEMBERED = 1_000_000
BATCH = 1_000

TABLES = """
    CREATE TABLE IF NOT EXISTS tiers (customer TEXT PRIMARY KEY, tier TEXT);
    CREATE TABLE IF NOT EXISTS positions (partition INTEGER PRIMARY KEY, position INTEGER);
    CREATE TABLE IF NOT EXISTS seen (number INTEGER PRIMARY KEY, id TEXT UNIQUE);
    CREATE TABLE IF NOT EXISTS letters (customer TEXT, text TEXT);
"""


def handle(db: sqlite3.Connection, change: dict[str, Any]) -> None:
    """Do what is to be done about one change: here, a letter to those who have risen.

    It belongs in the transaction that remembers the change's id. What cannot be in it, such as a
    call to another service, must be repeatable: pass `change["id"]` on as the idempotency key.
    """
    if change["direction"] == "up" and change["from"] is not None:
        text = f"Welcome to {change['to']}!"
        db.execute("INSERT INTO letters VALUES (?, ?)", (change["customer_id"], text))
    print(
        f"{change['crossed_at']}  customer {change['customer_id']}: "
        f"{change['from'] or 'new'} -> {change['to']} ({change['cause']})",
        flush=True,
    )


def ends(bootstrap: str, topic: str, isolation: IsolationLevel) -> dict[int, int]:
    """Where each partition of a topic ends: what is committed, or whatever was written."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    metadata = admin.list_topics(topic, timeout=30).topics[topic]
    if metadata.error is not None or not metadata.partitions:
        raise SystemExit(f"There is no topic {topic} at {bootstrap}: run `clv topics apply`.")
    asked = {TopicPartition(topic, number): OffsetSpec.latest() for number in metadata.partitions}
    answers = admin.list_offsets(asked, isolation_level=isolation, request_timeout=30)
    return {partition.partition: future.result().offset for partition, future in answers.items()}


def consumer(bootstrap: str) -> Consumer:
    """A reader of what is committed, which keeps its own position."""
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "unused",  # positions are ours, but librdkafka wants a name
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
        }
    )


def read(source: Consumer, ahead: dict[int, int]) -> Iterator[list[Message]]:
    """Messages up to these ends.

    A partition's end may be a marker that is never delivered, or an uncommitted record: then the
    event of having come to its end tells how far the reader is.
    """
    ahead = {number: end for number, end in ahead.items() if end > 0}
    while ahead:
        messages = []
        for message in source.consume(BATCH, timeout=1.0):
            reached = message.offset() + 1
            error = message.error()
            if error is None:
                messages.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  (it has no other name)
                reached -= 1
            else:
                raise KafkaException(error)
            if reached >= ahead.get(message.partition(), 0):
                ahead.pop(message.partition(), None)
        yield messages


def take_snapshot(db: sqlite3.Connection, bootstrap: str, scores: str, changes: str) -> None:
    """Everyone's tier now, and the positions in the changes from which to go on."""
    # First the position in the changes, then the scores: a change between the two is seen twice,
    # which is harmless, and none is missed. The scores are read up to what was *written* by now,
    # as a transaction's records become readable topic by topic.
    positions = ends(bootstrap, changes, IsolationLevel.READ_COMMITTED)
    limits = ends(bootstrap, scores, IsolationLevel.READ_UNCOMMITTED)
    with closing(consumer(bootstrap)) as source, db:
        source.assign([TopicPartition(scores, number, OFFSET_BEGINNING) for number in limits])
        for messages in read(source, limits):
            for message in messages:
                customer, value = message.key().decode(), message.value()
                if value is None:  # the customer was erased
                    db.execute("DELETE FROM tiers WHERE customer = ?", (customer,))
                else:
                    tier = json.loads(value)["tier"]
                    db.execute("REPLACE INTO tiers VALUES (?, ?)", (customer, tier))
        db.executemany("REPLACE INTO positions VALUES (?, ?)", positions.items())
    count = db.execute("SELECT count(*) FROM tiers").fetchone()[0]
    print(f"snapshot: {count} customers", flush=True)


def follow(db: sqlite3.Connection, bootstrap: str, changes: str) -> None:
    """Handle each change once, until interrupted."""
    positions = db.execute("SELECT partition, position FROM positions").fetchall()
    with closing(consumer(bootstrap)) as source:
        source.assign([TopicPartition(changes, number, position) for number, position in positions])
        while True:
            messages = source.consume(BATCH, timeout=1.0)
            with db:  # what is done, the ids and the positions: all of it or nothing
                for message in messages:
                    apply(db, message)
                db.execute(
                    "DELETE FROM seen WHERE number <= (SELECT max(number) FROM seen) - ?",
                    (IDS_REMEMBERED,),
                )


def apply(db: sqlite3.Connection, message: Message) -> None:
    """Take one message of the changes."""
    error = message.error()
    if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
        return
    if error is not None and error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001
        raise SystemExit(
            "Changes since the last run are no longer in Kafka: delete the state file, to begin "
            "with a new snapshot."
        )
    if error is not None:
        raise KafkaException(error)
    change = json.loads(message.value())
    new = db.execute("INSERT OR IGNORE INTO seen (id) VALUES (?)", (change["id"],)).rowcount
    if new:
        db.execute("REPLACE INTO tiers VALUES (?, ?)", (change["customer_id"], change["to"]))
        handle(db, change)
    position = (message.partition(), message.offset() + 1)
    db.execute("REPLACE INTO positions VALUES (?, ?)", position)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Follow tier changes.")
    parser.add_argument("--bootstrap", default="localhost:9092")
    parser.add_argument("--state", default="tiers.db", help="SQLite file (default: tiers.db)")
    parser.add_argument("--scores", default="clv.scores")
    parser.add_argument("--changes", default="clv.tier-changes")
    options = parser.parse_args()
    with closing(sqlite3.connect(options.state)) as db, suppress(KeyboardInterrupt):
        db.executescript(TABLES)
        if not db.execute("SELECT 1 FROM positions").fetchone():
            take_snapshot(db, options.bootstrap, options.scores, options.changes)
        follow(db, options.bootstrap, options.changes)


if __name__ == "__main__":
    main()
