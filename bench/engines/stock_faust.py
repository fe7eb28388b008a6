# ruff: noqa: ANN001, ANN201  (peers' scripts stay as their documentation writes them)
"""The small job on stock Faust.

`python stock_faust.py -L uvloop worker --without-web -l info`
Environment: BENCH_BOOTSTRAP, BENCH_GROUP, BENCH_INPUT, BENCH_OUTPUT, BENCH_PARTITIONS, BENCH_DATA.

What its documentation advises for throughput: uvloop and orjson, the memory store, no web server,
a larger producer batch with a little linger, more records a poll.
"""

import os

import faust
from small_job import NOTHING, score, step

env = os.environ
partitions = int(env["BENCH_PARTITIONS"])

app = faust.App(
    env["BENCH_GROUP"],
    broker=f"kafka://{env['BENCH_BOOTSTRAP']}",
    store="memory://",
    datadir=env["BENCH_DATA"],
    topic_partitions=partitions,
    topic_disable_leader=True,
    table_standby_replicas=0,
    consumer_auto_offset_reset="earliest",
    broker_max_poll_records=2_000,
    producer_linger_ms=5,
    producer_max_batch_size=1 << 20,
    web_enabled=False,
)
purchases = app.topic(env["BENCH_INPUT"], key_type=bytes, key_serializer="raw",
                      value_serializer="json")  # fmt: skip
scores = app.topic(env["BENCH_OUTPUT"], key_type=bytes, key_serializer="raw",
                   value_serializer="json", partitions=partitions)  # fmt: skip
totals = app.Table("totals", partitions=partitions, key_type=bytes)


@app.agent(purchases)
async def total(stream):
    """One event at a time, as Faust's agents go."""
    async for customer, purchase in stream.items():
        new = step(totals.get(customer) or NOTHING, purchase)
        totals[customer] = new
        await scores.send(key=customer, value=score(new))


if __name__ == "__main__":
    app.main()
