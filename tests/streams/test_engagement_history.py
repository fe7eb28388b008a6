"""Files of engagements: what is read, and what is left out and said."""

import orjson
import pytest

from streams.complaint import Complaint
from streams.csv_header import NotTransactions
from streams.engagement_history import load_engagements
from streams.settings import Settings

INDEX = {"a": 3, "ü": 5}
BERLIN = Settings(timezone="Europe/Berlin")
DAY = 19_417  # 2023-03-01


def written(tmp_path, text, name="e.csv"):
    file = tmp_path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_a_csv_by_customer_and_day(tmp_path):
    file = written(
        tmp_path,
        "type,occurred_at,customer_id,id\n"
        "page_view,2023-03-01T22:59:59Z,a,1\n"
        "search,2023-03-01T23:00:00Z,a,2\n"  # midnight in Berlin
        "search,2023-03-01T23:00:00Z,a,2\n"
        "search,2023-03-01,a,\n"
        "search,2023-03-01,a,\n"  # without an id nobody knows it for the same
        "search,2023-03-05,ü,2\n"  # an id of another customer
        "\n"
        "search,soon,a,9\n"
        "search,2023-03-05\n"
        "search,2023-03-05,nobody,7\n",
    )
    history = load_engagements(file, INDEX, BERLIN)
    assert history.engagements.customer.tolist() == [3, 3, 3, 3, 5]
    assert (history.engagements.day - DAY).tolist() == [0, 1, 0, 0, 4]
    assert history.rows == 9
    assert history.left_out == {
        "duplicate": 1,
        "bad_time": 1,
        "missing_field": 1,
        "of a customer without a purchase": 1,
    }
    assert [bad.line for bad in history.first_bad] == [9, 10]
    assert orjson.dumps(dict(history.left_out))  # plain words, as the JSON needs them


def test_json_lines_as_they_are_published(tmp_path):
    def line(kind, customer="a", event_id="1", **more):
        return orjson.dumps(
            {"id": event_id, "type": kind, "customer_id": customer, "occurred_at": "2023-03-01"}
            | {"occurred_at": "2023-03-01T12:00:00Z"}
            | more
        )

    lines = [
        line("page_view"),
        line("page_view"),
        line("nothing known", event_id="2"),
        line("purchase", event_id="3", amount_minor=5, currency="EUR", note="@").replace(
            b"@", rb"\ud83d"
        ),
        b"",
        b'{"half": ',
        line("search", event_id=""),
    ]
    history = load_engagements(written(tmp_path, b"\n".join(lines), "e.jsonl"), INDEX, BERLIN)
    assert (history.engagements.day - DAY).tolist() == [0, 0]
    assert history.left_out == {
        "duplicate": 1,
        "no engagement": 1,
        "invalid_json": 1,
        "empty_id": 1,
    }
    assert [bad.line for bad in history.first_bad] == [6, 7]


def test_what_is_no_such_file_is_one_sentence(tmp_path):
    with pytest.raises(NotTransactions, match="customer_id,occurred_at,"):
        load_engagements(written(tmp_path, "customer,when\na,2023-03-01\n"), INDEX, BERLIN)
    with pytest.raises(NotTransactions):
        load_engagements(written(tmp_path, ""), INDEX, BERLIN)
    with pytest.raises(Complaint, match="cannot be read"):
        load_engagements(tmp_path / "none.csv", INDEX, BERLIN)
    with pytest.raises(Complaint, match=r"no engagement of a known customer .*line 1: "):
        load_engagements(written(tmp_path, '{\n  "model": "mbg-nbd"\n}\n'), INDEX, BERLIN)
