"""A lane whose partition cannot be committed to, as without a leader, keeps no other waiting."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from streams.transport import lane as lane_module
from streams.transport import turns as turns_module
from streams.transport.pace import Pace
from streams.transport.turns import Turns
from tests.streams.transport.fakes import IN, Agent, Broker, counted, new_lane, until


async def test_others_pass_while_it_waits_to_commit(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns_module, "ASIDE_S", 0.02)
    broker.turns = Turns(Pace(6))
    broker.publish(IN, 5)
    broker.hold.clear()
    _, (lane, _) = Agent(broker), new_lane(broker)
    lane.start()
    await until(lambda: broker.positions.get(IN) == 5)
    async with asyncio.timeout(2):
        await broker.turns.room()
        async with broker.turns.take(6):
            assert not counted(broker)
    broker.hold.set()
    await until(lambda: counted(broker) == 5)
    await lane.close()


async def test_it_takes_little_until_it_has_committed(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much has come for it: so it holds no place that others need, each time anew."""
    monkeypatch.setattr(lane_module, "FIRST_EVENTS", 2)
    monkeypatch.setattr(lane_module, "GROWTH", 4)
    broker.faults = [KafkaError("no leader"), None, None, KafkaError("no leader"), None]
    broker.publish(IN, 60)
    sizes, deliver = [], broker.deliver

    async def note(batch: Any) -> None:
        sizes.append(len(batch.records[IN.topic]))
        await deliver(batch)

    monkeypatch.setattr(broker, "deliver", note)
    _, (lane, _) = Agent(broker), new_lane(broker)
    lane.start()
    await until(lambda: counted(broker) == 60)
    assert sizes == [2, 2, 8, 32, 2, 8, 32, 8]
    await lane.close()
