import io

import orjson
import pytest

from streams.csv_header import NotTransactions
from streams.csv_lines import csv_lines
from streams.event_lines import Tally


def read(text, encoding="utf-8"):
    tally = Tally()
    stream = io.BytesIO(text.encode(encoding, "surrogateescape"))
    lines = [(number, orjson.loads(line)) for number, line in csv_lines(stream, "EUR", tally)]
    assert not stream.closed
    return lines, tally


def test_a_row_becomes_an_event():
    lines, _ = read(
        "customer_id,occurred_at,amount,currency,id,type\n42,2026-03-01,49.99,USD,o1,refund\n"
    )
    assert lines == [
        (
            2,
            {
                "id": "o1",
                "type": "refund",
                "customer_id": "42",
                "occurred_at": 1_772_323_200_000,
                "amount_minor": 4999,
                "currency": "USD",
            },
        )
    ]


def test_amounts_that_had_to_be_rounded_are_counted_and_the_first_are_named():
    rows = "".join(f"{n},2026-01-01,{n}.005\n" for n in range(30))
    lines, tally = read("customer_id,occurred_at,amount\n" + rows + "x,2026-01-01,17.50\n")
    assert [event["amount_minor"] for _, event in lines[:6]] == [0, 100, 200, 300, 400, 500]
    assert tally.rounded == 30
    assert tally.first_rounded[5] == (7, "5.005", 500)
    assert len(tally.first_rounded) == 20
    assert not tally.bad


def test_how_an_amount_is_written_makes_no_other_id():
    ids = [
        read(f"customer_id,occurred_at,amount\n1,2026-01-01,{amount}\n")[0][0][1]["id"]
        for amount in ("5", "5.00", "5.004")
    ]
    assert ids == ["csv-9215a7d53496cc3b6a75-1"] * 3


ROWS = "customer_id,occurred_at,amount\n1,2026-01-01,5\n1,2026-01-01,5\n2,2026-01-01,5\n"


def test_ids_are_made_of_the_content():
    first, again = read(ROWS)[0], read(ROWS)[0]
    assert first == again
    ids = [event["id"] for _, event in first]
    assert len(set(ids)) == 3, "two equal orders are two"


def test_ids_do_not_depend_on_other_rows():
    shuffled = "amount,occurred_at,customer_id\n5,2026-01-01,2\n5,2026-01-01,1\n5,2026-01-01,1\n"
    assert {event["id"] for _, event in read(ROWS)[0]} == {
        event["id"] for _, event in read(shuffled)[0]
    }


@pytest.mark.parametrize("amount", ["5.01", "6"])
def test_other_content_has_another_id(amount):
    (_, first), *_ = read(ROWS)[0]
    ((_, other),) = read(f"customer_id,occurred_at,amount\n1,2026-01-01,{amount}\n")[0]
    assert first["id"] != other["id"]


def test_a_row_that_is_no_transaction_is_counted_and_named():
    lines, tally = read(ROWS + "3,never,5\n\udcff,2026-01-01,5\n")
    assert len(lines) == 3
    assert tally.left_out == 2
    assert [(bad.number, bad.reason) for bad in tally.first_bad] == [
        (5, "bad_time"),
        (6, "bad_type"),
    ]
    assert all(bad.detail.isprintable() for bad in tally.first_bad)


def test_a_file_without_the_columns_is_refused():
    with pytest.raises(NotTransactions, match="amount is not there"):
        read("customer_id,occurred_at\n1,2026-01-01\n")
