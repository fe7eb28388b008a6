"""How far a partition has come: in the changelog, under a key that no customer has."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec

from models.parameters import ModelParams
from models.releases import Released
from sinks.record import NO_HEADERS, Record, Records
from streams.transport.received import Seen

KEY: Final = b""


class Parameters(msgspec.Struct, frozen=True):
    """Parameters that customers are scored by, whole: their topic may have forgotten them.

    Attributes:
        document: see `models.parameters`.
        at_ms: when they were published; 0 for those that a worker was started with.
    """

    document: dict[str, Any]
    at_ms: int = 0


class Progress(msgspec.Struct, frozen=True, omit_defaults=True):
    """The value of that record, part of every transaction.

    Attributes:
        now_ms: time that the partition has reached, epoch milliseconds.
        offsets: by input topic, the next offset to apply.
        newest: by input topic, offset and Kafka timestamp of the last record applied.
        params: what customers are scored by.
        earlier: while the partition changes over, what those are scored by who are left.
        since_ms: when that change-over began, epoch milliseconds.
        partitions: how many customers are placed in; 0 where an older version wrote it.
        currency: of all stored amounts; empty where an older version wrote it.
        timezone: whose days are stored; empty where an older version wrote it.
    """

    now_ms: int = 0
    offsets: dict[str, int] = {}
    newest: dict[str, Seen] = {}
    params: Parameters | None = None
    earlier: Parameters | None = None
    since_ms: int = 0
    partitions: int = 0
    currency: str = ""
    timezone: str = ""


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Progress).decode


def parameters(released: Released) -> Parameters:
    """Parameters as the progress holds them: without what they were fitted to."""
    document = replace(released.params, extent={}).to_json()
    del document["checksum"]
    return Parameters(document, released.at_ms)


def released(stored: Parameters) -> Released:
    """The parameters in a progress.

    Raises:
        InvalidParameters: a newer program wrote them.
    """
    return Released(ModelParams.from_json(stored.document), stored.at_ms)


def records(reached: bytes, states: Mapping[bytes, bytes]) -> Records:
    """What a transaction writes to the changelog.

    Args:
        reached: the progress, encoded.
        states: by customer, encoded.
    """

    def those() -> Iterator[Record]:
        # First, so that who reads the changelog knows under which rules what follows was written.
        yield Record(KEY, reached)
        # NamedTuple's own constructor is a Python function: it would cost as much as a decode.
        new, rest = tuple.__new__, (NO_HEADERS, None)
        for item in states.items():
            yield new(Record, (*item, *rest))

    return Records(1 + len(states), those)
