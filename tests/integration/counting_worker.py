"""A worker that only counts, to test the transport without what it carries.

`python -m tests.integration.counting_worker BOOTSTRAP GROUP PARTITIONS [RECORDS_MAX]`
Reads `GROUP-in` and `GROUP-more`; keeps, per key, how many records came and the sum of their
values; publishes the state of each touched key to `GROUP-out`.
"""

import asyncio
import logging
import os
import signal
import sys
from typing import Any

from sinks.record import Output, Record
from streams.transport.app import LaneApp
from streams.transport.lane import Lane
from streams.transport.received import Seen
from streams.transport.roles import LaneSettings


class Counts:
    """What is kept beside a lane."""

    def __init__(self, lane: Lane, table: dict[bytes, bytes]) -> None:
        self.lane, self.table = lane, table

    async def prepare(self) -> None:
        pass

    def is_due(self) -> bool:
        return False

    def offsets(self) -> dict[str, int]:
        return {}

    def newest(self) -> dict[str, Seen]:
        return {}

    def restore(self, records: list[Any], remaining: int) -> None:
        self.table.update((record.key, record.value) for record in records)

    async def begin(self, mark: int) -> None:
        print(f"READY {self.lane.number} {len(self.table)} {mark}", flush=True)

    async def end(self) -> None:
        pass


def create(bootstrap: str, group: str, partitions: int, records_max: int) -> LaneApp:
    settings = LaneSettings(
        group=group,
        inputs=(f"{group}-in", f"{group}-more"),
        aligned=(f"{group}-in", f"{group}-more"),
        changelog=f"{group}-state-changelog",
        connection={"bootstrap_servers": bootstrap},
        records_max=records_max,
    )
    app = LaneApp(settings, Counts, partitions=partitions, instance=os.environ.get("INSTANCE"))
    table = app.Table("state", partitions=partitions)

    @app.agent(app.inputs(), concurrency=partitions)
    async def count(batches: Any) -> None:
        async for batch in batches:
            async with batch:
                number = batch.lane.number
                current, touched = table.partition(number), {}
                for records in batch.records.values():
                    for record in records:
                        old = touched.get(record.key) or current.get(record.key) or b"0 0"
                        n, total = map(int, old.split())
                        touched[record.key] = b"%d %d" % (n + 1, total + int(record.value))
                changed = [Record(key, value) for key, value in touched.items()]
                await batch.commit(
                    Output(topic, number, changed) for topic in (f"{group}-out", settings.changelog)
                )
                current.update(touched)

    return app


async def main() -> int:
    bootstrap, group, partitions, *rest = sys.argv[1:]
    app = create(bootstrap, group, int(partitions), int(rest[0]) if rest else 10_000)
    loop = asyncio.get_running_loop()
    stop = loop.create_future()
    loop.add_signal_handler(signal.SIGTERM, stop.set_result, None)
    await app.start()
    await asyncio.wait({stop, app.failed}, return_when=asyncio.FIRST_COMPLETED)
    if app.failed.done():
        logging.getLogger(__name__).error("failed", exc_info=app.failed.result())
        os._exit(1)
    await app.consumer.release()
    await app.stop()
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    sys.exit(asyncio.run(main()))
