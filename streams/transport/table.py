"""A Faust table whose partitions are dicts of encoded values, written by their one owner.

Faust's own recovery, standby and changelog code is not used: the lane of a partition number
recovers its partition (changelog.py) and the agent's transaction writes its changelog.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

import faust
from faust.tables.manager import TableManager
from faust.types import TP


class StateTable(faust.Table):
    """`partition(n)` is the part of the table that partition number n owns."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._partitions: dict[int, dict[bytes, bytes]] = {}

    def partition(self, number: int) -> dict[bytes, bytes]:
        """The live part of one partition number: key to encoded value."""
        return self._partitions.setdefault(number, {})

    def drop(self, number: int) -> None:
        """Forget a partition that another worker owns now."""
        self._partitions.pop(number, None)

    def numbers(self) -> Iterator[int]:
        """The partition numbers that are held."""
        return iter(sorted(self._partitions))

    async def on_start(self) -> None:
        """Declare nothing: topics are created by `clv topics apply`, and checked at the start."""

    async def on_rebalance(self, *args: Any, **kwargs: Any) -> None:
        """Partitions come and go with their lanes."""

    def persisted_offset(self, tp: TP) -> int | None:
        """Nothing is persisted outside the changelog."""
        return None


class LaneTableManager(TableManager):
    """Leaves changelogs out of Faust's subscription and recovery."""

    def __init__(self, app: Any, **kwargs: Any) -> None:
        super().__init__(app, **kwargs)
        self.ready = asyncio.Event()

    @property
    def changelog_topics(self) -> set[str]:
        """None that Faust should read."""
        return set()

    async def on_start(self) -> None:
        """Register the tables, so that the subscription can be made."""
        self._tables_finalized.set()
        for table in self.values():
            await table.maybe_start()
        self._tables_registered.set()

    async def on_stop(self) -> None:
        """Stop the tables."""
        for table in self.values():
            await table.stop()

    async def wait_until_recovery_completed(self) -> bool:
        """Whether the app stopped before the first lanes were ready."""
        return bool(await self.wait_for_stopped(self.ready))
