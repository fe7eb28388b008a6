"""What came out: the output topics and Redis, as plain records."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import redis

from tests.recount import log
from tests.recount.facts import Input, Recount
from tests.recount.judge import ENGAGEMENTS, PURCHASES, Rules

SCORES, TIER_CHANGES, CHURN_RISK = "clv.scores", "clv.tier-changes", "clv.churn-risk"
DEAD_LETTERS = "clv.dead-letters"
OUTPUTS = (SCORES, TIER_CHANGES, CHURN_RISK, DEAD_LETTERS)
_KEYS_A_CALL = 5_000


class Output(NamedTuple):
    """One record of an output topic."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def recount_topics(bootstrap: str, rules: Rules) -> Recount:
    """The recount of the input as it stands in Kafka."""
    counted = Recount(rules)
    topics = dict.fromkeys((PURCHASES, ENGAGEMENTS), rules.partitions)
    for chunk in log.read(bootstrap, topics):
        counted.add(
            Input(m.topic(), m.partition(), m.offset(), m.timestamp()[1], m.key(), m.value())
            for m in chunk
        )
    return counted


def read_outputs(bootstrap: str, partitions: int) -> dict[str, list[Output]]:
    """All that subscribers see, by topic; each partition in its order."""
    outputs: dict[str, list[Output]] = {topic: [] for topic in OUTPUTS}
    for chunk in log.read(bootstrap, dict.fromkeys(OUTPUTS, partitions)):
        for m in chunk:
            outputs[m.topic()].append(
                Output(m.partition(), m.offset(), m.key(), m.value(), m.headers() or [])
            )
    return outputs


class Served(NamedTuple):
    """What Redis serves.

    Attributes:
        scores: JSON by customer id.
        ranks: the sorted sets `total` and `risk`, by name: value by customer id.
    """

    scores: dict[str, bytes]
    ranks: dict[str, dict[str, float]]


def read_redis(url: str, prefix: str = "clv:") -> Served:
    """Everything in Redis under the prefix."""
    client: Any = redis.Redis.from_url(url, socket_timeout=30)
    with client:
        start = f"{prefix}score:".encode()
        keys = list(client.scan_iter(match=start + b"*", count=_KEYS_A_CALL))
        scores = {}
        for at in range(0, len(keys), _KEYS_A_CALL):
            some = keys[at : at + _KEYS_A_CALL]
            for key, value in zip(some, client.mget(some), strict=True):
                if value is not None:
                    scores[key[len(start) :].decode()] = value
        ranks = {
            name: {
                member.decode(): value
                for member, value in client.zrange(f"{prefix}rank:{name}", 0, -1, withscores=True)
            }
            for name in ("total", "risk")
        }
    return Served(scores, ranks)


def last_values(scores: list[Output]) -> Mapping[str, bytes]:
    """The newest score of each customer, as a compacted topic has it."""
    newest: dict[str, bytes] = {}
    for record in scores:
        customer = (record.key or b"").decode()
        if record.value is None:
            newest.pop(customer, None)
        else:
            newest[customer] = record.value
    return newest
