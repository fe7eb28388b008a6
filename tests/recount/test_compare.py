"""The comparisons find what is broken on purpose, each in its own way, and nothing else."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from tests.recount.compare import compare
from tests.recount.facts import Input, Recount
from tests.recount.findings import Findings
from tests.recount.judge import ENGAGEMENTS, PURCHASES, Rules
from tests.recount.murmur import partition_of
from tests.recount.outputs import (
    CHURN_RISK,
    DEAD_LETTERS,
    SCORES,
    TIER_CHANGES,
    Output,
    Served,
    last_values,
)

RULES = Rules(partitions=2)
CE = [(f"ce_{name}", b"x") for name in ("type", "source", "time", "specversion")]
ID = ("ce_id", b"y")
HOME = {name: partition_of(name.encode(), 2) for name in "ab"}


def event(customer: str, number: int, **fields: Any) -> bytes:
    return json.dumps(
        {
            "id": f"{customer}-{number}",
            "type": "purchase",
            "customer_id": customer,
            "occurred_at": f"2026-01-{number:02}T00:00:00Z",
            "amount_minor": 100 * number,
            "currency": "EUR",
            **fields,
        }
    ).encode()


def record(partition: int, offset: int, value: bytes | None, topic: str = PURCHASES) -> Input:
    return Input(topic, partition, offset, 4_000_000_000_000, None, value)


# a: 1.00 on the 1st, 2.00 on the 2nd, and a visit. b: 3.00 on the 3rd, first put into the
# wrong partition. Two records are rubbish.
INPUT = [
    record(HOME["a"], 0, event("a", 1)),
    record(HOME["a"], 1, event("a", 2)),
    record(HOME["a"], 2, b"{"),
    record(1 - HOME["b"], 3, event("b", 3)),
    record(HOME["b"], 10, event("b", 3)),
    record(HOME["b"], 11, b"x" * 70_000),
    record(HOME["a"], 0, event("a", 1, type="search"), ENGAGEMENTS),
]


def score(customer: str, revision: int, days: list[int], visits: int = 0) -> bytes:
    historic = 100 * sum(days)
    window = {"orders": len(days), "revenue_minor": historic, "engagements": visits}
    return json.dumps(
        {
            "customer_id": customer,
            "revision": revision,
            "as_of": "2026-01-05T00:00:00.000Z",
            "currency": "EUR",
            "tier": "gold" if customer == "a" and revision > 1 else "bronze",
            "churn_level": "low",
            "orders": len(days),
            "refunds": 0,
            "frequency": len(days) - 1,
            "historic_clv_minor": historic,
            "predicted_clv_minor": 50,
            "total_clv_minor": historic + 50,
            "value_at_risk_minor": 7,
            "first_purchase_at": f"2026-01-{days[0]:02}T00:00:00.000Z",
            "last_purchase_at": f"2026-01-{days[-1]:02}T00:00:00.000Z",
            "engagements": {"search": visits},
            "windows": {"7": window, "365": window},
        }
    ).encode()


def change(customer: str, offset: int, before: str | None, to: str, change_id: str) -> Output:
    value = {"id": change_id, "customer_id": customer, "from": before, "to": to}
    headers = [*CE, ("ce_id", change_id.encode())]
    return Output(HOME[customer], offset, customer.encode(), json.dumps(value).encode(), headers)


def letter(place: tuple[int, int], reason: str, value: bytes) -> Output:
    headers = [
        *CE,
        ID,
        ("clv-reason", reason.encode()),
        ("clv-detail", b"why"),
        ("clv-topic", PURCHASES.encode()),
        ("clv-partition", str(place[0]).encode()),
        ("clv-offset", str(place[1]).encode()),
    ]
    if len(value) > 65_536:
        headers.append(("clv-truncated", b"1"))
    return Output(0, 0, None, value[:65_536], headers)


class World:
    """All that came out of `INPUT`, as it should be; tests break a copy."""

    def __init__(self) -> None:
        self.input = list(INPUT)
        self.outputs = {
            SCORES: [
                Output(HOME["a"], 0, b"a", score("a", 1, [1]), [*CE, ID]),
                Output(HOME["a"], 2, b"a", score("a", 2, [1, 2], 1), [*CE, ID]),
                Output(HOME["b"], 4, b"b", score("b", 1, [3]), [*CE, ID]),
            ],
            TIER_CHANGES: [
                change("a", 0, None, "bronze", "t-1"),
                change("a", 1, "bronze", "silver", "t-2"),
                change("a", 2, "silver", "gold", "t-3"),
                change("b", 3, None, "bronze", "t-4"),
            ],
            CHURN_RISK: [
                change("a", 0, None, "low", "c-1"),
                change("b", 1, None, "low", "c-2"),
            ],
            DEAD_LETTERS: [
                letter((HOME["a"], 2), "invalid_json", b"{"),
                letter((HOME["b"], 11), "too_large", b"x" * 70_000),
            ],
        }
        self.served = Served(
            dict(last_values(self.outputs[SCORES])),
            {"total": {"a": 350.0, "b": 350.0}, "risk": {"a": 7.0, "b": 7.0}},
        )

    def compare(self) -> Findings:
        counted = Recount(RULES)
        counted.add(self.input)
        return compare(counted, self.outputs, self.served)

    def edit(self, topic: str, index: int, **fields: Any) -> None:
        old = self.outputs[topic][index]
        value = json.dumps({**json.loads(old.value or b""), **fields}).encode()
        self.outputs[topic][index] = old._replace(value=value)


def test_nothing_differs_where_all_is_right() -> None:
    found = World().compare()
    assert not found, str(found)
    assert found.compared == {
        "scores": 2,
        "windows": 4,
        "redis": 2,
        "rank:total": 2,
        "rank:risk": 2,
        "revisions": 3,
        "tier changes": 4,
        "churn changes": 2,
        "dead letters": 2,
        "rerouted": 1,
        "headers": 11,
    }


def lose_an_event(world: World) -> None:
    world.input.append(record(HOME["a"], 3, event("a", 3, amount_minor=0)))


def lose_an_engagement(world: World) -> None:
    world.input.append(record(HOME["a"], 1, event("a", 4, type="review"), ENGAGEMENTS))


def double_an_event(world: World) -> None:
    del world.input[1]


def lose_a_cent(world: World) -> None:
    world.input[1] = record(HOME["a"], 1, event("a", 2, amount_minor=201))


def forget_a_customer(world: World) -> None:
    world.outputs[SCORES].pop()
    del world.served.scores["b"]


def make_a_customer_up(world: World) -> None:
    world.input = [r for r in world.input if b'"customer_id": "b"' not in (r.value or b"")]


def lose_a_dead_letter(world: World) -> None:
    world.outputs[DEAD_LETTERS].pop()


def double_a_dead_letter(world: World) -> None:
    world.outputs[DEAD_LETTERS].append(world.outputs[DEAD_LETTERS][0])


def bury_a_good_event(world: World) -> None:
    world.outputs[DEAD_LETTERS].append(letter((HOME["a"], 0), "bad_type", b""))


def name_a_wrong_reason(world: World) -> None:
    world.outputs[DEAD_LETTERS][0] = letter((HOME["a"], 2), "bad_time", b"{")


def cut_a_dead_letter(world: World) -> None:
    world.outputs[DEAD_LETTERS][0] = letter((HOME["a"], 2), "invalid_json", b"")


def do_not_forward(world: World) -> None:
    del world.input[4]


def forward_twice(world: World) -> None:
    world.input.append(record(HOME["b"], 12, event("b", 3)))


def break_a_chain(world: World) -> None:
    del world.outputs[TIER_CHANGES][1]


def begin_with_something(world: World) -> None:
    world.edit(CHURN_RISK, 0, **{"from": "medium"})


def repeat_an_id(world: World) -> None:
    world.edit(TIER_CHANGES, 1, id="t-1")


def do_not_publish_the_last_change(world: World) -> None:
    del world.outputs[TIER_CHANGES][2]


def lower_a_revision(world: World) -> None:
    scores = world.outputs[SCORES]
    scores.insert(1, scores[0]._replace(offset=1))


def serve_an_old_score(world: World) -> None:
    world.served.scores["a"] = world.outputs[SCORES][0].value or b""


def serve_nothing(world: World) -> None:
    del world.served.scores["a"]


def rank_by_an_old_score(world: World) -> None:
    world.served.ranks["total"]["a"] = 150.0


def rank_a_stranger(world: World) -> None:
    world.served.ranks["risk"]["z"] = 1.0


def score_in_the_past(world: World) -> None:
    world.edit(SCORES, 2, as_of="2026-01-01T12:00:00.000Z")
    world.served.scores.update(last_values(world.outputs[SCORES]))


def publish_without_headers(world: World) -> None:
    changes = world.outputs[TIER_CHANGES]
    changes[0] = changes[0]._replace(headers=[])


@pytest.mark.parametrize(
    ("break_it", "kinds"),
    [
        (
            lose_an_event,
            {"scores.orders", "scores.frequency", "scores.last_purchase_at"}
            | {"scores.windows.7", "scores.windows.365"},
        ),
        (
            lose_an_engagement,
            {"scores.engagements", "scores.windows.365", "scores.windows.7"},
        ),
        (
            double_an_event,
            {"scores.orders", "scores.frequency", "scores.last_purchase_at"}
            | {"scores.historic_clv_minor", "scores.total_clv_minor"}
            | {"scores.windows.7", "scores.windows.365"},
        ),
        (
            lose_a_cent,
            {"scores.historic_clv_minor", "scores.total_clv_minor"}
            | {"scores.windows.7", "scores.windows.365"},
        ),
        (
            forget_a_customer,
            {"scores", "tier changes: end", "churn changes: end", "rank:total", "rank:risk"},
        ),
        (make_a_customer_up, {"scores"}),
        (lose_a_dead_letter, {"dead letters"}),
        (double_a_dead_letter, {"dead letters"}),
        (bury_a_good_event, {"dead letters"}),
        (name_a_wrong_reason, {"reasons"}),
        (cut_a_dead_letter, {"dead letters"}),
        (do_not_forward, {"rerouted", "scores"}),
        (forward_twice, {"rerouted twice, or published twice"}),
        (break_a_chain, {"tier changes: chain"}),
        (begin_with_something, {"churn changes: chain"}),
        (repeat_an_id, {"tier changes: ids"}),
        (do_not_publish_the_last_change, {"tier changes: end"}),
        (lower_a_revision, {"revisions"}),
        (serve_an_old_score, {"redis"}),
        (serve_nothing, {"redis"}),
        (rank_by_an_old_score, {"rank:total"}),
        (rank_a_stranger, {"rank:risk"}),
        (score_in_the_past, {"scores.as_of", "scores.windows.7", "scores.windows.365"}),
        (publish_without_headers, {"headers", "tier changes: ids"}),
    ],
)
def test_what_is_broken_is_found(break_it: Callable[[World], None], kinds: set[str]) -> None:
    world = deepcopy(World())
    break_it(world)
    found = world.compare()
    assert set(found.differences) == kinds, str(found)
    assert all(found.sentences(kind) for kind in found.differences)


def test_findings_show_the_first_ten() -> None:
    found = Findings()
    found.count("things", 100)
    for number in range(12):
        found.differ("things", f"thing {number}")
    assert found.differences["things"] == 12
    assert len(found.sentences("things")) == 10
    assert "12 different" in str(found)
    assert found.as_json()["differences"] == {"things": 12}
