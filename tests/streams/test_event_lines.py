"""Lines are routed by their type, and none disappears."""

import json
import time

import pytest

from streams.event_lines import Router
from streams.settings import Settings

NOW_MS = time.time_ns() // 1_000_000
PURCHASE = {
    "id": "o-1",
    "type": "purchase",
    "customer_id": "42",
    "occurred_at": "2026-03-01T09:30:00Z",
    "amount_minor": 4999,
    "currency": "EUR",
}
ENGAGEMENT = {"id": "e-1", "type": "page_view", "customer_id": "42", "occurred_at": 1772357400000}


def routed(*documents, refuse_bad=False):
    router = Router(Settings(), refuse_bad=refuse_bad)
    lines = [
        document if isinstance(document, bytes) else json.dumps(document).encode()
        for document in documents
    ]
    return router.records(enumerate(lines, start=1)), router.tally


@pytest.mark.parametrize(
    ("document", "topic"),
    [
        (PURCHASE, "clv.purchases"),
        ({**PURCHASE, "type": "refund"}, "clv.purchases"),
        (ENGAGEMENT, "clv.engagements"),
        ({**ENGAGEMENT, "type": "danced"}, "clv.engagements"),
        ({**ENGAGEMENT, "note": "half of \ud83d"}, "clv.engagements"),
    ],
)
def test_a_line_goes_where_its_type_belongs(document, topic):
    (record,), tally = routed(document)
    assert (record.topic, record.key, record.value) == (topic, b"42", json.dumps(document).encode())
    assert tally.published == {topic: 1}
    assert not tally.bad


@pytest.mark.parametrize(
    ("line", "reason", "topic", "key"),
    [
        (b"{", "invalid_json", "clv.purchases", None),
        (b"\xff", "invalid_json", "clv.purchases", None),
        (b"[]", "not_an_object", "clv.purchases", None),
        (b"{}", "missing_field", "clv.purchases", None),
        ({**PURCHASE, "currency": "XXX"}, "bad_currency", "clv.purchases", b"42"),
        ({**PURCHASE, "occurred_at": NOW_MS + 10**8}, "future_time", "clv.purchases", b"42"),
        ({**ENGAGEMENT, "id": ""}, "empty_id", "clv.engagements", b"42"),
        ({**ENGAGEMENT, "customer_id": 42}, "bad_type", "clv.engagements", None),
    ],
)
def test_what_is_no_event_is_named_and_published_as_it_is(line, reason, topic, key):
    (record,), tally = routed(line)
    assert (record.topic, record.key) == (topic, key)
    assert tally.bad == {reason: 1}
    assert (tally.first_bad[0].number, tally.first_bad[0].reason) == (1, reason)
    assert tally.left_out == 0


def test_what_is_no_event_can_be_left_out():
    records, tally = routed(b"{", PURCHASE, refuse_bad=True)
    assert [record.key for record in records] == [b"42"]
    assert (tally.lines, tally.left_out, tally.published.total()) == (2, 1, 1)


def test_only_the_first_bad_lines_are_named_but_all_are_counted():
    _, tally = routed(*[b"{"] * 100)
    assert tally.bad == {"invalid_json": 100}
    assert [line.number for line in tally.first_bad] == list(range(1, 21))
