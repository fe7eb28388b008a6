"""What the tests of lanes have in common."""

import asyncio
from typing import Any

import pytest
from aiokafka.structs import TopicPartition

from streams.transport import commits
from streams.transport import lane as lane_module
from streams.transport.changelog import Reached
from streams.transport.settled import HeldBack
from tests.streams.transport.fakes import Broker, FakeTransactions


@pytest.fixture
async def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    """A broker that every lane of the test uses."""
    broker = Broker()

    async def read_changelog(_connection: Any, _topic: str, _number: int, apply: Any) -> Reached:
        await asyncio.sleep(0)
        if broker.changelog:
            apply(broker.changelog, 0)
        mark = len(broker.changelog) - 1
        return Reached(mark, max(broker.changelog_end, mark + 2 if broker.changelog else 0))

    async def hold_settled(_connection: Any, tp: TopicPartition) -> None:
        await asyncio.sleep(0)
        if broker.held_back:
            raise HeldBack(tp, broker.changelog_end - broker.held_back, broker.changelog_end)

    monkeypatch.setattr(commits, "hold_settled", hold_settled)
    monkeypatch.setattr(commits, "Transactions", lambda *_: FakeTransactions(broker))
    monkeypatch.setattr(lane_module, "read_changelog", read_changelog)
    monkeypatch.setattr(lane_module, "BACKOFF_S_MIN", 0.001)
    monkeypatch.setattr(lane_module, "CLOSE_S_MAX", 0.1)
    return broker
