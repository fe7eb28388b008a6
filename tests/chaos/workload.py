"""What the fault runs publish: a shop's events, and input from hell. Every value is unique."""

import json
import random
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tests.recount.judge import ENGAGEMENTS, KNOWN_TYPES, PURCHASES
from tests.recount.murmur import partition_of

START_MS = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1000)
LONG_AGO_MS = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp() * 1000)
DAY_MS = 86_400_000
SPAN_DAYS = 600
"""All but the late events lie within so many days: less than the retention (730 days), so that
what is late does not depend on how the two topics are interleaved."""

RATES = {"USD": "0.92", "JPY": "0.0061"}
HOT = ("hot-1", "hot-2", "größte", "x" * 256)
_KNOWN = sorted(KNOWN_TYPES)
_REPEATED_WITHIN = 200


class Shot(NamedTuple):
    """One record to publish; `partition` None leaves the choice to the client."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None


class Workload:
    """An endless stream of records.

    Args:
        seed: of all chance.
        partitions: how many the input topics have.
        customers: how many customers there are, beside a few hot ones.
        expected: after so many records the simulated time has passed `SPAN_DAYS`, and stands.
    """

    def __init__(self, seed: int, partitions: int, customers: int, expected: int) -> None:
        self._rng = random.Random(seed)
        self._partitions, self._customers, self._expected = partitions, customers, expected
        self._made = 0
        self._recent: deque[tuple[str, dict[str, Any]]] = deque(maxlen=_REPEATED_WITHIN)
        self._bought: set[str] = set()
        self._rubbish: list[Callable[[dict[str, Any]], bytes | None]] = _rubbish(self._rng)

    def __iter__(self) -> Iterator[Shot]:
        while True:
            yield self._shot()

    def _shot(self) -> Shot:
        self._made += 1
        chance = self._rng.random()
        if chance < 0.03 and self._recent:
            topic, fields = self._rng.choice(self._recent)
            return self._placed(topic, {**fields, "n": self._made})
        topic, fields = self._event()
        if chance < 0.05:
            value = self._rng.choice(self._rubbish)(fields)
            key = None if self._rng.random() < 0.5 else fields["customer_id"].encode()
            return Shot(topic, self._rng.randrange(self._partitions), key, value)
        if chance < 0.052:
            wrong = f"not-{fields['customer_id']}".encode()
            return Shot(topic, None, wrong, _encode(fields))
        self._recent.append((topic, fields))
        return self._placed(topic, fields)

    def _event(self) -> tuple[str, dict[str, Any]]:
        rng = self._rng
        # The first customers come most often, the last ones once or twice.
        customer = f"c-{int(self._customers * rng.random() ** 2)}"
        if rng.random() < 0.1:
            customer = rng.choice(HOT)
        at_ms = START_MS + int(SPAN_DAYS * DAY_MS * min(1.0, self._made / self._expected))
        if rng.random() < 0.1:  # out of order: by seconds, or by up to 20 days
            at_ms -= int(DAY_MS * 20 * rng.random() ** 3)
        fields: dict[str, Any] = {"id": f"{self._made}", "customer_id": customer, "n": self._made}
        if rng.random() < 0.4:
            fields |= {"type": rng.choice(_KNOWN), "occurred_at": self._time(at_ms)}
            if rng.random() < 0.02:
                fields["type"] = f"unknown-{self._made}"
            return ENGAGEMENTS, fields
        if customer in self._bought and rng.random() < 0.004:
            at_ms = LONG_AGO_MS + rng.randrange(DAY_MS)  # late, beyond any doubt
        self._bought.add(customer)
        fields |= {
            "type": "refund" if rng.random() < 0.08 else "purchase",
            "occurred_at": self._time(at_ms),
            "amount_minor": int(rng.lognormvariate(8, 1)),
            "currency": "EUR" if rng.random() < 0.9 else rng.choice(list(RATES)),
        }
        if rng.random() < 0.002:
            fields["note"] = "ä" * rng.randrange(30_000)
        return PURCHASES, fields

    def _time(self, at_ms: int) -> str | int:
        form = self._rng.random()
        if form < 0.3:
            return at_ms
        text = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
        return text if form < 0.6 else text.replace("+00:00", "Z")

    def _placed(self, topic: str, fields: dict[str, Any]) -> Shot:
        key = fields["customer_id"].encode()
        partition: int | None = partition_of(key, self._partitions)
        chance = self._rng.random()
        if chance < 0.02:  # a client whose partitioner is another one
            partition = self._rng.randrange(self._partitions)
        return Shot(topic, partition, None if chance < 0.01 else key, _encode(fields))


def _encode(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode()


def _rubbish(rng: random.Random) -> list[Callable[[dict[str, Any]], bytes | None]]:
    """Ways to spoil an event, each for one reason."""

    def replaced(**values: Any) -> Callable[[dict[str, Any]], bytes]:
        return lambda fields: _encode({**fields, **values})

    def dropped(fields: dict[str, Any]) -> bytes:
        gone = rng.choice(["id", "type", "customer_id", "occurred_at"])
        return _encode({name: value for name, value in fields.items() if name != gone})

    far = int(datetime.now(UTC).timestamp() * 1000) + 10 * DAY_MS
    return [
        lambda _: None,
        lambda _: b"",
        lambda _: b"\xff\xfe\x00",
        lambda _: b"[" * 50_000,
        lambda _: b'"text"',
        lambda fields: _encode(fields)[:-3],
        lambda fields: _encode(fields)[:-1] + b', "x": NaN}',
        lambda fields: _encode({**fields, "note": "x" * rng.choice([66_000, 900_000])}),
        dropped,
        replaced(id=""),
        replaced(id="é" * 200),
        replaced(id=7),
        replaced(customer_id=None),
        replaced(occurred_at=1e12),
        replaced(occurred_at=10**30),
        replaced(occurred_at="2024-01-01 noon"),
        replaced(occurred_at="1999-12-31T00:00:00Z"),
        replaced(occurred_at=far),
        replaced(type=None, amount_minor=4.99),
        replaced(id=[["deep"] * 9] * 9),
    ]
