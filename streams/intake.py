"""From the records of a batch to events: what is good, what is bad, what is misplaced."""

import math
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

import numpy as np

from models.arrays import Floats
from models.events import BadEvent, Decoder, Event
from models.reasons import Reason, Refusal
from models.step import Step
from sinks.record import Output, Record
from streams.placement import partition_of
from streams.topics import ENGAGEMENTS, PURCHASES
from streams.transport.alignment import clock

FORWARDED_HEADER_BYTES_MAX: Final = 64 * 1024
"""Of a misplaced record: what came compressed may else be beyond the limit of its own topic."""


class Intake(NamedTuple):
    """A decoded batch.

    Attributes:
        events: (event, its record's Kafka timestamp in ms), in the order to be applied.
        sources: the record of each event.
        refused: (record, reason) of what becomes a dead letter.
        rerouted: records of customers who belong to another partition, by topic and partition.
        flags: for each event in order, 1 where it is bad.
    """

    events: list[tuple[Event, int]]
    sources: list[Any]
    refused: list[tuple[Any, Refusal]]
    rerouted: dict[tuple[str, int], list[Record]]
    flags: list[int]

    def all_refused(self, result: Step) -> list[tuple[Any, Refusal]]:
        """What could not be decoded, and what the customers' facts refused."""
        return self.refused + [(self.sources[index], why) for index, why in result.refused]

    def arrived_ms(self, without: Container[int] = ()) -> dict[str, Floats]:
        """By topic, the Kafka timestamps of its events, (n,) epoch ms, some indices left out."""
        found: dict[str, list[int]] = {}
        for index, source in enumerate(self.sources):
            if index not in without:
                found.setdefault(source.topic, []).append(source.timestamp)
        return {topic: np.array(timestamps, np.float64) for topic, timestamps in found.items()}

    def rerouted_outputs(self) -> list[Output]:
        """The misplaced records, each to its own partition of the topic that it came from."""
        return [Output(*target, records) for target, records in self.rerouted.items()]

    def rerouted_counts(self) -> Counter[str]:
        """How many records were misplaced, by topic."""
        counts: Counter[str] = Counter()
        for (topic, _), records in self.rerouted.items():
            counts[topic] += len(records)
        return counts


def in_order(records: Mapping[str, Sequence[Any]], latest_ms: float = math.inf) -> list[Any]:
    """Purchases and engagements by Kafka timestamp, each topic in its own order.

    Args:
        records: by topic; others are left out.
        latest_ms: epoch ms beyond which a record's stamp says nothing.
    """
    both = [records.get(topic) or [] for topic in (PURCHASES, ENGAGEMENTS)]
    if not all(both):
        return [*both[0], *both[1]]
    merged = [*both[0], *both[1]]
    clocks = chain.from_iterable(clock(topic, latest_ms) for topic in both)
    order = np.argsort(np.fromiter(clocks, np.int64, len(merged)), kind="stable")
    return [merged[index] for index in order.tolist()]


def take_in(
    decoder: Decoder,
    records: Mapping[str, Sequence[Any]],
    number: int,
    partitions: int,
    known: Container[bytes],
    latest_ms: float = math.inf,
) -> Intake:
    """Decode a batch of one partition number.

    Args:
        decoder: with the settings' currencies.
        records: by topic; others than the two input topics are left out.
        number: of the partition that the records are in.
        partitions: how many there are.
        known: customers of this partition, whose place need not be computed.
        latest_ms: epoch ms beyond which no record may be stamped: its event would move the
            partition's time there, and all its customers would look silent, for good.
    """
    intake = Intake([], [], [], {}, [])
    events, sources, flags = intake.events, intake.sources, intake.flags
    purchase, engagement = decoder.purchase, decoder.engagement
    for record in in_order(records, latest_ms):
        decode = purchase if record.topic == PURCHASES else engagement
        try:
            if record.timestamp > latest_ms:
                raise _ahead(record.timestamp, latest_ms)
            event = decode(record.value, record.key, record.timestamp)
        except BadEvent as bad:
            intake.refused.append((record, bad.refusal))
            flags.append(1)
            continue
        flags.append(0)
        customer = event.customer
        if customer not in known:
            home = partition_of(customer, partitions)
            if home != number:
                headers = _forwarded(record.headers)
                intake.rerouted.setdefault((record.topic, home), []).append(
                    Record(customer, record.value, headers, record.timestamp)
                )
                continue
        events.append((event, record.timestamp))
        sources.append(record)
    return intake


def _ahead(timestamp_ms: int, latest_ms: float) -> BadEvent:
    return BadEvent(
        Reason.BAD_TIME,
        f"the record's Kafka timestamp {timestamp_ms} is too far ahead: the worker's clock allows "
        f"{latest_ms:.0f}",
    )


def _forwarded(headers: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """The headers of a misplaced record, or none where they are too large: nobody needs them."""
    size = sum(len(name) + len(value or b"") for name, value in headers)
    return list(headers) if size <= FORWARDED_HEADER_BYTES_MAX else []
