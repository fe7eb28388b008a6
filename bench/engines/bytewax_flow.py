# ruff: noqa: ANN001, ANN201  (peers' scripts stay as their documentation writes them)
"""The small job on Bytewax: `python -m bytewax.run bytewax_flow:flow -r DIRECTORY -s SECONDS`.

Environment: BENCH_BOOTSTRAP, BENCH_INPUT, BENCH_OUTPUT.

What its documentation advises for throughput: the source's batch size of 1,000, its default,
"a suitable starting point for higher throughput"; snapshots to SQLite once an epoch.
"""

import os

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSinkMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from small_job import NOTHING, score, step

env = os.environ
brokers = [env["BENCH_BOOTSTRAP"]]


def keyed(message):
    """(customer, purchase); Bytewax wants text for a key."""
    return message.key.decode(), orjson.loads(message.value)


def total(state, purchase):
    """One event at a time."""
    new = step(state or NOTHING, purchase)
    return new, score(new)


def record(scored):
    """What goes to Kafka."""
    return KafkaSinkMessage(scored[0].encode(), orjson.dumps(scored[1]))


flow = Dataflow("small_job")
source = kop.input("purchases", flow, brokers=brokers, topics=[env["BENCH_INPUT"]])
purchases = op.map("decode", source.oks, keyed)
scores = op.stateful_map("total", purchases, total)
kop.output("scores", op.map("encode", scores, record), brokers=brokers, topic=env["BENCH_OUTPUT"])
