"""The small job on our transport: an ordinary agent and table, one transaction a batch.

Environment: BENCH_BOOTSTRAP, BENCH_GROUP, BENCH_INPUT, BENCH_OUTPUT, BENCH_PARTITIONS.
"""

import asyncio
import os
import signal
import struct
import sys
from collections.abc import AsyncIterable
from typing import Any, cast

import msgspec

from bench.engines.small_job import ALPHA_DAYS, HORIZON_DAYS, MS_PER_DAY, NOTHING, R
from sinks.record import Output, Record
from streams import logs
from streams.transport.app import LaneApp
from streams.transport.batch import Batch
from streams.transport.lane import Lane
from streams.transport.received import Seen
from streams.transport.roles import LaneSettings

RECORDS_MAX = 50_000  # as our worker has by default
TOTALS = struct.Struct("<5q")
Totals = tuple[int, int, int, int, int]


class Purchase(msgspec.Struct, gc=False):
    """What the job reads of an event; msgspec checks it and skips the rest."""

    occurred_at: int
    amount_minor: int


class Score(msgspec.Struct, gc=False):
    """What the job publishes of a customer."""

    orders: int
    first_at: int
    last_at: int
    spend_minor: int
    largest_minor: int
    clv: float


read = msgspec.json.Decoder(Purchase).decode
write = msgspec.json.Encoder().encode


class Restored:
    """What is kept beside a lane: nothing but its part of the table."""

    def __init__(self, lane: Lane, table: dict[bytes, bytes]) -> None:  # noqa: ARG002
        self._table = table

    async def prepare(self) -> None:
        """Nothing to do before."""

    def restore(self, records: list[Any], remaining: int) -> None:  # noqa: ARG002
        """Take changelog records as they are."""
        self._table.update((record.key, record.value) for record in records)

    def offsets(self) -> dict[str, int]:
        """The group's committed offsets are believed."""
        return {}

    def newest(self) -> dict[str, Seen]:
        """Not kept: inputs of a benchmark are not made anew."""
        return {}

    async def begin(self, mark: int) -> None:
        """Nothing to rebuild."""

    def is_due(self) -> bool:
        """No silence, no batches without records."""
        return False

    async def end(self) -> None:
        """Nothing to finish."""


def step(table: dict[bytes, bytes], records: list[Any]) -> dict[bytes, Totals]:
    """The aggregates of each customer that the records touch, on copies."""
    touched: dict[bytes, Totals] = {}
    for record in records:
        key, purchase = record.key, read(record.value)
        old = touched.get(key)
        if old is None:
            stored = table.get(key)
            old = NOTHING if stored is None else cast("Totals", TOTALS.unpack(stored))
        orders, first_at, last_at, spend, largest = old
        at, amount = purchase.occurred_at, purchase.amount_minor
        touched[key] = (
            orders + 1,
            min(at, first_at),
            max(at, last_at),
            spend + amount,
            max(amount, largest),
        )
    return touched


def score(totals: Totals) -> bytes:
    """The formula, and what is published."""
    orders, first_at, last_at, spend, largest = totals
    age_days = (last_at - first_at) / MS_PER_DAY + 1.0
    rate = (R + orders) / (ALPHA_DAYS + age_days)
    clv = rate * HORIZON_DAYS * spend / orders
    return write(Score(orders, first_at, last_at, spend, largest, clv))


def create(env: dict[str, str]) -> LaneApp:
    """The app, from the environment."""
    partitions, group = int(env["BENCH_PARTITIONS"]), env["BENCH_GROUP"]
    settings = LaneSettings(
        group=group,
        inputs=(env["BENCH_INPUT"],),
        aligned=(env["BENCH_INPUT"],),
        changelog=f"{group}-changelog",
        connection={"bootstrap_servers": env["BENCH_BOOTSTRAP"]},
        records_max=RECORDS_MAX,
    )
    app = LaneApp(settings, Restored, partitions=partitions, instance=None)
    table = app.Table("totals", partitions=partitions)

    @app.agent(app.inputs(), concurrency=partitions)  # type: ignore[untyped-decorator]
    async def total(batches: AsyncIterable[Batch]) -> None:
        async for batch in batches:
            async with batch:
                number = batch.lane.number
                current = table.partition(number)
                touched = step(current, batch.records[env["BENCH_INPUT"]])
                states = {key: TOTALS.pack(*totals) for key, totals in touched.items()}
                scores = [Record(key, score(totals)) for key, totals in touched.items()]
                changes = [Record(key, state) for key, state in states.items()]
                await batch.commit(
                    [
                        Output(env["BENCH_OUTPUT"], number, scores),
                        Output(settings.changelog, number, changes),
                    ]
                )
                current.update(states)

    return app


async def main() -> int:
    """Works until SIGTERM."""
    app = create(dict(os.environ))
    stop: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set_result, None)
    await app.start()
    ends: list[asyncio.Future[Any]] = [stop, app.failed]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    if app.failed.done():
        raise app.failed.result()
    await app.consumer.release()
    await app.stop()
    return 0


if __name__ == "__main__":
    logs.set_up("text")
    sys.exit(asyncio.run(main()))
