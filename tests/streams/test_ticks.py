"""A tick is believed once what it knew has been applied, and not before."""

import logging
from types import SimpleNamespace

import pytest

from streams import ticks
from streams.ticks import AHEAD_MS_MAX, PENDING_MAX, PendingTicks, Tick


def record(value: bytes | None, offset: int = 0, at_ms: int = 1_000) -> SimpleNamespace:
    return SimpleNamespace(
        topic="clv.clock", partition=3, offset=offset, value=value, timestamp=at_ms
    )


def records(*made: tuple[int, int]) -> list[SimpleNamespace]:
    return [record(ticks.encode(Tick(at_ms, {"clv.purchases": end}))) for at_ms, end in made]


def pending_ticks(**how: bool) -> PendingTicks:
    return PendingTicks(lambda *_: None, **how)


def applied(offset: int):
    return lambda ends: all(end <= offset for end in ends.values())


def believed(pending: PendingTicks, offset: int) -> int | None:
    tick = pending.believe(applied(offset))
    return None if tick is None else tick.at_ms


def test_nothing_is_believed_while_the_input_lags() -> None:
    pending = pending_ticks()
    pending.add(records((1_000, 5), (1_250, 9)))
    assert believed(pending, 4) is None
    assert believed(pending, 5) == 1_000
    assert believed(pending, 5) is None
    assert believed(pending, 9) == 1_250


def test_the_newest_of_several_counts() -> None:
    pending = pending_ticks()
    pending.add(records((1_000, 5), (1_250, 5), (1_500, 7)))
    assert believed(pending, 6) == 1_250


def test_a_long_backlog_is_bounded_and_keeps_its_newest_and_its_order() -> None:
    pending = pending_ticks()
    for at in range(10 * PENDING_MAX):
        pending.add(records((at, at)))
    assert len(pending._ticks) <= PENDING_MAX
    found = [believed(pending, offset) for offset in range(10 * PENDING_MAX)]
    times = [at for at in found if at is not None]
    assert times == sorted(times)
    assert times[-1] == 10 * PENDING_MAX - 1
    assert len(times) > PENDING_MAX // 4, "time goes on in steps, not in one leap"


def test_the_newest_time_stays_when_others_are_dropped() -> None:
    """A clock may be held from then on: nothing newer would come to replace it."""
    pending = pending_ticks()
    pending.add(records(*((at, at) for at in range(PENDING_MAX + 1))))
    assert len(pending._ticks) < PENDING_MAX
    assert believed(pending, PENDING_MAX) == PENDING_MAX


@pytest.mark.parametrize(
    "rubbish",
    [None, b"", b"{", b"[]", b'{"at_ms": 1}', b'{"at_ms": "1", "ends": {}}', b"\xff" * 70_000],
)
def test_rubbish_stops_nothing_and_is_counted(
    rubbish: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    refused: list[tuple[str, int]] = []
    pending = PendingTicks(lambda *what: refused.append(what))
    (good,) = records((1_000, 5))
    with caplog.at_level(logging.WARNING):
        pending.add([record(rubbish, offset=7), good, record(rubbish, offset=9)])
    assert believed(pending, 5) == 1_000
    assert refused == [("undecodable", 2)]
    (line,) = caplog.records
    assert (line.topic, line.partition, line.offset) == ("clv.clock", 3, 7)


def test_a_tick_from_another_year_is_not_believed() -> None:
    refused: list[tuple[str, int]] = []
    pending = PendingTicks(lambda *what: refused.append(what))
    far, near = 1_001 + AHEAD_MS_MAX, 1_000 + AHEAD_MS_MAX
    pending.add(records((far, 5)))
    assert believed(pending, 5) is None
    assert refused == [("ahead", 1)]
    pending.add(records((near, 5)))
    assert believed(pending, 5) == near, "a clock that jumps by hours is a clock still"
    replay = pending_ticks(wall_clock=False)
    replay.add(records((far, 5)))
    assert believed(replay, 5) == far, "events may be of any time"


def test_what_waits_for_an_end_that_was_lost_gives_way() -> None:
    """An unclean election, or a forged tick: its end may never come, and time must go on."""
    pending = pending_ticks()
    pending.add(records((1_000, 5), (1_250, 900), (1_500, 10**15), (1_750, 6)))
    assert believed(pending, 6) == 1_750


def test_a_tick_of_an_older_program_names_no_parameters() -> None:
    pending = pending_ticks()
    pending.add([record(b'{"at_ms":1,"ends":{}}', offset=1)])
    tick = pending.believe(applied(0))
    assert tick is not None
    assert (tick.params, tick.params_at_ms) == ("", 0)
