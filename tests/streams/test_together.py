"""What lanes ask for in one turn of the event loop is stepped in one go, each as if alone."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from models.change_over import ChangeOver
from models.policy import Policy
from models.step import Step
from streams.together import Together

POLICY = Policy()
OTHER = replace(POLICY, horizon_days=30.0)


class Steps:
    """Steps works that are numbers; zero cannot be stepped."""

    def __init__(self) -> None:
        self.calls: list[tuple[Policy, list[int], ChangeOver | None]] = []

    def __call__(
        self, policy: Policy, works: Sequence[int], change_over: ChangeOver | None
    ) -> list[Step]:
        self.calls.append((policy, list(works), change_over))
        if 0 in works:
            raise ValueError(f"zero among {len(works)}")
        return [Step(work) for work in works]


async def test_one_turn_is_one_step() -> None:
    steps = Steps()
    together = Together[int](steps)
    answers = await asyncio.gather(*(together.step(POLICY, n, None) for n in (1, 2, 3)))
    assert answers == [Step(1), Step(2), Step(3)]
    assert await together.step(POLICY, 4, None) == Step(4)
    assert steps.calls == [(POLICY, [1, 2, 3], None), (POLICY, [4], None)]


async def test_rules_are_not_mixed() -> None:
    steps = Steps()
    together = Together[int](steps)
    asked = [(POLICY, 1), (OTHER, 2), (replace(POLICY), 3)]
    answers = await asyncio.gather(*(together.step(policy, n, None) for policy, n in asked))
    assert answers == [Step(1), Step(2), Step(3)]
    assert steps.calls == [(POLICY, [1, 3], None), (OTHER, [2], None)]


async def test_a_change_over_is_stepped_alone() -> None:
    steps = Steps()
    together = Together[int](steps)
    change_over = ChangeOver(0, OTHER, ())
    answers = await asyncio.gather(
        together.step(POLICY, 1, None),
        together.step(POLICY, 2, change_over),
        together.step(POLICY, 3, None),
    )
    assert answers == [Step(1), Step(2), Step(3)]
    assert steps.calls == [(POLICY, [2], change_over), (POLICY, [1, 3], None)]


async def test_who_fails_fails_alone() -> None:
    together = Together[int](Steps())
    answers = await asyncio.gather(
        *(together.step(POLICY, n, None) for n in (1, 0, 3)), return_exceptions=True
    )
    assert [answers[0], answers[2]] == [Step(1), Step(3)]
    assert isinstance(answers[1], ValueError)
    assert str(answers[1]) == "zero among 1"
    with pytest.raises(ValueError, match="zero among 1"):
        await together.step(POLICY, 0, None)


async def test_who_no_longer_waits_is_left_out() -> None:
    steps = Steps()
    together = Together[int](steps)
    asked = [asyncio.create_task(together.step(POLICY, n, None)) for n in (1, 2)]
    asyncio.get_running_loop().call_soon(asked[0].cancel)
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1] == Step(2)
    assert steps.calls == [(POLICY, [2], None)]
    asked = [asyncio.create_task(together.step(POLICY, 3, None))]
    asyncio.get_running_loop().call_soon(asked[0].cancel)
    await asyncio.gather(*asked, return_exceptions=True)
    assert len(steps.calls) == 1
