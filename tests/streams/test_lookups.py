"""What the Redis sink writes is what the command line reads."""

import json

import msgspec
import pytest
import redis

from models.score import NOT_SAID, Score, Window, Windows
from streams.lookups import Lookups, NoScore, RedisAway
from streams.settings import Settings

EMPTY = Window(0, 0, 0)


def score(customer="42", total=52_695, risk=930, **other):
    return Score(
        **{
            "schema": 1,
            "customer_id": customer,
            "revision": 17,
            "as_of": "2026-03-01T09:30:00.000Z",
            "valid_until": "2026-05-01T00:00:00.000Z",
            "currency": "EUR",
            "tier": "gold",
            "churn_level": "low",
            "churn_risk": 0.12,
            "activity_decline": 0.05,
            "p_alive": 0.97,
            "p_active": 0.88,
            "expected_purchases": 3.4,
            "expected_order_value_minor": 5210,
            "historic_clv_minor": total - 17_700,
            "predicted_clv_minor": 17_700,
            "predicted_clv_low_minor": 2_100,
            "predicted_clv_high_minor": 38_400,
            "total_clv_minor": total,
            "tier_value_minor": total,
            "value_at_risk_minor": risk,
            "orders": 5,
            "refunds": 0,
            "frequency": 4,
            "recency_days": 120.5,
            "age_days": 151.2,
            "first_purchase_at": "2025-10-01T00:00:00.000Z",
            "last_purchase_at": "2026-01-29T12:00:00.000Z",
            "expected_next_purchase_at": None,
            "windows": Windows(EMPTY, EMPTY, EMPTY, Window(5, 34_995, 14)),
            "engagements": {"page_view": 12},
            "model": "mbg-nbd+gamma-gamma",
            "model_version": "v",
            **other,
        }
    )


def store(url, scores, prefix="clv:"):
    """As CONTRACT.md, Out, says: the score's JSON, and two sorted sets."""
    with redis.Redis.from_url(url) as client:
        for each in scores:
            client.set(f"{prefix}score:{each.customer_id}", msgspec.json.encode(each))
            client.zadd(f"{prefix}rank:total", {each.customer_id: each.total_clv_minor})
            client.zadd(f"{prefix}rank:risk", {each.customer_id: each.value_at_risk_minor})


def as_before_intervals(one):
    """What a version without intervals published: it stays until the customer's next score."""
    fields = msgspec.to_builtins(one)
    del fields["predicted_clv_low_minor"], fields["predicted_clv_high_minor"]
    return msgspec.json.encode(fields)


@pytest.fixture
def lookups(redis_url):
    return Lookups(Settings(redis_url=redis_url))


def test_a_score_is_found_as_it_was_written(redis_url, lookups):
    store(redis_url, [score(), score("ü/7")])
    assert lookups.score("42") == score()
    assert lookups.score("ü/7") == score("ü/7")
    assert json.loads(lookups.score_json("42"))["windows"]["365"]["orders"] == 5
    assert lookups.score("43") is None
    assert lookups.customers() == 2


def test_rankings_begin_with_the_highest(redis_url, lookups):
    store(redis_url, [score("a", 100, 5), score("b", 300, 0), score("c", 200, 9), score("d", 0, 0)])
    assert [row.customer_id for row in lookups.top("total", 10)] == ["b", "c", "a"]
    assert [row.customer_id for row in lookups.top("risk", 10)] == ["c", "a"]
    assert [(row.value_minor, row.score.tier) for row in lookups.top("total", 1)] == [(300, "gold")]


def test_a_ranked_customer_without_a_score_is_shown_without(redis_url, lookups):
    store(redis_url, [score("a")])
    with redis.Redis.from_url(redis_url) as client:
        client.delete("clv:score:a")
    assert lookups.top("total", 1) == [("a", 52_695, None)]


def test_the_prefix_is_kept(redis_url):
    store(redis_url, [score()], prefix="shop:")
    assert Lookups(Settings(redis_url=redis_url)).score("42") is None
    assert Lookups(Settings(redis_url=redis_url, redis_prefix="shop:")).score("42") == score()


def test_a_score_of_an_older_version_is_read(redis_url, lookups):
    store(redis_url, [score("a"), score("b", 10)])
    with redis.Redis.from_url(redis_url) as client:
        client.set("clv:score:a", as_before_intervals(score("a")))
    unsaid = score("a", predicted_clv_low_minor=NOT_SAID, predicted_clv_high_minor=NOT_SAID)
    assert lookups.score("a") == unsaid
    assert [row.score for row in lookups.top("total", 5)] == [unsaid, score("b", 10)]
    assert list(lookups.scores()) == [unsaid, score("b", 10)]


@pytest.mark.parametrize("found", [b"nonsense", b'{"a": 1}', b"[]", b'{"schema": "one"}'])
def test_what_is_no_score_is_one_sentence(redis_url, lookups, found):
    store(redis_url, [score()])
    with redis.Redis.from_url(redis_url) as client:
        client.set("clv:score:42", found)
    for look in (lambda: lookups.score("42"), lambda: lookups.top("total", 5)):
        with pytest.raises(NoScore, match="holds something under clv:score:42 that is no score"):
            look()


def test_no_redis_is_one_sentence(unused_tcp_port):
    lookups = Lookups(Settings(redis_url=f"redis://:hunter2@127.0.0.1:{unused_tcp_port}/0"))
    with pytest.raises(RedisAway) as away:
        lookups.score("42")
    assert str(away.value) == (
        f"Redis does not answer at 127.0.0.1:{unused_tcp_port}/0: start it, or set CLV_REDIS_URL."
    )


def test_a_refusal_is_said_without_the_password(redis_url):
    url = redis_url.replace("redis://", "redis://somebody:hunter2@")
    with pytest.raises(RedisAway, match="refuses us") as refused:
        Lookups(Settings(redis_url=url)).score("42")
    assert "hunter2" not in str(refused.value)
