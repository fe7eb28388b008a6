"""Partitions whose small batches come at once are stepped at once.

A worker's lanes fetch together, so that small batches come by the handful, in the same turn of
the event loop. What a step of some dozen events costs is mostly calls, however many they are: one
step for all of these lanes costs little more than half of what theirs do, one after the other.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from models.change_over import ChangeOver
from models.policy import Policy
from models.step import Step

TOGETHER_MAX: Final = 1_000
"""Events, or customers who are due, in one step of several lanes. Of more nothing is gained, and
the event loop would be held, and memory taken, for all lanes at once."""


class Sized(Protocol):
    """What a partition has to do."""

    @property
    def size(self) -> int:
        """How many rows it may come to, about."""
        ...


Work = TypeVar("Work", bound=Sized)

_Steps = Callable[[Policy, Sequence[Work], ChangeOver | None], list[Step]]


class _Asked(NamedTuple, Generic[Work]):
    policy: Policy
    work: Work
    answer: asyncio.Future[Step]


class Together(Generic[Work]):
    """Gathers what lanes ask for until the event loop's next turn; of each lane one work at most.

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
            loop.call_soon(self._answer_some)
        asked = _Asked(policy, work, loop.create_future())
        self._asked.append(asked)
        return await asked.answer

    def _answer_some(self) -> None:
        """Step who has waited longest, and who fits beside; the others in the loop's next turn."""
        waiting = [asked for asked in self._asked if not asked.answer.done()]
        together: list[_Asked[Work]] = []
        self._asked, size = [], 0
        for asked in waiting:
            size += asked.work.size
            fits = size <= TOGETHER_MAX and asked.policy == waiting[0].policy
            (together if fits or not together else self._asked).append(asked)
        if self._asked:
            asyncio.get_running_loop().call_soon(self._answer_some)
        if together:
            self._answer(together)

    def _answer(self, together: Sequence[_Asked[Work]]) -> None:
        try:
            outcome = self._outcome([one.work for one in together], together[0].policy)
            if not isinstance(outcome, Exception):
                for one, step in zip(together, outcome, strict=True):
                    one.answer.set_result(step)
            elif len(together) == 1:
                together[0].answer.set_exception(outcome)
            else:
                del outcome  # which holds what was begun for all
                for one in together:
                    self._answer([one])
        finally:
            for one in together:
                if not one.answer.done():  # nobody may wait for ever
                    one.answer.set_exception(RuntimeError("a step ended without an answer"))

    def _outcome(self, works: Sequence[Work], policy: Policy) -> list[Step] | Exception:
        try:
            return self._steps(policy, works, None)
        except Exception as error:  # noqa: BLE001  raised again where it belongs
            return error
