"""A tick is believed once what it knew has been applied, and not before."""

from types import SimpleNamespace

from streams import ticks
from streams.ticks import PENDING_MAX, PendingTicks, Tick


def records(*made: tuple[int, int]) -> list[SimpleNamespace]:
    return [
        SimpleNamespace(value=ticks.encode(Tick(at_ms, {"clv.purchases": end})))
        for at_ms, end in made
    ]


def applied(offset: int):
    return lambda ends: all(end <= offset for end in ends.values())


def test_nothing_is_believed_while_the_input_lags() -> None:
    pending = PendingTicks()
    pending.add(records((1_000, 5), (1_250, 9)))
    assert pending.believe(applied(4)) is None
    assert pending.believe(applied(5)) == 1_000
    assert pending.believe(applied(5)) is None
    assert pending.believe(applied(9)) == 1_250


def test_the_newest_of_several_counts() -> None:
    pending = PendingTicks()
    pending.add(records((1_000, 5), (1_250, 5), (1_500, 7)))
    assert pending.believe(applied(6)) == 1_250


def test_a_long_backlog_is_bounded_and_keeps_its_newest_and_its_order() -> None:
    pending = PendingTicks()
    for at in range(10 * PENDING_MAX):
        pending.add(records((at, at)))
    assert len(pending._ticks) <= PENDING_MAX
    believed = [pending.believe(applied(offset)) for offset in range(10 * PENDING_MAX)]
    times = [at for at in believed if at is not None]
    assert times == sorted(times)
    assert times[-1] == 10 * PENDING_MAX - 1
    assert len(times) > PENDING_MAX // 4, "time goes on in steps, not in one leap"
