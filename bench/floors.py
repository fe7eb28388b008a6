"""The least that the steps of a batch could cost: only what a C library does for them.

Each is the cost of the one call that cannot be left out (parse this JSON, write that record), on
what our worker really reads and writes, without any Python around it, at its best of several.
"""

import time
from collections.abc import Callable, Sequence
from math import inf
from typing import Any, Final

import hiredis
import msgspec
import numpy as np
import orjson
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from bench.purchases import CURRENCY, backlog
from models import gamma_gamma
from models.events import Decoder
from models.parameters import CDNOW
from models.policy import Policy
from models.purchases import model_for
from models.state import decode, encode
from models.step import step
from sinks.topics import OutputTopics

EVENTS: Final = 10_000
CUSTOMERS: Final = 12_500
KNOWN_EVENTS: Final = 100_000
END_MS: Final = 1_772_357_400_000
REPEATS: Final = 7
BATCH_BYTES: Final = 1 << 20


class Purchase(msgspec.Struct, gc=False):
    """The contract's required fields."""

    id: str
    type: str
    customer_id: str
    occurred_at: int
    amount_minor: int
    currency: str


def floors() -> dict[str, float]:
    """CPU microseconds an event, by the titles of `bench.profiling.STEPS`."""
    policy, decoder = Policy(currency=CURRENCY), Decoder(CURRENCY, {}, 3_600_000)
    lines = backlog(KNOWN_EVENTS + EVENTS, CUSTOMERS, END_MS, seed=7).lines()
    table: dict[bytes, bytes] = {}
    for at in range(0, KNOWN_EVENTS + EVENTS, EVENTS):
        records = lines[at : at + EVENTS]
        events = [(decoder.purchase(value, key, END_MS), END_MS) for key, value in records]
        result = step(policy, table.get, events, 0)
        table.update(result.states)
    values = [value for _, value in lines[-EVENTS:]]
    stored = list(result.states.values())
    documents = [orjson.loads(score) for _, score in result.scores]
    states = [decode(state) for state in stored]
    read = msgspec.json.Decoder(Purchase).decode
    writes = [
        *[("SET", b"clv:score:" + customer, score) for customer, score in result.scores],
        *[("ZADD", b"clv:rank:total", total, customer) for customer, total, _ in result.ranks],
        *[("ZADD", b"clv:rank:risk", risk, customer) for customer, _, risk in result.ranks],
    ]
    outputs = [*OutputTopics().of(result, 0)[0].records]
    return {
        "decode events": _each(read, values),
        "apply: decode states": _each(decode, stored),
        "store: encode states": _each(encode, states),
        "value: model (numpy)": _cost(_model),
        "publish: scores to JSON": _each(orjson.dumps, documents),
        "send: records into batches": _cost(
            lambda: _build([(r.key, r.value, r.headers) for r in outputs])
        )
        + _cost(lambda: _build([(key, state, []) for key, state in result.states.items()])),
        "Redis: commands and replies": _each(hiredis.pack_command, writes),
    }


def _model() -> None:
    """Model and order value of as many rows as events, unchecked."""
    rng = np.random.default_rng(1)
    frequency = rng.integers(0, 20, EVENTS).astype(np.float64)
    age = rng.uniform(1, 540, EVENTS)
    recency = age * rng.random(EVENTS)
    model_for(CDNOW).p_alive(CDNOW, frequency, recency, age)
    model_for(CDNOW).p_active(CDNOW, frequency, recency, age, 365.0)
    model_for(CDNOW).expected_purchases(CDNOW, frequency, recency, age, 365.0)
    gamma_gamma.expected_order_value(CDNOW, frequency, np.full(EVENTS, 4000.0))


def _build(records: Sequence[tuple[Any, Any, Sequence[tuple[str, bytes]]]]) -> None:
    """Records into batches of a megabyte."""

    def new() -> DefaultRecordBatchBuilder:
        return DefaultRecordBatchBuilder(
            magic=2, compression_type=0, is_transactional=1, producer_id=1, producer_epoch=1,
            base_sequence=1, batch_size=BATCH_BYTES,
        )  # fmt: skip

    builder, number = new(), 0
    for key, value, headers in records:
        if builder.append(number, END_MS, key, value, list(headers)) is None:
            builder.build()
            builder, number = new(), 0
            builder.append(number, END_MS, key, value, list(headers))
        number += 1
    builder.build()


def _each(call: Callable[[Any], object], items: Sequence[Any]) -> float:
    """Microseconds an event of calling something on each item."""

    def every() -> None:
        for item in items:
            call(item)

    return _cost(every)


def _cost(call: Callable[[], object]) -> float:
    best = inf
    for _ in range(REPEATS):
        begun = time.process_time()
        call()
        best = min(best, time.process_time() - begun)
    return best / EVENTS * 1e6


if __name__ == "__main__":
    for title, cost_us in floors().items():
        print(f"{title:40s} {cost_us:6.2f} us")
