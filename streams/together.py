"""Partitions whose batches come at once are stepped at once.

A worker's lanes fetch together, so that small batches come by the handful, in the same turn of
the event loop. One step for all of them costs half of what theirs do, one after the other.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from models.change_over import ChangeOver
from models.policy import Policy
from models.step import Step

Work = TypeVar("Work")

_Steps = Callable[[Policy, Sequence[Work], ChangeOver | None], list[Step]]


class _Asked(NamedTuple, Generic[Work]):
    policy: Policy
    work: Work
    answer: asyncio.Future[Step]


class Together(Generic[Work]):
    """Gathers what lanes ask for until the event loop's next turn.

    It holds one work of each lane at most, and no more events than all lanes may have in work
    (`streams.transport.turns`).

    Args:
        steps: the steps of works of one policy, each as if it were alone.
    """

    def __init__(self, steps: _Steps[Work]) -> None:
        self._steps = steps
        self._asked: list[_Asked[Work]] = []

    async def step(self, policy: Policy, work: Work, change_over: ChangeOver | None) -> Step:
        """The step of one partition's work.

        Args:
            policy: the rules.
            work: what the partition has to do.
            change_over: to the rules, where one is under way. It is a partition's own: so its
                work is stepped alone.

        Raises:
            Exception: what this work raises alone; another's is not heard of.
        """
        if change_over is not None:
            return self._steps(policy, [work], change_over)[0]
        loop = asyncio.get_running_loop()
        if not self._asked:
            loop.call_soon(self._answer_all)
        asked = _Asked(policy, work, loop.create_future())
        self._asked.append(asked)
        return await asked.answer

    def _answer_all(self) -> None:
        left, self._asked = self._asked, []
        while left:
            policy = left[0].policy
            same = [asked for asked in left if asked.policy == policy]
            left = [asked for asked in left if asked.policy != policy]
            if heard := [asked for asked in same if not asked.answer.done()]:
                self._answer(policy, heard)

    def _answer(self, policy: Policy, asked: Sequence[_Asked[Work]]) -> None:
        try:
            results = self._steps(policy, [one.work for one in asked], None)
        except Exception as error:  # noqa: BLE001  raised again where it belongs
            if len(asked) == 1:
                asked[0].answer.set_exception(error)
            else:
                for one in asked:
                    self._answer(policy, [one])
        else:
            for one, result in zip(asked, results, strict=True):
                one.answer.set_result(result)
