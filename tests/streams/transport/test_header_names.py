"""Headers with names that are no UTF-8 do not keep their records, or others, from being read."""

from typing import Any, Self

import pytest
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_UNCOMMITTED, PartitionRecords
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.structs import TopicPartition

import streams.transport.header_names  # noqa: F401  what is tested

CODECS = {"none": 0, "gzip": 1, "lz4": 3, "zstd": 4}
BAD = b"m\xfcnchen"  # as an old Windows would write it


class Name(str):
    """A name that a client writes as it pleases."""

    __slots__ = ("raw",)

    def __new__(cls, raw: bytes) -> Self:
        made = super().__new__(cls, raw.decode("latin-1"))
        made.raw = raw
        return made

    def encode(self, *_: Any) -> bytes:
        return self.raw


def batch(first: int, bad: list[bool], codec: str) -> bytes:
    """One record batch from an offset on, of records of which some have a bad header."""
    builder = _DefaultRecordBatchBuilderPy(2, CODECS[codec], 0, -1, -1, -1, 1 << 20)
    for number, is_bad in enumerate(bad):
        name = Name(BAD if is_bad else "münchen".encode())
        builder.append(number, 1_000, b"key", b"%d" % (first + number), [(name, b"1"), ("x", None)])
    built = bytes(builder.build())
    return first.to_bytes(8, "big") + built[8:]  # which the checksum leaves out


def fetched(data: bytes, start: int) -> PartitionRecords:
    return PartitionRecords(
        TopicPartition("t", 0),
        fetcher.MemoryRecords(data),
        [], start, None, None, True, READ_UNCOMMITTED,
    )  # fmt: skip


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("start", [0, 2])
@pytest.mark.parametrize("bad", [[], [0], [2], [3], [4, 6], [8], [0, 3, 5, 7]])
def test_every_record_is_read_once(codec: str, start: int, bad: list[int]) -> None:
    flags = [number in bad for number in range(9)]
    parts = ((0, flags[:3]), (3, flags[3:7]), (7, flags[7:]))
    records = fetched(b"".join(batch(first, part, codec) for first, part in parts), start)
    seen = list(records)
    assert [(r.offset, r.value) for r in seen] == [(n, b"%d" % n) for n in range(start, 9)]
    assert records.next_fetch_offset == 9
    names = [r.headers[0] for r in seen]
    assert names == [
        ("m\ufffdnchen" if number in bad else "münchen", b"1") for number in range(start, 9)
    ]
    assert {r.headers[1] for r in seen} == {("x", None)}


def test_what_is_damaged_is_not_read() -> None:
    data = bytearray(batch(0, [False, True], "none"))
    data[-1] ^= 1
    with pytest.raises(Exception, match="CRC"):
        list(fetched(bytes(data), 0))
