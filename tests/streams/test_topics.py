"""The topics are those of the design, with the partitions and settings that they need."""

from streams import topics
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
