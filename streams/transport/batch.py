"""What an agent gets: all that has come for one partition number since its last batch."""

import asyncio
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from aiokafka.structs import TopicPartition

from sinks.record import Output
from streams.transport.received import Received, Seen

if TYPE_CHECKING:
    from streams.transport.lane import Lane


class Batch:
    """Records of one partition number by topic, and the one transaction that ends them.

    The agent works inside `async with batch:`. What it raises there goes to the lane, which
    repeats the batch where that can help and otherwise ends the worker; Faust never sees it, as
    Faust would acknowledge the message and go on.
    """

    __slots__ = ("_committed", "_done", "lane", "newest", "offsets", "records")

    def __init__(self, lane: "Lane", records: Mapping[TopicPartition, list[Any]]) -> None:
        self.lane = lane
        self.records: dict[str, list[Received]] = {
            tp.topic: list(chunk) for tp, chunk in records.items()
        }
        self.newest = {
            tp: Seen(chunk[-1].offset, chunk[-1].timestamp) for tp, chunk in records.items()
        }
        self.offsets = {tp: seen.offset + 1 for tp, seen in self.newest.items()}
        self._committed = False
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def commit(
        self, outputs: Iterable[Output], *, hold_offsets: bool = False
    ) -> dict[tuple[str, int], int]:
        """Publish outputs and the batch's offsets together; the last offset of each output.

        `hold_offsets`: whether the outputs hold the offsets for the changelog (see `Lane.commit`).

        Raises:
            CancelledError: the lane has given the batch up.
        """
        if self._done.done():
            raise asyncio.CancelledError
        last = await self.lane.commit(outputs, self.offsets, hold_offsets=hold_offsets)
        self._committed = True
        return last

    async def finished(self) -> None:
        """Wait for the agent; raises what it raised."""
        await self._done

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        stopped = isinstance(error, asyncio.CancelledError)
        current = asyncio.current_task()
        agent_stops = stopped and current is not None and current.cancelling() > 0
        if not self._done.done():
            if error is None:
                if not self._committed:
                    self.lane.passed(self.offsets)
                self.records = {}  # Faust remembers the batch until the next one comes
                self._done.set_result(None)
            elif agent_stops:
                self._done.set_exception(RuntimeError("the agent was stopped within a batch"))
            elif stopped:  # the lane has given the batch up, and nobody waits for it
                self._done.cancel()
            else:
                self._done.set_exception(error)
        return not agent_stops
