"""What lanes ask for in one turn of the event loop is stepped in one go, each as if alone."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any

import pytest

from models.change_over import ChangeOver
from models.policy import Policy
from models.step import Step
from streams.together import TOGETHER_MAX, Together

POLICY = Policy()
SILENT = 99
OTHER = replace(POLICY, horizon_days=30.0)


class Events(int):
    """A work: so many events."""

    @property
    def size(self) -> int:
        return self


class Steps:
    """Answers each work with its number; zero cannot be stepped, and of 99 nothing is heard."""

    def __init__(self) -> None:
        self.calls: list[tuple[Policy, list[int], ChangeOver | None]] = []

    def __call__(
        self, policy: Policy, works: Sequence[Events], change_over: ChangeOver | None
    ) -> list[Step]:
        self.calls.append((policy, list(works), change_over))
        if 0 in works:
            raise ValueError(f"zero among {len(works)}")
        return [Step(work) for work in works if work != SILENT]


def ask(together: Together[Events], *sizes: int) -> list[Coroutine[Any, Any, Step]]:
    return [together.step(POLICY, Events(size), None) for size in sizes]


async def test_one_turn_is_one_step() -> None:
    steps = Steps()
    together = Together[Events](steps)
    answers = await asyncio.gather(*ask(together, 1, 2, 3))
    assert answers == [Step(1), Step(2), Step(3)]
    assert await together.step(POLICY, Events(4), None) == Step(4)
    assert steps.calls == [(POLICY, [1, 2, 3], None), (POLICY, [4], None)]


async def test_rules_are_not_mixed() -> None:
    steps = Steps()
    together = Together[Events](steps)
    asked = [(POLICY, 1), (OTHER, 2), (replace(POLICY), 3)]
    answers = await asyncio.gather(*(together.step(policy, Events(n), None) for policy, n in asked))
    assert answers == [Step(1), Step(2), Step(3)]
    assert steps.calls == [(POLICY, [1, 3], None), (OTHER, [2], None)]


async def test_a_step_is_no_larger_than_pays() -> None:
    steps = Steps()
    together = Together[Events](steps)
    sizes = [TOGETHER_MAX - 5, 5, 1, 5_000, 7, TOGETHER_MAX]
    answers = await asyncio.gather(*ask(together, *sizes))
    assert answers == [Step(size) for size in sizes]
    assert [works for _, works, _ in steps.calls] == [sizes[:2], [1], [5_000], [7], [TOGETHER_MAX]]


async def test_between_two_steps_the_loop_goes_on() -> None:
    seen: list[int] = []
    steps = Steps()
    together = Together[Events](steps)
    waiting = asyncio.gather(*ask(together, TOGETHER_MAX, TOGETHER_MAX, TOGETHER_MAX))
    while not waiting.done():
        await asyncio.sleep(0)
        seen.append(len(steps.calls))
    assert {1, 2, 3} <= set(seen)


async def test_a_change_over_is_stepped_alone() -> None:
    steps = Steps()
    together = Together[Events](steps)
    change_over = ChangeOver(0, OTHER, ())
    answers = await asyncio.gather(
        together.step(POLICY, Events(1), None),
        together.step(POLICY, Events(2), change_over),
        together.step(POLICY, Events(3), None),
    )
    assert answers == [Step(1), Step(2), Step(3)]
    assert steps.calls == [(POLICY, [2], change_over), (POLICY, [1, 3], None)]


async def test_who_fails_fails_alone() -> None:
    together = Together[Events](Steps())
    answers = await asyncio.gather(*ask(together, 1, 0, 3), return_exceptions=True)
    assert [answers[0], answers[2]] == [Step(1), Step(3)]
    assert isinstance(answers[1], ValueError)
    assert str(answers[1]) == "zero among 1"
    with pytest.raises(ValueError, match="zero among 1"):
        await together.step(POLICY, Events(0), None)


async def test_who_no_longer_waits_is_left_out() -> None:
    steps = Steps()
    together = Together[Events](steps)
    asked = [asyncio.create_task(one) for one in ask(together, 1, 2)]
    asyncio.get_running_loop().call_soon(asked[0].cancel)
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1] == Step(2)
    assert steps.calls == [(POLICY, [2], None)]
    asked = [asyncio.create_task(together.step(POLICY, Events(3), None))]
    asyncio.get_running_loop().call_soon(asked[0].cancel)
    await asyncio.gather(*asked, return_exceptions=True)
    assert len(steps.calls) == 1


async def test_nobody_waits_for_ever() -> None:
    together = Together[Events](Steps())
    answers = await asyncio.gather(*ask(together, 1, SILENT), return_exceptions=True)
    assert any(isinstance(answer, (RuntimeError, ValueError)) for answer in answers)
