"""Records for the output topics: keys, values, CloudEvents headers."""

import time

import orjson
import pytest

from models.step import Step
from sinks.record import Record
from sinks.topics import OutputTopics
from tests.sinks.batches import NOON_MS, Shop

HOSTILE = '\u00fc"revision":7,"as_of":"\\'
"""A customer id that tries to look like the place where a score says its revision."""


def headers(record: Record) -> dict[str, str]:
    assert len(dict(record.headers)) == len(record.headers), "no header comes twice"
    return {name: value.decode() for name, value in record.headers}


def published(shop: Shop, *customers: str) -> dict[str, list[Record]]:
    outputs = OutputTopics().of(shop.buy(*customers).step, partition=3)
    assert {output.partition for output in outputs} == {3}
    return {output.topic: list(output.records) for output in outputs}


def test_a_batch_goes_to_three_topics_with_the_customer_as_key() -> None:
    topics = published(Shop(), "42", HOSTILE)
    assert set(topics) == {"clv.scores", "clv.tier-changes", "clv.churn-risk"}
    for records in topics.values():
        assert [record.key for record in records] == [b"42", HOSTILE.encode()]
        assert [orjson.loads(record.value or b"")["customer_id"] for record in records] == [
            "42",
            HOSTILE,
        ]


@pytest.mark.parametrize("customer", ["42", HOSTILE, "a/1", " "])
def test_a_score_is_a_cloud_event(customer: str) -> None:
    shop = Shop()
    shop.buy(customer)
    (record,) = published(shop, customer)["clv.scores"]
    body = orjson.loads(record.value or b"")
    # CloudEvents 1.0.2, and its Kafka binding: section 3.2, binary content mode.
    assert headers(record) == {
        "ce_id": f"{customer}/2",
        "ce_type": "clv.score.v1",
        "ce_source": "/clv",
        "ce_time": body["as_of"],
        "ce_specversion": "1.0",
        "content-type": "application/json",
    }
    assert body["revision"] == 2


def test_score_ids_are_unique_to_customer_and_revision() -> None:
    shop = Shop()
    customers = ("a", "a/1", "a/1/1", "b")
    ids = [
        headers(record)["ce_id"]
        for _ in range(12)
        for record in published(shop, *customers)["clv.scores"]
    ]
    assert len(set(ids)) == len(ids) == 12 * len(customers)


@pytest.mark.parametrize(
    ("topic", "kind"),
    [
        ("clv.tier-changes", "clv.tier-changed.v1"),
        ("clv.churn-risk", "clv.churn-risk-changed.v1"),
    ],
)
def test_a_change_is_a_cloud_event_with_its_own_id(topic: str, kind: str) -> None:
    (record,) = published(Shop(), "42")[topic]
    body = orjson.loads(record.value or b"")
    assert headers(record) == {
        "ce_id": body["id"],
        "ce_type": kind,
        "ce_source": "/clv",
        "ce_time": body["crossed_at"],
        "ce_specversion": "1.0",
        "content-type": "application/json",
    }


def test_records_leave_their_timestamp_to_the_producer() -> None:
    """Retention counts from it: a replayed change of 1997 would be deleted on arrival."""
    for records in published(Shop(), "42").values():
        assert {record.timestamp_ms for record in records} == {None}


def test_a_step_without_news_publishes_nothing() -> None:
    assert OutputTopics().of(Step(NOON_MS), 0) == []


def test_a_score_without_changes_publishes_the_score_only() -> None:
    shop = Shop()
    shop.buy("42", amount_minor=100)
    outputs = OutputTopics().of(shop.buy("42", amount_minor=100).step, 0)
    assert [output.topic for output in outputs] == ["clv.scores"]


def test_names_and_source_can_be_others() -> None:
    topics = OutputTopics("s", "t", "c", source="//shop.example/clv")
    outputs = topics.of(Shop().buy("42").step, 0)
    assert [output.topic for output in outputs] == ["s", "t", "c"]
    for output in outputs:
        assert headers(next(iter(output.records)))["ce_source"] == "//shop.example/clv"


def test_a_score_costs_little() -> None:
    """1.5 us where nothing else runs; ten times that is a mistake, whatever else runs."""
    result = Shop().buy(*map(str, range(2000))).step
    result.tier_changes, result.churn_changes = [], []
    begun_s = time.process_time()
    (output,) = OutputTopics().of(result, 0)
    assert sum(1 for _ in output.records) == 2000
    assert (time.process_time() - begun_s) / 2000 < 15e-6
