"""What is written to Kafka, before it is known how."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

NO_HEADERS: list[tuple[str, bytes]] = []


class Record(NamedTuple):
    """What goes to one output topic; `headers` as Kafka has them."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]] = NO_HEADERS
    timestamp_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """Records for one partition of one topic, in order."""

    topic: str
    partition: int
    records: Sequence[Record]
