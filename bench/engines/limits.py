"""What no engine on these libraries can beat: reading and doing nothing, or decoding alone.

`python -m bench.engines.limits read|decode`; environment: BENCH_BOOTSTRAP, BENCH_INPUT,
BENCH_PARTITIONS, BENCH_EVENTS. Prints events, seconds and CPU seconds as JSON.
"""

import asyncio
import json
import os
import sys
import time

import orjson
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

DECODED_MAX = 200_000


async def read(events: int, *, keep: int) -> list[bytes]:
    """Take so many records from all partitions; the values of the first `keep`."""
    topic = os.environ["BENCH_INPUT"]
    kept: list[bytes] = []
    consumer = AIOKafkaConsumer(
        bootstrap_servers=os.environ["BENCH_BOOTSTRAP"],
        isolation_level="read_committed",
        max_partition_fetch_bytes=4 << 20,
    )
    await consumer.start()
    try:
        consumer.assign(
            [TopicPartition(topic, n) for n in range(int(os.environ["BENCH_PARTITIONS"]))]
        )
        await consumer.seek_to_beginning()
        seen = 0
        while seen < events:
            for records in (await consumer.getmany(timeout_ms=100, max_records=10_000)).values():
                seen += len(records)
                if len(kept) < keep:
                    kept += [record.value for record in records]
    finally:
        await consumer.stop()
    return kept[:keep]


def main() -> None:
    """Measures one of the two."""
    events = int(os.environ["BENCH_EVENTS"])
    if sys.argv[1] == "read":
        begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
        asyncio.run(read(events, keep=0))
    else:
        events = min(events, DECODED_MAX)
        values = asyncio.run(read(events, keep=events))
        begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
        for value in values:
            orjson.loads(value)
    seconds, cpu_s = time.perf_counter() - begun_s, time.process_time() - begun_cpu_s
    print(json.dumps({"events": events, "seconds": seconds, "cpu_s": cpu_s}))


if __name__ == "__main__":
    main()
