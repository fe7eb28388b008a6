"""Topics in Kafka: verifying that they are as `streams.topics` wants them, and making them so."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from streams import kafka
from streams.complaint import Complaint
from streams.settings import PREFIX, Settings
from streams.topic_ids import NO_ID, TopicsRequest
from streams.topics import INPUTS, MODEL_PARAMS, Topic, every_topic
from streams.transport.recognition import SEE

Described = Mapping[str, Any]  # a topic, in the words of Kafka's answer

_APPLY: Final = "run `clv topics apply`"

_EMBEDDED: Final = "mockCluster"
"""What the id of the demo's cluster begins with; a real Kafka's is random."""

_DYNAMIC_TOPIC_CONFIG: Final = 1
_CREATED_WITHIN_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.05


class WrongTopics(Complaint):
    """Topics are missing, or not as they must be; each line says which, and what to do."""


@dataclass(frozen=True)
class Difference:
    """One thing about one topic that is not as it has to be.

    Attributes:
        topic: its name.
        problem: what is wrong, of several topics.
        remedy: what to do.
    """

    topic: str
    problem: str
    remedy: str


def sentences(differences: Iterable[Difference]) -> str:
    """Say what is wrong: one line for each problem, with all the topics that have it."""
    names: dict[tuple[str, str], list[str]] = {}
    for found in differences:
        names.setdefault((found.problem, found.remedy), []).append(found.topic)
    return "\n".join(
        f"Topics {problem} ({', '.join(topics)}): {remedy}."
        for (problem, remedy), topics in names.items()
    )


async def differences(settings: Settings, client: AIOKafkaAdminClient) -> list[Difference]:
    """Compare Kafka's topics with what they have to be.

    Args:
        settings: what they have to be.
        client: a started admin client.

    Returns:
        What is wrong; empty when all is right.

    Raises:
        WrongTopics: the broker is the demo's.
    """
    await _refuse_embedded(settings, client)
    described = await _described(client)
    partitions = _counts(described)
    wanted = every_topic(settings)
    found = [
        Difference(topic.name, "are missing", _APPLY)
        for topic in wanted
        if topic.name not in partitions
    ]
    found += _beyond_repair(settings, wanted, described)
    found += await _wrong_settings(client, [t for t in wanted if t.name in partitions])
    return found


async def hold_unchanged(
    settings: Settings, client: AIOKafkaAdminClient, ids: dict[str, bytes]
) -> None:
    """Hold that no input was made anew, or has got more partitions, since it was verified.

    Publishers place customers in the new ones, and nobody reads these: those customers would look
    silent. Of a topic that was made anew a lane may go on in the middle, where it did not see that
    it was away.

    Args:
        settings: what inputs have to be.
        client: a started admin client.
        ids: by input, what Kafka knows it by; those that were not known are added.

    Raises:
        WrongTopics: one was, or has.
    """
    # Asked every few seconds, of a cluster that may have thousands of others: by name, therefore.
    response = await client._send_request(TopicsRequest(list(INPUTS)))  # noqa: SLF001
    inputs = response.to_object()["topics"]
    if any(count > settings.partitions for count in _counts(inputs).values()):
        raise WrongTopics(
            sentences(_wrong_counts(every_topic(settings), _counts(await _described(client))))
        )
    for topic in inputs:
        name, told = topic["topic"], topic.get("id", NO_ID)
        if told != NO_ID and ids.setdefault(name, told) != told:
            raise WrongTopics(
                f"{name} was deleted and made anew under this worker, which may have gone on in "
                f"the middle of the new one: {SEE}."
            )


async def verify(settings: Settings) -> None:
    """Hold that all topics are there as they have to be.

    Args:
        settings: what they have to be.

    Raises:
        WrongTopics: with one sentence for each thing that is wrong.
        KafkaAway: Kafka cannot be reached.
    """
    async with kafka.admin(settings) as client:
        wrong = await differences(settings, client)
    if wrong:
        raise WrongTopics(sentences(wrong))


async def existing_partitions(settings: Settings, names: Iterable[str]) -> dict[str, int]:
    """How many partitions topics have, whatever the settings say.

    Raises:
        WrongTopics: one is missing.
        KafkaAway: Kafka cannot be reached.
    """
    async with kafka.admin(settings) as client:
        partitions = _counts(await _described(client))
    missing = [Difference(name, "are missing", _APPLY) for name in names if name not in partitions]
    if missing:
        raise WrongTopics(sentences(missing))
    return {name: partitions[name] for name in names}


async def apply(settings: Settings) -> tuple[list[str], list[str]]:
    """Create the topics that are missing, and repair the settings of the others.

    A wrong number of partitions is not repaired: it would part customers from their states. Nor
    are replicas made: on which brokers is a decision, and copying takes its time.

    Returns:
        Names of the topics that were created, and of those whose settings were repaired.

    Raises:
        WrongTopics: one has a wrong number of partitions or too few replicas, or Kafka refused
            one, or the broker is the demo's.
        KafkaAway: Kafka cannot be reached.
    """
    async with kafka.admin(settings) as client:
        await _refuse_embedded(settings, client)
        described = await _described(client)
        partitions = _counts(described)
        topics = every_topic(settings)
        if wrong := _beyond_repair(settings, topics, described):
            raise WrongTopics(sentences(wrong))
        missing = [topic for topic in topics if topic.name not in partitions]
        await _create(settings, client, missing)
        existing = [topic for topic in topics if topic.name in partitions]
        wrong = await _wrong_settings(client, existing)
        to_repair = {difference.topic for difference in wrong}
        for topic in existing:
            if topic.name in to_repair:
                await _repair(client, topic)
    return [topic.name for topic in missing], sorted(to_repair)


async def _refuse_embedded(settings: Settings, client: AIOKafkaAdminClient) -> None:
    """The demo's broker has its topics, and can neither tell nor change how they are."""
    cluster = await client.describe_cluster()
    if str(cluster["cluster_id"]).startswith(_EMBEDDED):
        raise WrongTopics(
            f"{settings.kafka_bootstrap} is the demo's embedded broker, which made its topics by "
            "itself: `clv topics` and `clv worker` need a real Kafka."
        )


