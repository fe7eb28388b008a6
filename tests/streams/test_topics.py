"""Topics are made as they have to be, and what is wrong with them is said in one sentence."""

import asyncio

import pytest
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams import kafka, topics
from streams.settings import Settings


def settings(**values):
    return Settings(**values)


def test_every_topic_of_the_design_is_there():
    # Source: DESIGN.md, Topics; the changelog: `<group>-state-changelog`.
    names = {topic.name for topic in topics.every_topic(settings(group="shop"))}
    assert names == {
        "clv.purchases",
        "clv.engagements",
        "clv.clock",
        "clv.model-params",
        "clv.scores",
        "clv.tier-changes",
        "clv.churn-risk",
        "clv.dead-letters",
        "shop-state-changelog",
    }


def test_topics_with_a_customer_key_have_equal_partition_counts():
    counts = {topic.name: topic.partitions for topic in topics.every_topic(settings(partitions=7))}
    assert counts.pop("clv.model-params") == 1
    assert set(counts.values()) == {7}


def test_what_must_never_be_deleted_is_compacted():
    compacted = {
        topic.name
        for topic in topics.every_topic(settings())
        if topic.required["cleanup.policy"] == "compact"
    }
    assert compacted == {"clv.scores", "clv.model-params", "clv-state-changelog"}


def test_three_replicas_ask_for_two_in_sync():
    for topic in topics.every_topic(settings(replication_factor=3)):
        assert topic.required["min.insync.replicas"] == "2"
    for topic in topics.every_topic(settings(replication_factor=2)):
        assert "min.insync.replicas" not in topic.required


def test_one_sentence_names_all_topics_with_the_same_problem():
    found = [
        topics.Difference("a", "are missing", "run `clv topics apply`"),
        topics.Difference("b", "are missing", "run `clv topics apply`"),
        topics.Difference("c", "have 3 partitions and must have 4", "set CLV_PARTITIONS=3"),
    ]
    assert topics.sentences(found).splitlines() == [
        "Topics are missing (a, b): run `clv topics apply`.",
        "Topics have 3 partitions and must have 4 (c): set CLV_PARTITIONS=3.",
    ]


@pytest.mark.kafka
class TestOnKafka:
    async def test_from_nothing_to_right(self, named_settings):
        wanted = {topic.name for topic in topics.every_topic(named_settings)}
        existing = await self.existing(named_settings)
        if not wanted & existing:  # else another test was first
            with pytest.raises(topics.WrongTopics, match="are missing") as missing:
                await topics.verify(named_settings)
            assert str(missing.value).count("\n") == 0
            created, repaired = await topics.apply(named_settings)
            assert (set(created), repaired) == (wanted, [])
        await topics.verify(named_settings)
        assert await topics.apply(named_settings) == ([], [])

    async def test_a_wrong_partition_count_is_said_and_never_repaired(self, named_settings):
        await topics.apply(named_settings)
        other = named_settings.model_copy(update={"partitions": 8})
        for attempt in (topics.verify, topics.apply):
            with pytest.raises(topics.WrongTopics) as wrong:
                await attempt(other)
            assert "have 4 partitions and must have 8 (clv.purchases, " in str(wrong.value)
            assert "set CLV_PARTITIONS=4" in str(wrong.value)
            assert str(wrong.value).count("\n") == 0

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
            topics.WrongTopics, match=r"cleanup\.policy=delete and must have compact"
        ):
            await topics.verify(group)
        _, repaired = await topics.apply(group)
        assert repaired == [name]
        await topics.verify(group)
        configs = await self.configs(group, name)
        assert configs["cleanup.policy"] == "compact"
        assert configs["max.message.bytes"] == "8388608", "more than enough is not repaired"
        assert configs["retention.ms"] == "5"

    async def test_a_refused_topic_is_said(self, named_settings):
        greedy = named_settings.model_copy(update={"group": "greedy", "replication_factor": 2})
        with pytest.raises(topics.WrongTopics, match="refused to create greedy-state-changelog"):
            await topics.apply(greedy)

    async def test_asking_for_a_topic_does_not_create_it(self, named_settings):
        with pytest.raises(topics.WrongTopics, match=r"are missing \(nowhere\)"):
            await topics.existing_partitions(named_settings, ["nowhere"])
        assert "nowhere" not in await self.existing(named_settings)

    async def existing(self, named_settings):
        async with kafka.admin(named_settings) as admin:
            return set(await admin.list_topics())

    async def configs(self, named_settings, name):
        async with kafka.admin(named_settings) as admin:
            resource = ConfigResource(ConfigResourceType.TOPIC, name)
            (response,) = await admin.describe_configs([resource])
            return {entry[0]: entry[1] for entry in response.resources[0][4]}
