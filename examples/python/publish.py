"""Publish events, as JSON lines from standard input, to where the workers expect them.

    pip install confluent-kafka
    python publish.py --bootstrap localhost:9092 < events.jsonl

docs/publishers.md says what an event holds. Events may be sent again under the same ids: after a
failure, run it once more with the same lines.
"""

import argparse
import json
import sys
from collections import Counter
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

# clv.purchases takes these types; whatever else a customer does goes to clv.engagements.
PURCHASE_TYPES = {"purchase", "refund"}


def producer(bootstrap: str, patience_s: float) -> Producer:
    """A producer that places events as the Java client does, and loses none by itself."""
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            # librdkafka's own default (crc32) places a customer elsewhere: the workers would have
            # to forward each event.
            "partitioner": "murmur2_random",
            "enable.idempotence": True,  # acks=all, and repetitions neither double nor reorder
            "message.timeout.ms": round(patience_s * 1000),
            "linger.ms": 5,
            "compression.type": "lz4",
            "log_level": 2,  # what goes wrong is told once, at the end
        }
    )


def send(to: Producer, topic: str, event: dict[str, Any], failed: Counter[str]) -> None:
    """Hand one event over; it is in Kafka once it has been flushed and did not fail."""

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failed[error.str()] += 1

    while True:
        try:
            to.produce(
                topic,
                key=event["customer_id"].encode(),  # one customer, one partition
                value=json.dumps(event, ensure_ascii=False).encode(),
                on_delivery=delivered,
            )
        except BufferError:  # as much as may wait does: let some go
            to.poll(1.0)
        else:
            to.poll(0)
            return


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Publish events from JSON lines.")
    parser.add_argument("--bootstrap", default="localhost:9092")
    parser.add_argument("--purchases", default="clv.purchases")
    parser.add_argument("--engagements", default="clv.engagements")
    parser.add_argument("--patience", type=float, default=120, metavar="SECONDS")
    options = parser.parse_args()
    to = producer(options.bootstrap, options.patience)
    failed: Counter[str] = Counter()
    sent = 0
    for line in sys.stdin:
        event = json.loads(line)
        bought = event["type"] in PURCHASE_TYPES
        send(to, options.purchases if bought else options.engagements, event, failed)
        sent += 1
    to.flush()
    if failed:
        why = ", ".join(failed)
        raise SystemExit(
            f"{failed.total()} of {sent} events did not reach Kafka at {options.bootstrap} "
            f"({why}): does --bootstrap say where it is? Publish them again, under the same ids."
        )
    print(f"{sent} events published")


if __name__ == "__main__":
    main()
