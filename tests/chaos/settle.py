"""Whether everything that was published has been worked off, and Redis has followed."""

from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition
from redis import RedisError

from tests.recount import log
from tests.recount.judge import ENGAGEMENTS, PURCHASES
from tests.recount.outputs import SCORES, Output, last_values, read_outputs, read_redis


def lag(bootstrap: str, group: str, partitions: int) -> int:
    """Input records behind the group's committed offsets.

    Counted by reading them: a log's end may be a marker that is never delivered.
    """
    places = [(topic, n) for topic in (PURCHASES, ENGAGEMENTS) for n in range(partitions)]
    consumer: Any = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "log_level": 3})
    try:
        answers = consumer.committed([TopicPartition(*place) for place in places], timeout=10)
    finally:
        consumer.close()
    starts = {(a.topic, a.partition): max(0, a.offset) for a in answers}
    topics = dict.fromkeys((PURCHASES, ENGAGEMENTS), partitions)
    return sum(len(chunk) for chunk in log.read(bootstrap, topics, starts))


def unsettled(bootstrap: str, group: str, partitions: int, redis_url: str) -> str | None:
    """What is not yet as it will be, in a few words; None where all is."""
    try:
        behind = lag(bootstrap, group, partitions)
        if behind:
            return f"{behind:,} records are not processed"
        scores: list[Output] = read_outputs(bootstrap, partitions)[SCORES]
        served = read_redis(redis_url).scores
    except (KafkaException, RedisError, TimeoutError, RuntimeError) as error:
        return f"{type(error).__name__}: {error}"
    newest = last_values(scores)
    different = sum(served.get(name) != value for name, value in newest.items())
    different += len(served.keys() - newest.keys())
    return f"{different:,} scores differ in Redis" if different else None
