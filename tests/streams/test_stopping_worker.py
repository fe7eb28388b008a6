"""A worker that could not end in order says so, and its status does."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError

from streams import worker
from streams.complaint import Complaint
from streams.readiness import Readiness


async def _end(
    monkeypatch: pytest.MonkeyPatch,
    release: Callable[[Any], Awaitable[bool]],
    before: Callable[[Any], None] = lambda _app: None,
) -> None:
    """Tell a worker to stop whose lanes let go as they do here."""

    async def ticks(*_: Any) -> None:
        await asyncio.sleep(3600)

    async def stop_app() -> None:
        pass

    monkeypatch.setattr(worker.clock, "make_ticks", ticks)
    failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
    app: Any = SimpleNamespace(failed=failed, stop=stop_app)
    app.consumer = SimpleNamespace(release=lambda: release(app))
    before(app)
    stop = asyncio.Event()
    stop.set()
    nothing: Any = None
    await worker._work(app, nothing, nothing, nothing, stop)


@pytest.mark.parametrize(
    ("in_order", "says"),
    [
        (True, "stopped: all that was begun is committed"),
        (False, "stopped: what was not committed in time, the next start does again"),
    ],
)
async def test_what_became_of_the_batches_in_flight_is_told(
    in_order: bool, says: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def release(_app: Any) -> bool:
        return in_order

    await _end(monkeypatch, release)
    assert caplog.messages[-1] == says


async def test_what_fails_while_it_stops_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def release(app: Any) -> bool:
        app.failed.set_result(MessageSizeTooLargeError("of the batch in flight"))
        return True

    with pytest.raises(Complaint, match="MessageSizeTooLargeError"):
        await _end(monkeypatch, release)
    assert not any(message.startswith("stopped") for message in caplog.messages)


async def test_what_fails_while_it_gives_up_does_not_hide_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def release(_app: Any) -> bool:
        return True

    async def abandon() -> None:
        raise KafkaConnectionError("while the consumer stopped")

    def fails(app: Any) -> None:
        app.consumer.abandon = abandon
        app.failed.set_result(MessageSizeTooLargeError("what ended it"))

    with pytest.raises(Complaint, match="MessageSizeTooLargeError"):
        await _end(monkeypatch, release, fails)


async def test_what_does_not_end_in_time_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "STOP_S_MAX", 0.02)

    async def release(_app: Any) -> bool:
        await asyncio.sleep(3600)
        return True

    with pytest.raises(Complaint, match="did not stop within"):
        await _end(monkeypatch, release)


async def test_who_waits_for_a_silent_server_stops_at_once() -> None:
    """An attempt may take longer than the time that a worker is given to end in order."""
    readiness, stop = Readiness(), asyncio.Event()
    asked = asyncio.Event()

    async def silence() -> None:
        asked.set()
        await asyncio.sleep(3600)

    waiting = asyncio.create_task(worker.Waiting(readiness, stop)("kafka", silence))
    await asked.wait()
    assert readiness.verdict()[1][0] == "kafka: has not answered yet"
    stop.set()
    async with asyncio.timeout(5):
        assert await waiting is False
