"""What lanes are given by aiokafka's consumer, in cases that are rare on a real broker."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.types import TP

from streams.transport import feed as feed_module
from streams.transport.feed import FRESH_MS, POLL_MS, KafkaFeed
from streams.transport.roles import Start


def new_feed(kafka: Any) -> KafkaFeed:
    """A feed of a fake client, whose batches nobody wants."""
    return KafkaFeed(kafka, 100, lambda _batch: asyncio.sleep(0))


class ForgetfulCoordinator:
    """Is away twice, then answers."""

    def __init__(self, *, forgotten: bool) -> None:
        self.member_id, self._forgotten, self._asked = "me", forgotten, 0

    async def _do_heartbeat(self) -> bool:
        self._asked += 1
        if self._asked == 1:
            return False
        if self._asked == 2:
            raise KafkaError("what is this?")
        if self._forgotten:
            self.member_id = ""
        return not self._forgotten


@pytest.mark.parametrize("forgotten", [True, False])
async def test_whether_this_worker_is_a_member_is_asked_until_it_is_known(
    monkeypatch: pytest.MonkeyPatch, forgotten: bool
) -> None:
    monkeypatch.setattr(feed_module, "ASK_S", 0.001)
    feed = new_feed(SimpleNamespace(_coordinator=ForgetfulCoordinator(forgotten=forgotten)))
    assert await feed.is_member() is not forgotten


class Buffers:
    """aiokafka's consumer, as far as it hands out records: what each call finds, in turn."""

    def __init__(self, *found: int) -> None:
        self._found, self._offset = list(found), 0
        self.timeouts_ms: list[int] = []

    async def getmany(self, tp: TP, *, timeout_ms: int, max_records: int) -> dict[TP, list[int]]:
        self.timeouts_ms.append(timeout_ms)
        await asyncio.sleep(0)
        count = min(self._found.pop(0), max_records)
        start, self._offset = self._offset, self._offset + count
        return {tp: list(range(start, self._offset))} if count else {}


@pytest.mark.parametrize(
    ("found", "patiently", "timeouts_ms"),
    [
        ([0, 3], True, [0, POLL_MS]),  # it was idle: what comes is new
        ([3, 4], True, [0, FRESH_MS]),  # it was at work: what was fetched before is old
        ([3, 0], True, [0, FRESH_MS]),
        ([10], True, [0]),  # plenty
        ([3], False, [0]),  # something else is due
        ([0], False, [0]),
    ],
)
async def test_what_came_during_the_last_batch_is_asked_for(
    found: list[int], patiently: bool, timeouts_ms: list[int]
) -> None:
    buffers, tp = Buffers(*found), TP("a", 0)
    fetched = await new_feed(buffers).fetch([tp], 100, patiently=patiently)
    assert fetched.get(tp, []) == list(range(sum(found)))
    assert buffers.timeouts_ms == timeouts_ms


async def test_a_batch_has_its_size_also_where_it_is_asked_for_twice() -> None:
    tp = TP("a", 0)
    fetched = await new_feed(Buffers(3, 500)).fetch([tp], 100, patiently=True)
    assert fetched == {tp: list(range(100))}


@pytest.mark.parametrize(("stable", "end"), [(None, -1), (0, 0), (7, 7)])
def test_where_a_log_ended_is_what_a_reader_of_committed_records_was_told(
    stable: int | None, end: int
) -> None:
    """The topics of a lane wait for each other by it."""
    assert new_feed(SimpleNamespace(last_stable_offset=lambda _tp: stable)).end(TP("a", 0)) == end


@pytest.mark.parametrize(
    ("subscription", "reached"),
    [
        (None, -1),
        (SimpleNamespace(assignment=None), -1),
        (SimpleNamespace(assignment=SimpleNamespace(state_value=lambda _tp: None)), -1),
        (("sought", False), -1),  # it was told where to begin, and has not begun
        ((0, True), 0),
        ((7, True), 7),
    ],
)
def test_what_will_be_delivered_next_is_known_or_not(subscription: Any, reached: int) -> None:
    if isinstance(subscription, tuple):
        position, valid = subscription
        state = SimpleNamespace(position=position, has_valid_position=valid)
        subscription = SimpleNamespace(assignment=SimpleNamespace(state_value=lambda _tp: state))
    kafka = SimpleNamespace(_subscription=SimpleNamespace(subscription=subscription))
    assert new_feed(kafka).reached(TP("a", 0)) == reached


class Logs:
    """A group that has committed to some logs, of which each begins at offset 3."""

    def __init__(self, committed: dict[TP, OffsetAndMetadata]) -> None:
        self._committed = committed
        self._coordinator = self

    async def fetch_committed_offsets(self, tps: list[TP]) -> dict[TP, OffsetAndMetadata]:
        nothing = OffsetAndMetadata(-1, "")
        return {tp: self._committed.get(tp, nothing) for tp in tps}

    async def beginning_offsets(self, tps: list[TP]) -> dict[TP, int]:
        return dict.fromkeys(tps, 3)


async def test_what_was_committed_is_where_it_starts_and_else_the_earliest() -> None:
    """Offset 0 was committed by a group that has read nothing, and may be gone: that is a loss."""
    new, begun, old = (TP(topic, 0) for topic in ("new", "begun", "old"))
    feed = new_feed(
        Logs({begun: OffsetAndMetadata(0, Start.note(7)), old: OffsetAndMetadata(5, "9")})
    )
    assert await feed.starts([new, begun, old]) == {new: (3, 0), begun: (0, 7), old: (5, 0)}
    assert await feed.starts([old]) == {old: (5, 0)}
    assert await feed.earliest(new) == 3


class Stalling:
    """aiokafka's consumer in a process that stands still for so many seconds, call by call."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1_000.0
        self.next_s = 0.0
        monkeypatch.setattr(feed_module.time, "monotonic", lambda: self.now_s)

    async def getmany(self, *_tps: TP, timeout_ms: int, max_records: int) -> dict[TP, list[int]]:
        self.now_s += self.next_s
        return {}


async def test_a_worker_that_stood_still_has_stalled_by_the_end_of_the_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kafka = Stalling(monkeypatch)
    feed = new_feed(kafka)

    async def stalls_after(between_s: float, within_s: float) -> int:
        kafka.now_s, kafka.next_s = kafka.now_s + between_s, within_s
        await feed.fetch([], 10, patiently=False)
        return feed.stalls

    assert await stalls_after(9.9, 9.9) == 0, "each time it had asked before"
    assert await stalls_after(10.1, 0.1) == 1
    assert await stalls_after(0.1, 10.1) == 2
    assert await stalls_after(0.1, 0.1) == 2
