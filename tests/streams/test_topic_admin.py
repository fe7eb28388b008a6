"""Topics are made as they have to be, and what is wrong with them is said in one sentence."""

import asyncio

import pytest
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams import kafka, topic_admin, topics
from streams.embedded.broker import EmbeddedBroker
from streams.settings import Settings


def test_one_sentence_names_all_topics_with_the_same_problem():
    found = [
        topic_admin.Difference("a", "are missing", "run `clv topics apply`"),
        topic_admin.Difference("b", "are missing", "run `clv topics apply`"),
        topic_admin.Difference("c", "have 3 partitions and must have 4", "set CLV_PARTITIONS=3"),
    ]
    assert topic_admin.sentences(found).splitlines() == [
        "Topics are missing (a, b): run `clv topics apply`.",
        "Topics have 3 partitions and must have 4 (c): set CLV_PARTITIONS=3.",
    ]


@pytest.mark.parametrize("partitions", [1, 4])
@pytest.mark.parametrize(
    ("existing", "remedy"),
    [
        ({"clv.purchases": 8, "clv.scores": 8}, "set CLV_PARTITIONS=8; for more later see 'Add"),
        ({"clv.purchases": 8, "clv.scores": 4}, "see 'Add partitions' in grafana/RUNBOOK.md"),
    ],
    ids=["all have that many", "somebody added partitions to one"],
)
def test_nobody_is_sent_in_circles_or_told_to_delete_what_they_have(existing, remedy, partitions):
    wrong = topic_admin._wrong_counts(topics.every_topic(Settings(partitions=partitions)), existing)
    assert "clv.purchases" in {each.topic for each in wrong}
    assert all(each.remedy.startswith(remedy) for each in wrong)
    assert not any("delete" in each.remedy for each in wrong)


async def test_of_the_demos_broker_one_sentence_is_said():
    with EmbeddedBroker() as broker:
        settings = Settings(kafka_bootstrap=broker.bootstrap)
        broker.create([topic.name for topic in topics.every_topic(settings)])
        for attempt in (topic_admin.verify, topic_admin.apply):
            with pytest.raises(topic_admin.WrongTopics) as refused:
                await attempt(settings)
            assert str(refused.value) == (
                f"{broker.bootstrap} is the demo's embedded broker, which made its topics by "
                "itself: `clv topics` and `clv worker` need a real Kafka."
            )


@pytest.mark.kafka
class TestOnKafka:
    async def test_from_nothing_to_right(self, named_settings):
        wanted = {topic.name for topic in topics.every_topic(named_settings)}
        existing = await self.existing(named_settings)
        if not wanted & existing:  # else another test was first
            with pytest.raises(topic_admin.WrongTopics, match="are missing") as missing:
                await topic_admin.verify(named_settings)
            assert str(missing.value).count("\n") == 0
            created, repaired = await topic_admin.apply(named_settings)
            assert (set(created), repaired) == (wanted, [])
        await topic_admin.verify(named_settings)
        assert await topic_admin.apply(named_settings) == ([], [])

    async def test_a_wrong_partition_count_is_said_and_never_repaired(self, named_settings):
        await topic_admin.apply(named_settings)
        other = named_settings.model_copy(update={"partitions": 8})
        for attempt in (topic_admin.verify, topic_admin.apply):
            with pytest.raises(topic_admin.WrongTopics) as wrong:
                await attempt(other)
            assert "have 4 partitions and must have 8 (clv.purchases, " in str(wrong.value)
            assert "set CLV_PARTITIONS=4" in str(wrong.value)
            assert str(wrong.value).count("\n") == 0

    async def test_too_few_replicas_are_said_and_nothing_is_changed(self, named_settings):
        """Topics of a first try on one broker are no safer for a setting of 3."""
        await topic_admin.apply(named_settings)
        other = named_settings.model_copy(update={"replication_factor": 3})
        for attempt in (topic_admin.verify, topic_admin.apply):
            with pytest.raises(topic_admin.WrongTopics) as wrong:
                await attempt(other)
            assert "have 1 replica and must have 3 (clv.purchases, " in str(wrong.value)
            assert "or set CLV_REPLICATION_FACTOR=1" in str(wrong.value)
        await topic_admin.verify(named_settings)

    async def test_a_wrong_setting_is_repaired_and_others_stay(self, named_settings):
        group = named_settings.model_copy(update={"group": "repair"})
        name = topics.changelog(group)
        async with kafka.admin(group) as admin:
            made = {"cleanup.policy": "delete", "max.message.bytes": "8388608", "retention.ms": "5"}
            await admin.create_topics([NewTopic(name, 4, 1, topic_configs=made)])
        async with asyncio.timeout(30):
            while name not in await self.existing(group):  # Kafka sets no event
                await asyncio.sleep(0.05)
        with pytest.raises(
            topic_admin.WrongTopics, match=r"cleanup\.policy=delete and must have compact"
        ):
            await topic_admin.verify(group)
        _, repaired = await topic_admin.apply(group)
        assert repaired == [name]
        await topic_admin.verify(group)
        configs = await self.configs(group, name)
        assert configs["cleanup.policy"] == "compact"
        assert configs["max.message.bytes"] == "8388608", "more than enough is not repaired"
        assert configs["retention.ms"] == "5"

    async def test_a_refused_topic_is_said(self, named_settings):
        greedy = named_settings.model_copy(update={"group": "greedy", "replication_factor": 2})
        last = topics.every_topic(greedy)[-1]
        with pytest.raises(
            topic_admin.WrongTopics, match="refused to create greedy-state-changelog"
        ):
            async with kafka.admin(greedy) as admin:
                await topic_admin._create(greedy, admin, [last])

    async def test_asking_for_a_topic_does_not_create_it(self, named_settings):
        with pytest.raises(topic_admin.WrongTopics, match=r"are missing \(nowhere\)"):
            await topic_admin.existing_partitions(named_settings, ["nowhere"])
        assert "nowhere" not in await self.existing(named_settings)

    async def existing(self, named_settings):
        async with kafka.admin(named_settings) as admin:
            return set(await admin.list_topics())

    async def configs(self, named_settings, name):
        async with kafka.admin(named_settings) as admin:
            resource = ConfigResource(ConfigResourceType.TOPIC, name)
            (response,) = await admin.describe_configs([resource])
            return {entry[0]: entry[1] for entry in response.resources[0][4]}
