"""Dead letters that wait, and publishing them again, each exactly once.

What was replayed is written down where the dead letters are: a record with the header
`clv-replayed` and no key, whose value is the JSON list of the offsets, in its own partition, that
were replayed. It is written in the transaction that publishes the events again. So it lasts as
long as the dead letters, and neither a crash nor a second replay publishes one twice.
"""

import base64
import binascii
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaProducer

from models.half_characters import whole_characters
from streams import topics
from streams.complaint import Complaint
from streams.placement import partition_of
from streams.reading import read_to_end
from streams.settings import Settings

REPLAYED: Final = "clv-replayed"
REPLAY_OF: Final = "clv-replay-of"

_LETTERS_PER_TRANSACTION: Final = 1_000


@dataclass(frozen=True)
class DeadLetter:
    """What could not be processed, and why.

    Attributes:
        partition: of `clv.dead-letters`.
        offset: there.
        at_ms: when it became a dead letter or, by the publisher's clock, an event.
        reason: code.
        detail: a sentence.
        topic: where it came from.
        source: partition and offset there.
        key: the event's.
        value: the event's bytes, of which a part may be missing.
        truncated: whether a part is missing.
    """

    partition: int
    offset: int
    at_ms: int
    reason: str
    detail: str
    topic: str
    source: tuple[int, int]
    key: bytes | None
    value: bytes | None
    truncated: bool

    @property
    def place(self) -> str:
        """Where it is among the dead letters: `partition/offset`."""
        return f"{self.partition}/{self.offset}"

    def document(self) -> dict[str, Any]:
        """The letter as JSON: a value that is no UTF-8 goes under `value_base64`."""
        try:
            value = {"value": None if self.value is None else self.value.decode()}
        except UnicodeDecodeError:
            value = {"value_base64": base64.b64encode(self.value or b"").decode()}
        return {
            "letter": self.place,
            "reason": self.reason,
            "detail": self.detail,
            "topic": self.topic,
            "partition": self.source[0],
            "offset": self.source[1],
            "key": None if self.key is None else self.key.decode(errors="backslashreplace"),
            "truncated": self.truncated,
            **value,
        }


async def waiting(
    settings: Settings,
    partitions: int,
    progressed: Callable[[int, int], None] = lambda _done, _all: None,
) -> list[DeadLetter]:
    """All dead letters that were not replayed yet, by partition and offset.

    Args:
        settings: where Kafka is.
        partitions: how many `clv.dead-letters` has.
        progressed: see `read_to_end`.

    Raises:
        KafkaAway: Kafka cannot be reached.
    """
    letters: dict[tuple[int, int], DeadLetter] = {}
    replayed: set[tuple[int, int]] = set()
    async for records in read_to_end(settings, topics.DEAD_LETTERS, partitions, progressed):
        for record in records:
            headers = dict(record.headers)
            if REPLAYED in headers:
                offsets = msgspec.json.decode(record.value, type=list[int])
                replayed.update((record.partition, offset) for offset in offsets)
            else:
                letters[record.partition, record.offset] = _letter(record, headers)
    return [letter for place, letter in sorted(letters.items()) if place not in replayed]


def _letter(record: Any, headers: dict[str, bytes]) -> DeadLetter:
    return DeadLetter(
        partition=record.partition,
        offset=record.offset,
        at_ms=record.timestamp,
        reason=headers.get("clv-reason", b"").decode(),
        detail=headers.get("clv-detail", b"").decode(errors="replace"),
        topic=headers.get("clv-topic", b"").decode(),
        source=(int(headers.get("clv-partition", b"-1")), int(headers.get("clv-offset", b"-1"))),
        key=record.key,
        value=record.value,
        truncated="clv-truncated" in headers or "clv-key-truncated" in headers,
    )


class _Repaired(msgspec.Struct):
    letter: str
    value: str | None = None
    value_base64: str | None = None


def repaired(letters: Iterable[DeadLetter], lines: Iterable[bytes]) -> list[DeadLetter]:
    """The letters that a file names, with the values that it gives them.

    Args:
        letters: those that wait.
        lines: JSON lines as `DeadLetter.document` makes them; only `letter` and the value count.

    Raises:
        Complaint: a line cannot be read, or names no letter that waits.
    """
    by_place = {letter.place: letter for letter in letters}
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            repair = msgspec.json.decode(line, type=_Repaired)
            value = _value(repair)
        except (msgspec.DecodeError, binascii.Error) as error:
            raise Complaint(
                f"Line {number} is no dead letter as `list` prints it: {error}."
            ) from error
        letter = by_place.get(repair.letter)
        if letter is None:
            raise Complaint(
                f"Line {number} names dead letter {repair.letter}, which does not wait (any more)."
            )
        found.append(_with_value(letter, value))
    return found


def _value(repair: _Repaired) -> bytes | None:
    if repair.value_base64 is not None:
        return base64.b64decode(repair.value_base64, validate=True)
    return None if repair.value is None else repair.value.encode()


class _Keyed(msgspec.Struct):
    customer_id: str = ""


def _with_value(letter: DeadLetter, value: bytes | None) -> DeadLetter:
    """The letter with another value, whole now, under the key that belongs to it."""
    if value == letter.value:
        return letter
    try:
        keyed = msgspec.json.decode(whole_characters(value or b""), type=_Keyed)
        key = keyed.customer_id.encode() or None
    except msgspec.DecodeError:
        key = letter.key
    return replace(letter, value=value, key=key, truncated=False)


async def replay(
    producer: AIOKafkaProducer,
    partitions: dict[str, int],
    letters: Sequence[DeadLetter],
    progressed: Callable[[int], None] = lambda _count: None,
) -> None:
    """Publish letters again, to where they came from, and write down that it was done.

    Args:
        producer: started, transactional.
        partitions: how many each topic has.
        letters: none of them truncated.
        progressed: told how many are done.
    """
    for first in range(0, len(letters), _LETTERS_PER_TRANSACTION):
        portion = letters[first : first + _LETTERS_PER_TRANSACTION]
        async with producer.transaction():
            done: defaultdict[int, list[int]] = defaultdict(list)
            for letter in portion:
                await _publish(producer, partitions[letter.topic], letter)
                done[letter.partition].append(letter.offset)
            for partition, offsets in done.items():
                await _send(
                    producer,
                    topics.DEAD_LETTERS,
                    msgspec.json.encode(offsets),
                    partition=partition,
                    headers=[(REPLAYED, b"%d" % len(offsets))],
                )
        progressed(first + len(portion))


async def _publish(producer: AIOKafkaProducer, partitions: int, letter: DeadLetter) -> None:
    # Without a key any partition is right: the worker forwards the event to its own.
    partition = 0 if letter.key is None else partition_of(letter.key, partitions)
    await _send(
        producer,
        letter.topic,
        letter.value,
        key=letter.key,
        partition=partition,
        headers=[(REPLAY_OF, letter.place.encode())],
    )


async def _send(producer: AIOKafkaProducer, topic: str, value: bytes | None, **rest: Any) -> None:
    sent = await producer.send(topic, value, **rest)
    # A failure is the transaction's, whose end raises it; of each record asyncio need not complain.
    sent.add_done_callback(lambda done: done.cancelled() or done.exception())
