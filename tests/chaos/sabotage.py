"""Workers broken on purpose: a fault run that does not notice them is worth nothing.

`python -m tests.chaos.sabotage NAME` is a worker with one of the mistakes below.
"""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from sinks.record import Output
from sinks.redis_mark import Attempt, Mark
from sinks.sink import Answer
from streams.cli.main import run
from streams.transport import commits
from streams.transport import lane as lanes
from streams.transport.feed import KafkaFeed
from streams.transport.lane import Lane
from streams.transport.transaction import Transactions


def release_before_the_queues_are_cleared() -> None:
    """What was fetched for nobody is not fetched again: FAUST.md, H11 to H13."""

    def rewind(self: KafkaFeed, offsets: Mapping[TopicPartition, int]) -> None:
        """Leave the position where it is."""

    KafkaFeed.rewind = rewind  # type: ignore[method-assign]


def commit_offsets_outside_the_transaction() -> None:
    """As Faust does: offsets by themselves, before what follows from them: FAUST.md, H1."""
    whole = Lane.commit

    async def commit(
        self: Lane, outputs: Iterable[Output], offsets: Mapping[TopicPartition, int], **_: Any
    ) -> Any:
        kafka: Any = self._feed._kafka  # type: ignore[attr-defined]
        await kafka.commit(dict(offsets))
        return await whole(self, outputs, {})

    Lane.commit = commit  # type: ignore[method-assign]
    Transactions.commit = _without_offsets(Transactions.commit)  # type: ignore[method-assign]


def _without_offsets(whole: Callable[..., Any]) -> Callable[..., Any]:
    async def nothing(*_: Any) -> None:
        """No offsets travel in the transaction."""

    async def commit(self: Transactions, outputs: Iterable[Output], *_: Any) -> Any:
        self._producer.send_offsets_to_transaction = nothing
        return await whole(self, outputs, {})

    return commit


def fence_after_the_changelog_is_read() -> None:
    """The last owner can still commit while its successor reads what it left."""
    module: Any = lanes
    opening: Any = commits
    fence, read = Transactions.open, module.read_changelog
    waiting: dict[Any, Transactions] = {}

    async def later(self: Transactions) -> None:
        waiting[asyncio.current_task()] = self

    async def unseen(*_: Any) -> None:
        """A changelog in which the last owner still writes is never shown to its end."""

    async def read_first(*arguments: Any) -> Any:
        reached = await read(*arguments)
        await fence(waiting.pop(asyncio.current_task()))
        return reached

    Transactions.open = later  # type: ignore[method-assign]
    module.read_changelog = read_first
    opening.hold_settled = unseen


def write_redis_unconditionally() -> None:
    """A worker that wakes from a long pause finishes its write."""

    def judge(self: Attempt, stored: Mark, position: int) -> Answer:
        return Answer.WRITTEN

    Attempt.judge = judge  # type: ignore[method-assign]


def ignore_an_aborted_transaction() -> None:
    """What could not be committed counts as if it were: FAUST.md, H3."""
    whole = Transactions.commit
    last: dict[tuple[str, int], int] = {}

    async def commit(self: Transactions, outputs: Iterable[Output], *offsets: Any) -> Any:
        given = list(outputs)
        try:
            last.update(await whole(self, given, *offsets))
        except KafkaError:
            with contextlib.suppress(Exception):
                await self._producer.abort_transaction()
            for output in given:
                target = output.topic, output.partition
                last[target] = last.get(target, -1) + len(output.records) + 1
        return last

    Transactions.commit = commit  # type: ignore[method-assign]


MISTAKES: dict[str, Callable[[], None]] = {
    "release": release_before_the_queues_are_cleared,
    "offsets": commit_offsets_outside_the_transaction,
    "fence": fence_after_the_changelog_is_read,
    "redis": write_redis_unconditionally,
    "aborted": ignore_an_aborted_transaction,
}


if __name__ == "__main__":
    MISTAKES[sys.argv[1]]()
    sys.exit(run(["worker"]))
