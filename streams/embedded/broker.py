"""A broker for the demo, inside this process: librdkafka's mock cluster.

It speaks enough of Kafka's protocol for one worker, publishers and readers, also from other
terminals. It is no Kafka. What differs, each seen with aiokafka 0.14.0 and confluent-kafka 2.14.2,
most held by a test:

- One worker a group. With two, a member whose SyncGroup comes after the leader's is refused.
- Transactions are accepted and acknowledged, but not kept apart: records are visible as they are
  written, also to readers that ask for committed ones, and an abort takes nothing back.
- Offsets sent within a transaction are acknowledged and forgotten. Offsets committed by a group's
  member are kept.
- A transactional id fences nobody.
- No CreateTopics, no ListGroups, no DescribeConfigs, no search by timestamp. A topic appears, with
  four partitions, when a client first asks for its metadata (`create`).
- A partition keeps its last 5 MB; nothing is compacted, nothing expires. The size counts whole
  batches.
- A fetch that finds nothing is answered after the client's `fetch_max_wait_ms`, even when
  something comes in earlier. A fetch brings one batch of a partition, however many there are.
- A group's first join takes three seconds, so sessions must be longer. A later one takes nearly
  the session's length; a static member that comes back, twice that.
- Everything is in memory, and gone at the end.
"""

from collections.abc import Sequence
from typing import Self

from confluent_kafka import KafkaException, Producer

from streams.complaint import Complaint

PARTITIONS = 4  # what the mock cluster gives each topic; Python cannot tell it otherwise
_ANSWER_SECONDS_MAX = 10.0


class EmbeddedBrokerError(Complaint):
    """The embedded broker cannot do what was asked; the message says what it can."""


class EmbeddedBroker:
    """`with EmbeddedBroker() as broker: broker.bootstrap`."""

    def __init__(self) -> None:
        self._cluster: Producer | None = None
        self._bootstrap = ""

    @property
    def bootstrap(self) -> str:
        """What clients on this machine are given as bootstrap servers."""
        assert self._bootstrap, "the broker is not running"
        return self._bootstrap

    def create(self, topics: Sequence[str]) -> None:
        """Makes these topics exist; those that do already are left as they are.

        Args:
            topics: their names.

        Raises:
            EmbeddedBrokerError: a topic did not come to exist with four partitions.
        """
        assert self._cluster is not None, "the broker is not running"
        for topic in topics:
            found = self._cluster.list_topics(topic, timeout=_ANSWER_SECONDS_MAX).topics[topic]
            if found.error is not None or len(found.partitions) != PARTITIONS:
                raise EmbeddedBrokerError(
                    f"The embedded broker made {len(found.partitions)} partitions of {topic}"
                    f" instead of {PARTITIONS}: {found.error}."
                )

    def __enter__(self) -> Self:
        """Starts it.

        Raises:
            EmbeddedBrokerError: it did not answer.
        """
        # The cluster lives in a client's background threads, as long as that client does.
        self._cluster = Producer({"test.mock.num.brokers": 1, "log_level": 0})
        try:
            brokers = self._cluster.list_topics(timeout=_ANSWER_SECONDS_MAX).brokers
        except KafkaException as error:
            self._cluster = None
            raise EmbeddedBrokerError(f"The embedded broker did not start: {error}.") from error
        (broker,) = brokers.values()
        self._bootstrap = f"{broker.host}:{broker.port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._cluster = None
        self._bootstrap = ""
