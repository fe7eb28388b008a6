"""Records whose headers have names that are no UTF-8 are read like all others.

Kafka wants these names in UTF-8, and takes whatever a publisher's client sends. aiokafka stops at
such a record, each time anew. Importing this module makes every consumer of the process read the
rest of what it has fetched once more, by a slower way that puts U+FFFD for what cannot be read.
"""

from collections.abc import Iterator
from typing import Any, Final

from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy

_LATEST_FORMAT: Final = 2  # the only one with headers


class _AnyText(bytearray):
    """Bytes whose slices decode whatever they hold."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _AnyText(found) if isinstance(at, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        """As text, with U+FFFD where it is none."""
        return super().decode(encoding, errors)


class _LenientBatch(_DefaultRecordBatchPy):
    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        buffer: bytearray = self._buffer  # type: ignore[has-type]
        self._buffer = _AnyText(buffer)


class _LenientRecords(_MemoryRecordsPy):
    def next_batch(self, *_: Any) -> Any:
        found: Any = self._next_slice
        if found[self.MAGIC_OFFSET] < _LATEST_FORMAT:
            return super().next_batch()
        self._cache_next()
        return _LenientBatch(found)


class _Fetched:
    """What was fetched of a partition, and how to read it from the last batch on once more."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._records: Any = MemoryRecords(data)
        self._given = 0
        self.has_next = self._records.has_next
        self.size_in_bytes = self._records.size_in_bytes

    def next_batch(self) -> Any:
        self._given += 1
        return self._records.next_batch()

    def read_again(self) -> None:
        self._records = _LenientRecords(self._data)
        for _ in range(self._given - 1):
            self._records._cache_next()  # noqa: SLF001
        self.has_next = self._records.has_next


_strictly: Final = PartitionRecords._unpack_records  # noqa: SLF001


def _unpacked(self: Any) -> Iterator[Any]:
    try:
        yield from _strictly(self)
    except UnicodeDecodeError:
        # Who reads a batch again passes over the records that were given already.
        self._records.read_again()
        yield from _strictly(self)


fetcher.MemoryRecords = _Fetched
PartitionRecords._unpack_records = _unpacked  # noqa: SLF001
