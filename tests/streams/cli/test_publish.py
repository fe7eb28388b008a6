import json

import pytest

GOOD = (
    '{"id":"1","type":"purchase","customer_id":"42","occurred_at":"2026-03-01T09:30:00Z",'
    '"amount_minor":4999,"currency":"EUR"}\n'
)


@pytest.fixture
def file(tmp_path):
    def write(text, name="events.jsonl"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_a_dry_run_needs_no_kafka_and_names_what_is_bad(clv, file, unused_tcp_port):
    path = file(GOOD + "\n{\n" + GOOD)
    ran = clv("publish", path, "--dry-run", kafka_bootstrap=f"127.0.0.1:{unused_tcp_port}")
    assert (ran.status, ran.out) == (1, "")
    assert "line 3: invalid_json" in ran.err
    assert "3 lines read, 2 good; nothing was published" in ran.err
    assert "1 of 3 lines are no events (invalid_json 1)" in ran.err


def test_a_sentence_in_a_file_is_one_line(clv, file):
    """A log is read by the line."""
    bad = ["{", "[]", "{}", GOOD.strip().replace("EUR", "XXX")]
    ran = clv("publish", file("\n".join(bad)), "--dry-run")
    reasons = "invalid_json 1, not_an_object 1, missing_field 1, bad_currency 1"
    assert f"\n4 of 4 lines are no events ({reasons})\n" in ran.err


def test_stdin_is_called_so(clv, file, monkeypatch):
    with file("{\n").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        ran = clv("publish", "-", "--dry-run")
    assert ran.status == 1
    assert "clv: stdin holds lines that are no events" in ran.err


def test_a_dry_run_of_good_lines_succeeds(clv, file):
    ran = clv("publish", file(GOOD), "--dry-run", "--json")
    assert ran.status == 0
    assert json.loads(ran.out) | {"seconds": 0} == {
        "lines": 1,
        "published": {},
        "bad": 0,
        "reasons": {},
        "first_bad": [],
        "rounded": 0,
        "first_rounded": [],
        "seconds": 0,
    }


def test_rows_of_a_csv_are_named_by_their_lines(clv, file):
    rows = "customer_id,occurred_at,amount\n42,2026-01-01,5\n43,never,5\n44,1997-01-01,5\n"
    ran = clv("publish", file(rows, "orders.csv"), "--dry-run")
    assert ran.status == 1
    assert "line 3: bad_time" in ran.err
    assert "line 4: bad_time" in ran.err
    assert "3 lines read, 1 good" in ran.err


def test_a_rounded_amount_of_a_csv_is_counted_and_named(clv, file):
    rows = "customer_id,occurred_at,amount\n42,2026-01-01,5.005\n43,2026-01-01,17.50\n"
    path = file(rows, "orders.csv")
    ran = clv("publish", path, "--dry-run")
    assert ran.status == 0
    assert "line 2: amount '5.005' was rounded to 500 minor units\n" in ran.err
    assert "amounts with more decimals than their currency: 1, rounded\n" in ran.err
    assert "line 3" not in ran.err
    told = json.loads(clv("publish", path, "--dry-run", "--json").out)
    named = {"number": 2, "amount": "5.005", "amount_minor": 500}
    assert (told["rounded"], told["first_rounded"]) == (1, [named])
    many = "".join(f"42,2026-01-01,{n}.125\n" for n in range(25))
    ran = clv("publish", file("customer_id,occurred_at,amount\n" + many, "many.csv"), "--dry-run")
    assert ran.err.count("was rounded to") == 20
    assert "… and 5 more\n" in ran.err


def test_a_missing_file_is_said(clv):
    ran = clv("publish", "/nowhere.csv")
    assert (ran.status, ran.err) == (
        1,
        "clv: /nowhere.csv cannot be read: No such file or directory.\n",
    )


@pytest.mark.kafka
def test_lines_arrive_and_bad_ones_as_they_are(clv, file, named_kafka):
    assert clv("topics", "apply", kafka_bootstrap=named_kafka).status == 0
    engagement = GOOD.replace("purchase", "search")
    path = file(GOOD + engagement + "rubbish\n")
    ran = clv("publish", path, "--json", kafka_bootstrap=named_kafka)
    assert ran.status == 0
    result = json.loads(ran.out)
    assert result["published"] == {"clv.purchases": 2, "clv.engagements": 1}
    assert (result["lines"], result["bad"]) == (3, 1)
    ran = clv("publish", path, "--json", "--refuse-bad", kafka_bootstrap=named_kafka)
    assert ran.status == 1
    assert json.loads(ran.out)["published"] == {"clv.purchases": 1, "clv.engagements": 1}
    assert ran.err == "clv: 1 lines were left out: repair them and publish again.\n"