def _beyond_repair(
    settings: Settings, topics: Sequence[Topic], described: Sequence[Described]
) -> list[Difference]:
    """What is not to be mended by a command."""
    counts = _wrong_counts(topics, _counts(described))
    return counts + _too_few_replicas(topics, described, settings.replication_factor)


def _wrong_counts(topics: Iterable[Topic], partitions: Mapping[str, int]) -> list[Difference]:
    topics = [topic for topic in topics if topic.name in partitions]
    parted = "see 'Add partitions' in grafana/RUNBOOK.md"
    counts = {partitions[topic.name] for topic in topics if topic.name != MODEL_PARAMS}
    if len(counts) == 1:  # else no number is right for all
        parted = f"set {PREFIX}PARTITIONS={next(iter(counts))}; for more later {parted}"
    wrong = []
    for topic in topics:
        if (count := partitions[topic.name]) != topic.partitions:
            problem = f"have {count} partitions and must have {topic.partitions}"
            lost = "delete them, with their records, and run `clv topics apply`"
            remedy = lost if topic.name == MODEL_PARAMS else parted
            wrong.append(Difference(topic.name, problem, remedy))
    return wrong


def _too_few_replicas(
    topics: Iterable[Topic], described: Iterable[Described], wanted: int
) -> list[Difference]:
    """Those made before there were so many brokers: one that fails would take them along."""
    replicas = {
        topic["topic"]: min(len(partition["replicas"]) for partition in topic["partitions"])
        for topic in described
    }
    wrong = []
    for topic in topics:
        has = replicas.get(topic.name, wanted)
        if has < wanted:
            remedy = (
                "give them more with `kafka-reassign-partitions.sh`, or set "
                f"{PREFIX}REPLICATION_FACTOR={has}"
            )
            copies = "replica" if has == 1 else "replicas"
            problem = f"have {has} {copies} and must have {wanted}"
            wrong.append(Difference(topic.name, problem, remedy))
    return wrong


async def _described(client: AIOKafkaAdminClient) -> list[Described]:
    # All topics: asking for one by name makes brokers create it where they may.
    described: list[Described] = await client.describe_topics()
    return described


def _counts(described: Iterable[Described]) -> dict[str, int]:
    return {topic["topic"]: len(topic["partitions"]) for topic in described}


async def _configs(client: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, Any]]:
    """Each topic's settings by name, as (value, whether it was set on the topic itself)."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    configs: dict[str, dict[str, Any]] = {}
    for response in await client.describe_configs(resources) if resources else []:
        for code, message, _, name, entries in response.resources:
            if code:
                raise WrongTopics(f"Kafka does not tell the settings of {name}: {message}.")
            configs[name] = {entry[0]: entry for entry in entries}
    return configs


async def _wrong_settings(client: AIOKafkaAdminClient, topics: list[Topic]) -> list[Difference]:
    configs = await _configs(client, [topic.name for topic in topics])
    return [
        Difference(
            topic.name,
            f"have {setting}={entry[1]} and must have {value}",
            _APPLY,
        )
        for topic in topics
        for setting, value in topic.required.items()
        if not _serves(setting, (entry := configs[topic.name][setting])[1], value)
    ]


def _serves(setting: str, has: str, must: str) -> bool:
    if setting == "max.message.bytes":
        return int(has) >= int(must)
    return has == must


async def _repair(client: AIOKafkaAdminClient, topic: Topic) -> None:
    # The request replaces all of a topic's own settings: those that others made must go along.
    configs = await _configs(client, [topic.name])
    has = configs[topic.name]
    own = {name: entry[1] for name, entry in has.items() if entry[3] == _DYNAMIC_TOPIC_CONFIG}
    wrong = {
        name: value
        for name, value in topic.required.items()
        if not _serves(name, has[name][1], value)
    }
    resource = ConfigResource(ConfigResourceType.TOPIC, topic.name, {**own, **wrong})
    for response in await client.alter_configs([resource]):
        for code, message, *_ in response.resources:
            if code:
                raise WrongTopics(f"Kafka refused the settings of {topic.name}: {message}.")


async def _create(settings: Settings, client: AIOKafkaAdminClient, topics: list[Topic]) -> None:
    if not topics:
        return
    response = await client.create_topics(
        [
            NewTopic(
                topic.name,
                topic.partitions,
                settings.replication_factor,
                topic_configs={**topic.initial, **topic.required},
            )
            for topic in topics
        ]
    )
    refused = [
        f"Kafka refused to create {name}: {(message or for_code(code).__name__).rstrip('.')}."
        for name, code, message, *_ in response.topic_errors
        if code and for_code(code) is not TopicAlreadyExistsError
    ]
    if refused:
        raise WrongTopics("\n".join(refused))
    # A broker knows a new topic a moment later than the controller that made it.
    names = {topic.name for topic in topics}
    deadline = time.monotonic() + _CREATED_WITHIN_SECONDS
    while not names <= _counts(await _described(client)).keys():
        if time.monotonic() > deadline:
            raise WrongTopics(f"Kafka does not show the new topics ({', '.join(sorted(names))}).")
        await asyncio.sleep(_POLL_SECONDS)
