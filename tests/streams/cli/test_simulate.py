import json

import orjson
import pytest


def test_lines_go_to_stdout_and_words_beside(clv):
    ran = clv("simulate", "--customers", 50, "--start", "2025-01-01", "--days", 100)
    events = [json.loads(line) for line in ran.out.splitlines()]
    assert ran.status == 0
    assert {event["type"] for event in events} == {"purchase"}
    assert len({event["customer_id"] for event in events}) == 50
    assert all("2025-01-01" <= event["occurred_at"] < "2025-04-11" for event in events)
    assert f"{len(events)} lines" in ran.err


def test_lines_go_to_a_file(clv, tmp_path):
    file = tmp_path / "events.jsonl"
    ran = clv("simulate", "--events", 5_000, "--output", file)
    assert (ran.status, ran.out) == (0, "")
    assert file.read_bytes().count(b"\n") == 5_000


def test_the_same_command_gives_the_same_bytes(clv):
    command = ["simulate", "--events", 2_000, "--start", "2025-01-01", "--late", 0.1]
    assert clv(*command).out == clv(*command).out
    assert clv(*command).out != clv(*command, "--seed", 2).out


def test_amounts_are_in_the_settings_currency(clv):
    ran = clv("simulate", "--customers", 3, currency="JPY")
    assert {orjson.loads(line)["currency"] for line in ran.out.splitlines()} == {"JPY"}


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--refunds", 0.6], 2, "at most one refund a purchase"),
        (["--rubbish", 0.5, "--late", 0.5, "--refunds", 0.5], 2, "must leave some lines"),
        (["--engagements", 0.5, "--rubbish", 0.6], 2, "must leave some lines for purchases"),
        (["--events", 10], 2, "raise --events, or lower --customers"),
        (["--output", "/nowhere/x"], 1, "cannot be written"),
    ],
)
def test_what_cannot_be_is_said(clv, arguments, status, said):
    ran = clv("simulate", *arguments)
    assert (ran.status, ran.out) == (status, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1
