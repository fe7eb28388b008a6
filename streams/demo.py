"""CDNOW through a worker: a year and a half of purchases, played in some seconds."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from aiokafka.structs import TopicPartition

from models.times import MS_PER_DAY
from streams import kafka
from streams.csv_rows import Row, read_rows
from streams.datasets import CURRENCY, open_dataset
from streams.reading import read_to_end
from streams.scorekeeper import keepers
from streams.settings import Settings
from streams.topics import CHURN_RISK, INPUTS, PURCHASES, TIER_CHANGES
from streams.transport.app import LaneApp

PLAY_S: Final = 8.0
FRAME_S: Final = 0.2
SETTLE_S_MAX: Final = 120.0
SHIFT_MS: Final = 10_227 * MS_PER_DAY
"""CDNOW is of 1997 and 1998; 28 years later each date falls on the same day of the week."""

Told = Callable[[int, int], None]
"""Called with the time that has been played, in epoch ms, and the purchases published."""


class Played(NamedTuple):
    """What there is to see afterwards."""

    purchases: int
    seconds: float
    tier_changes: list[dict[str, Any]]
    churn_changes: list[dict[str, Any]]


def purchases(customers: int | None) -> list[Row]:
    """CDNOW's purchases, 28 years later, in the order of time; of the first so many customers."""
    with open_dataset("cdnow") as lines:
        rows = [row for row in read_rows(lines, CURRENCY) if isinstance(row, Row)]
    if customers is not None:
        kept = set(list(dict.fromkeys(row.customer_id for row in rows))[:customers])
        rows = [row for row in rows if row.customer_id in kept]
    moved = [row._replace(occurred_at_ms=row.occurred_at_ms + SHIFT_MS) for row in rows]
    return sorted(moved, key=lambda row: row.occurred_at_ms)


async def play(settings: Settings, app: LaneApp, rows: Sequence[Row], told: Told) -> Played:
    """Publish at an even pace of event time, and wait until all has been scored.

    Args:
        settings: of the embedded broker.
        app: the worker's, running in this event loop.
        rows: purchases in the order of time.
        told: for a progress bar.
    """
    begun_s = time.monotonic()
    await _publish(settings, rows, told)
    await _settle(app, rows[-1].occurred_at_ms)
    seconds = time.monotonic() - begun_s
    changes = [await _changes(settings, topic) for topic in (TIER_CHANGES, CHURN_RISK)]
    return Played(len(rows), seconds, *changes)


async def _publish(settings: Settings, rows: Sequence[Row], told: Told) -> None:
    first_ms, last_ms = rows[0].occurred_at_ms, rows[-1].occurred_at_ms
    begun_s, sent = time.monotonic(), 0
    async with kafka.producer(settings, enable_idempotence=False) as producer:
        while sent < len(rows):
            played = min(1.0, (time.monotonic() - begun_s) / PLAY_S)
            until_ms = first_ms + played * (last_ms - first_ms)
            while sent < len(rows) and rows[sent].occurred_at_ms <= until_ms:
                row = rows[sent]
                event = {
                    "id": f"cdnow-{row.line}",
                    "type": "purchase",
                    "customer_id": row.customer_id,
                    "occurred_at": row.occurred_at_ms,
                    "amount_minor": row.amount_minor,
                    "currency": CURRENCY,
                }
                await producer.send(
                    PURCHASES,
                    json.dumps(event).encode(),
                    key=row.customer_id.encode(),
                    timestamp_ms=row.occurred_at_ms,
                )
                sent += 1
            told(int(until_ms), sent)
            await asyncio.sleep(FRAME_S)
        await producer.flush()


async def _settle(app: LaneApp, last_ms: int) -> None:
    """Wait until every partition has applied its input, and its time has come to the end."""
    with suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_S_MAX):
            while not (await _applied(app) and all(k.now_ms >= last_ms for k in keepers(app))):
                await asyncio.sleep(FRAME_S)
    for keeper in keepers(app):
        await keeper.settled()


async def _applied(app: LaneApp) -> bool:
    tps = [TopicPartition(topic, number) for number in app.lanes for topic in INPUTS]
    ends = await app.consumer.feed.ends(tps)
    return all(
        lane.has_applied({tp.topic: ends[tp] for tp in tps if tp.partition == number})
        for number, lane in app.lanes.items()
    )


async def _changes(settings: Settings, topic: str) -> list[dict[str, Any]]:
    found = []
    async for records in read_to_end(settings, topic, settings.partitions):
        found += [json.loads(record.value) for record in records]
    return sorted(found, key=lambda change: str(change["crossed_at"]))
