"""Records become events, dead letters or forwarded records: each exactly one of them."""

import gc
import json
from types import SimpleNamespace
from typing import Any

from models.events import Decoder
from streams.intake import FORWARDED_HEADER_BYTES_MAX, in_order, take_in
from streams.placement import partition_of
from streams.topics import CLOCK, ENGAGEMENTS, PURCHASES

PARTITIONS = 4
DECODER = Decoder("EUR", {}, 3_600_000)
NOON_MS = 1_772_366_400_000


def record(topic: str, offset: int, customer: str, at_ms: int = NOON_MS, **changes: Any) -> Any:
    event = {"id": f"{topic}{offset}", "customer_id": customer, "occurred_at": at_ms}
    if topic == PURCHASES:
        event |= {"type": "purchase", "amount_minor": 100, "currency": "EUR"}
    else:
        event |= {"type": "page_view"}
    fields = {
        "topic": topic,
        "partition": 0,
        "offset": offset,
        "key": customer.encode(),
        "value": json.dumps(event).encode(),
        "timestamp": at_ms,
        "headers": (),
    }
    return SimpleNamespace(**fields | changes)


def residents(number: int, count: int) -> list[str]:
    """Customers of one partition."""
    names = (f"customer-{n}" for n in range(10_000))
    here = [name for name in names if partition_of(name.encode(), PARTITIONS) == number]
    return here[:count]


def test_topics_are_merged_by_time_and_each_keeps_its_own_order() -> None:
    purchases = [record(PURCHASES, n, "a", NOON_MS + ms) for n, ms in enumerate((0, 500, 100))]
    engagements = [record(ENGAGEMENTS, n, "a", NOON_MS + ms) for n, ms in enumerate((50, 600))]
    merged = in_order({PURCHASES: purchases, ENGAGEMENTS: engagements, CLOCK: [object()]})
    assert [(r.topic, r.offset) for r in merged] == [
        (PURCHASES, 0), (ENGAGEMENTS, 0), (PURCHASES, 1), (PURCHASES, 2), (ENGAGEMENTS, 1),
    ]  # fmt: skip


def test_a_stamp_of_the_future_moves_no_other_event() -> None:
    """Behind all engagements, a customer who bought would have been silent for as long."""
    later = [NOON_MS + ms for ms in (0, 10**12, 100)]
    purchases = [record(PURCHASES, n, "a", ms) for n, ms in enumerate(later)]
    engagements = [record(ENGAGEMENTS, 0, "a", NOON_MS + 200)]
    records = {PURCHASES: purchases, ENGAGEMENTS: engagements}
    intake = take_in(DECODER, records, 0, PARTITIONS, {b"a": b""}, latest_ms=NOON_MS + 10**6)
    assert [event.id for event, _ in intake.events] == [
        f"{PURCHASES}0", f"{PURCHASES}2", f"{ENGAGEMENTS}0",
    ]  # fmt: skip


def test_every_record_is_taken_once() -> None:
    (here,), (there,) = residents(0, 1), residents(2, 1)
    records = {
        PURCHASES: [
            record(PURCHASES, 0, here),
            record(PURCHASES, 1, there, headers=(("trace", b"1"),)),
            record(PURCHASES, 2, here, value=b"{"),
            record(PURCHASES, 3, here, key=b"somebody else"),
        ],
        ENGAGEMENTS: [record(ENGAGEMENTS, 0, here, key=None)],
    }
    intake = take_in(DECODER, records, 0, PARTITIONS, known={})
    assert [event.id for event, _ in intake.events] == [f"{PURCHASES}0", f"{ENGAGEMENTS}0"]
    assert [source.offset for source in intake.sources] == [0, 0]
    assert [(r.offset, bad.reason) for r, bad in intake.refused] == [
        (2, "invalid_json"),
        (3, "key_mismatch"),
    ]
    (forwarded,) = intake.rerouted[PURCHASES, 2]
    assert forwarded.key == there.encode()
    assert forwarded.value == records[PURCHASES][1].value
    assert forwarded.headers == [("trace", b"1")]
    assert forwarded.timestamp_ms == NOON_MS
    assert intake.rerouted_counts() == {PURCHASES: 1}
    assert sorted(intake.flags) == [0, 0, 0, 1, 1]


def test_a_batch_with_bad_input_goes_when_its_last_user_does() -> None:
    """A worker lost 200 MB to batches that their dead letters held on to."""
    records = {
        PURCHASES: [
            record(PURCHASES, 0, "a", value=b"{"),
            record(PURCHASES, 1, "a", value=b'"\xff"'),
            record(PURCHASES, 2, "a", key=b"somebody else"),
        ],
        ENGAGEMENTS: [record(ENGAGEMENTS, 0, "")],
    }
    gc.collect()
    gc.disable()
    try:
        assert len(take_in(DECODER, records, 0, PARTITIONS, known={}).refused) == 4
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_known_customer_is_at_home() -> None:
    (there,) = residents(2, 1)
    intake = take_in(
        DECODER, {PURCHASES: [record(PURCHASES, 0, there)]}, 0, PARTITIONS, {there.encode(): b""}
    )
    assert len(intake.events) == 1
    assert not intake.rerouted


def test_a_record_of_the_future_moves_no_partition_there() -> None:
    (here,) = residents(0, 1)
    years = 10 * 365 * 86_400_000
    records = [record(PURCHASES, 0, here), record(PURCHASES, 1, here, NOON_MS + years)]
    intake = take_in(DECODER, {PURCHASES: records}, 0, PARTITIONS, {}, NOON_MS)
    assert len(intake.events) == 1
    ((refused, why),) = intake.refused
    assert (refused.offset, why.reason) == (1, "bad_time")
    assert intake.flags == [0, 1]
    # Where ticks follow the events, wherever these are, there is no such limit.
    assert len(take_in(DECODER, {PURCHASES: records}, 0, PARTITIONS, {}).events) == 2


def test_what_is_forwarded_fits_whatever_headers_it_had() -> None:
    (there,) = residents(2, 1)
    headers = (("trace", bytes(FORWARDED_HEADER_BYTES_MAX - 5)),)
    too_many = (*headers, ("x", None))
    records = [
        record(PURCHASES, n, there, headers=some) for n, some in enumerate((headers, too_many))
    ]
    intake = take_in(DECODER, {PURCHASES: records}, 0, PARTITIONS, known={})
    assert [one.headers for one in intake.rerouted[PURCHASES, 2]] == [list(headers), []]
