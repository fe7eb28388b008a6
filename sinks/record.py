"""What is written to Kafka, before it is known how."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

NO_HEADERS: list[tuple[str, bytes]] = []


class Record(NamedTuple):
    """What goes to one output topic; `headers` as Kafka has them."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]] = NO_HEADERS
    timestamp_ms: int | None = None


class Records(Collection[Record]):
    """Records that are made one by one while they are gone through, each time anew.

    A batch has some ten thousand with half a dozen headers each. Made beforehand, all of them
    would lie in memory, and have left the cache, before the first is written.

    Args:
        size: how many there are.
        make: gives them, in order.
    """

    __slots__ = ("_make", "_size")

    def __init__(self, size: int, make: Callable[[], Iterable[Record]]) -> None:
        self._size, self._make = size, make

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Record]:
        return iter(self._make())

    def __contains__(self, record: object) -> bool:
        return any(record == one for one in self)


@dataclass(frozen=True, slots=True)
class Output:
    """Records for one partition of one topic, in order."""

    topic: str
    partition: int
    records: Collection[Record]
