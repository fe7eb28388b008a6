# ruff: noqa: ANN001, ANN201  (peers' scripts stay as their documentation writes them)
"""The small job on Quix Streams: state in RocksDB with a changelog topic, at least once.

Environment: BENCH_BOOTSTRAP, BENCH_GROUP, BENCH_INPUT, BENCH_OUTPUT, BENCH_DATA, BENCH_COMMIT_S.

What its documentation advises for throughput: the default commit interval of five seconds or
longer (a checkpoint's cost is mostly fixed), librdkafka's producer with linger and large batches.
"""

import os

from quixstreams import Application
from small_job import NOTHING, score, step

env = os.environ

app = Application(
    broker_address=env["BENCH_BOOTSTRAP"],
    consumer_group=env["BENCH_GROUP"],
    auto_offset_reset="earliest",
    state_dir=env["BENCH_DATA"],
    commit_interval=float(env["BENCH_COMMIT_S"]),
    producer_extra_config={"linger.ms": int(env["BENCH_LINGER_MS"]), "batch.size": 1 << 20},
    loglevel="WARNING",
)


def total(purchase, state):
    """One event at a time."""
    new = step(state.get("totals") or NOTHING, purchase)
    state.set("totals", new)
    return score(new)


if __name__ == "__main__":
    source = app.topic(env["BENCH_INPUT"], value_deserializer="json", key_deserializer="bytes")
    target = app.topic(env["BENCH_OUTPUT"], value_serializer="json", key_serializer="bytes")
    app.dataframe(source).apply(total, stateful=True).to_topic(target)
    app.run()
