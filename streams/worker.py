"""Runs a worker: waits for what it needs, works until told to stop, and ends in order."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

from aiokafka.errors import InvalidTimestampError, ProducerFenced

from models.releases import Releases
from models.state import UnknownVersion
from sinks.metrics import Metrics
from sinks.redis import RedisScores
from sinks.sink import Unavailable, Unusable
from streams import clock, kafka, kafka_watch, topic_admin, topics
from streams.app import create_app, create_metrics
from streams.complaint import Complaint
from streams.http import StatusServer
from streams.model_feed import ModelFeed
from streams.readiness import Readiness
from streams.settings import Settings
from streams.transport.app import LaneApp
from streams.transport.changelog import DamagedChangelog, LostChangelog
from streams.transport.consumer import InstanceTakenError
from streams.transport.position import OffsetGapError
from streams.transport.recognition import AnotherLogError

log = logging.getLogger(__name__)

RETRY_S_MAX = 5.0
STOP_S_MAX = 20.0
ABANDON_S_MAX = 3.0


class WorkerFailed(Complaint):
    """What ended the worker, in one sentence."""


async def run(
    settings: Settings,
    *,
    stop: asyncio.Event | None = None,
    embedded: bool = False,
    started: Callable[[LaneApp], None] = lambda _app: None,
) -> None:
    """Work until `stop` is set, or SIGTERM or SIGINT comes where there is none.

    Args:
        settings: of the worker.
        stop: set by whoever embeds the worker.
        embedded: the broker is the demo's, which cannot tell topics' settings.
        started: called with the app once it runs.

    Raises:
        Complaint: the worker could not start, or ended by itself.
    """
    if stop is None:
        stop = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
    policy = settings.policy()
    metrics = create_metrics(policy)
    releases = Releases(policy.params, policy.currency, policy.horizon_days, policy.discount_rate)
    feed = ModelFeed(settings, metrics, releases)
    readiness = Readiness()
    status = StatusServer(settings.metrics_port, metrics.render, readiness.verdict)
    status.start()
    redis = RedisScores(settings.redis_url.get_secret_value(), settings.redis_prefix)
    watching: asyncio.Task[None] | None = None
    following: asyncio.Task[None] | None = None
    try:
        log.info(
            "clv-stream %s, group %s, instance %s: scores by %s, parameters %s",
            version("clv-stream"),
            settings.group,
            settings.instance or "of no name",
            policy.params.model,
            policy.params.version,
        )
        wait_for = Waiting(readiness, stop)
        if not embedded and not await wait_for(
            kafka_watch.NAME, lambda: topic_admin.verify(settings)
        ):
            return
        if not await wait_for(redis.name, redis.open):
            return
        following = asyncio.create_task(feed.run())
        if not await _before(feed.caught_up.wait(), stop, following):
            return
        app = create_app(settings, policy, feed.releases, metrics, redis, readiness)
        following.add_done_callback(lambda task: _watch(app, task))
        readiness.watch(app)
        watching = asyncio.create_task(kafka_watch.watch(settings, readiness))
        watching.add_done_callback(lambda task: _watch(app, task))
        if await _before(app.start(), stop, following):
            started(app)
            await _work(app, settings, metrics, feed.releases, stop)
    finally:
        for task in (watching, following):
            if task is not None:
                task.cancel()
        await redis.close()
        status.close()


class Waiting:
    """Waits for what a worker needs before it can begin."""

    def __init__(self, readiness: Readiness, stop: asyncio.Event) -> None:
        self._readiness, self._stop = readiness, stop

    async def __call__(self, dependency: str, attempt: Callable[[], Awaitable[object]]) -> bool:
        """Try until it succeeds; False where the worker was told to stop meanwhile."""
        wait_s = 0.5
        self._readiness.away(dependency, "has not answered yet")
        while not self._stop.is_set():
            try:
                # A silent server may take longer to answer than we are given to stop.
                if not await _before(attempt(), self._stop):
                    return False
            except Unusable as error:
                raise WorkerFailed(str(error)) from error
            except kafka.KafkaRefused:
                raise
            except (kafka.KafkaAway, Unavailable) as away:
                self._readiness.away(dependency, str(away))
                log.warning("%s (tries again in %.1f s)", away, wait_s)
            else:
                self._readiness.answers(dependency)
                return True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), wait_s)
            wait_s = min(2 * wait_s, RETRY_S_MAX)
        return False


async def _before(
    attempt: Awaitable[object], stop: asyncio.Event, following: asyncio.Task[None] | None = None
) -> bool:
    """Do something that waits for a server; False where the worker was told to stop before."""
    trying = asyncio.ensure_future(attempt)
    stopping: asyncio.Task[Any] = asyncio.create_task(stop.wait())
    ends: set[asyncio.Future[Any]] = {trying, stopping}
    if following is not None:
        ends.add(following)
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if trying.done():
        trying.result()
        return True
    trying.cancel()
    if following is not None and following.done():
        following.result()  # it only ends by an error
    return False


async def _work(
    app: LaneApp, settings: Settings, metrics: Metrics, releases: Releases, stop: asyncio.Event
) -> None:
    ticking = asyncio.create_task(clock.make_ticks(app, settings, metrics, releases))
    ticking.add_done_callback(lambda task: _watch(app, task))
    stopping: asyncio.Task[Any] = asyncio.create_task(stop.wait())
    ends: list[asyncio.Future[Any]] = [stopping, app.failed]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    ticking.cancel()
    if app.failed.done():
        try:
            async with asyncio.timeout(ABANDON_S_MAX):
                await app.consumer.abandon()
        except Exception as error:  # noqa: BLE001  what came first is what is told
            log.debug("while the worker gave up: %r", error)
        raise _complaint(settings, app.failed.result())
    log.info("stopping: finishes the batches in flight")
    try:
        async with asyncio.timeout(STOP_S_MAX):
            in_order = await app.consumer.release()
            await app.stop()
    except TimeoutError:
        raise WorkerFailed(
            f"The worker did not stop within {STOP_S_MAX:.0f} s, and ends where it is: what it had "
            "not committed, the next start does again."
        ) from None
    if app.failed.done():
        raise _complaint(settings, app.failed.result())
    if in_order:
        log.info("stopped: all that was begun is committed")
    else:
        log.warning("stopped: what was not committed in time, the next start does again")


def _watch(app: LaneApp, task: asyncio.Task[None]) -> None:
    """Nothing may end unseen."""
    if not task.cancelled() and (error := task.exception()) is not None:
        app.fail(error)


def _complaint(settings: Settings, error: BaseException) -> Complaint:
    """What ended the worker, in one sentence."""
    match error:
        case Complaint():
            return error
        case Unusable():
            said = str(error)
        case InstanceTakenError():
            said = (
                f"Another worker was started with CLV_INSTANCE={settings.instance}, and has this "
                "one's partitions: give each worker its own."
            )
        case ProducerFenced():
            said = (
                "Another worker took this one's partitions over while it was stalled; it "
                "commits nothing more: start it again."
            )
        case InvalidTimestampError():
            said = (
                "Kafka refuses the time of this worker's records: is this machine's clock wrong? "
                "Nothing of the batch at hand was committed; set the clock, and start again."
            )
        case UnknownVersion():
            said = f"{topics.changelog(settings)}: {error}; nothing was written."
        case OffsetGapError() | AnotherLogError():
            said = f"{error}. Nothing of the batch at hand was committed."
        case LostChangelog():
            said = (
                f"{error}. The states in it are not those that the offsets count on, and nothing "
                "was written: see 'The changelog is gone' in grafana/RUNBOOK.md."
            )
        case DamagedChangelog():
            said = (
                f"{error}; nothing of the batch at hand was committed: "
                f"`clv repair {error.partition} {error.offset}` makes it again from the input, see "
                "'A damaged state' in grafana/RUNBOOK.md."
            )
        case _:
            log.error("the worker met an error that it does not know", exc_info=error)
            said = (
                f"The worker stopped at {type(error).__name__}: {error}; nothing of the batch at "
                "hand was committed, and the next start goes on before it."
            )
    return WorkerFailed(said)
