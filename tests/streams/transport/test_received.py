"""What consumers give is what aiokafka would have given, in all that is read of it."""

from typing import Any

from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import ConsumerRecord, TopicPartition

from streams.transport.received import Received

TP = TopicPartition("in", 3)
RECORDS: list[tuple[int, bytes | None, bytes | None, list[tuple[str, bytes]]]] = [
    (1_772_366_400_000, b"key", b"value", []),
    (1_772_366_400_001, None, b"", [("trace", b"1"), ("trace", b"2")]),
    (0, b"", None, [("empty", b"")]),
]


def read(**deserializers: Any) -> list[Any]:
    """The records, as a consumer's fetcher unpacks them."""
    batch = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1,
        base_sequence=-1, batch_size=1 << 20,
    )  # fmt: skip
    for offset, (timestamp_ms, key, value, headers) in enumerate(RECORDS):
        batch.append(offset, timestamp_ms, key, value, headers)
    return list(
        PartitionRecords(
            TP,
            MemoryRecords(bytes(batch.build())),
            [],
            0,
            deserializers.get("key"),
            deserializers.get("value"),
            check_crcs=True,
            isolation_level=READ_COMMITTED,
        )
    )


def test_everything_that_is_read_of_a_record_is_there() -> None:
    assert read() == [
        Received("in", 3, offset, timestamp_ms, key, value, tuple(headers))
        for offset, (timestamp_ms, key, value, headers) in enumerate(RECORDS)
    ]


def test_who_has_deserializers_gets_what_they_make() -> None:
    (first, *_) = read(value=lambda value: value and value.decode())
    assert isinstance(first, ConsumerRecord)
    assert (first.key, first.value) == (b"key", "value")
