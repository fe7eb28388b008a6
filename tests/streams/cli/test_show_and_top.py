import json
import os
import re
import subprocess
import sys

import pytest
import redis
from rich.console import Console

from models.what_if import NextTier
from streams.cli.show_what_if import WhatIf, print_next_tier
from tests.streams.test_lookups import as_before_intervals, score, store


@pytest.fixture
def url(redis_url):
    store(redis_url, [score(), score("7", 1_234_567, 0), score("[red]x", 100, 2_000)])
    return redis_url


def test_a_score_is_shown_to_people(clv, url):
    ran = clv("show", "42", redis_url=url)
    assert (ran.status, ran.err) == (0, "")
    assert "Customer 42 is gold, churn level low" in ran.out
    assert "526.95 EUR" in ran.out
    assert "2026-01-29 12:00" in ran.out
    assert "page_view 12" in ran.out
    assert max(len(line) for line in ran.out.splitlines()) <= 80


def test_a_score_is_printed_to_programs_as_it_was_published(clv, url):
    ran = clv("show", "42", "--json", redis_url=url)
    assert json.loads(ran.out)["tier_value_minor"] == 52_695


def test_a_score_without_an_interval_is_shown_without(clv, url):
    """As a version before intervals published it."""
    with redis.Redis.from_url(url) as client:
        client.set("clv:score:42", as_before_intervals(score()))
    ran = clv("show", "42", redis_url=url)
    assert (ran.status, ran.err) == (0, "")
    assert re.search(r"four in five +- ", ran.out)
    rows = json.loads(clv("top", "--json", redis_url=url).out)
    said = {row["customer_id"]: "predicted_clv_low_minor" in row["score"] for row in rows}
    assert said == {"7": True, "42": False, "[red]x": True}


@pytest.mark.parametrize(
    ("purchase_minor", "said"),
    [
        (None, "no single purchase gets there"),
        (0, "any purchase gets there"),
        (4_999, "one purchase of 49.99 EUR gets there"),
    ],
)
def test_what_is_missing_to_the_next_tier_is_one_sentence(capsys, purchase_minor, said):
    missing = NextTier("platinum", 200_000, 147_305, purchase_minor)
    print_next_tier(WhatIf(score(), None, 0, missing), Console(width=200))
    assert capsys.readouterr().out == (
        f"To platinum (2,000.00 EUR) the tier value lacks 1,473.05 EUR: {said}.\n"
    )


def test_tables_in_a_pipe_have_no_trailing_blanks(clv, url):
    for ran in (clv("show", "42", redis_url=url), clv("top", redis_url=url)):
        assert [line for line in ran.out.splitlines() if line != line.rstrip()] == []


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_letter_that_the_terminal_lacks_ends_nothing(redis_url, encoding):
    store(redis_url, [score("日本")])
    env = {**os.environ, "CLV_REDIS_URL": redis_url, "PYTHONIOENCODING": encoding}
    for arguments, says in (
        (["show", "日本"], "Customer 日本 is gold"),
        (["top"], "日本"),
        (["top", "--json"], '"customer_id": "日本"'),
    ):
        command = [sys.executable, "-m", "streams.cli.main", *arguments]
        ran = subprocess.run(command, env=env, capture_output=True, check=False)
        assert (ran.returncode, ran.stderr) == (0, b"")
        wanted = "utf-8" if "--json" in arguments else encoding
        assert says.encode(wanted, "backslashreplace") in ran.stdout


def test_nobody_is_one_sentence(clv, url):
    ran = clv("show", "nobody", redis_url=url)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("clv: There is no score of customer 'nobody' among 3: ")
    assert ran.err.count("\n") == 1


def test_names_are_no_markup(clv, url):
    assert "Customer [red]x is" in clv("show", "[red]x", redis_url=url).out
    assert "[red]x" in clv("top", redis_url=url).out


def test_the_most_valuable_come_first(clv, url):
    ran = clv("top", "-n", 2, redis_url=url)
    lines = ran.out.splitlines()
    assert len(lines) == 3
    assert "12,345.67 EUR" in lines[1]
    assert lines[2].split()[:2] == ["2", "42"]
    assert max(len(line) for line in lines) <= 80


def test_those_to_call_come_first_by_risk(clv, url):
    ran = clv("top", "--by", "risk", "--json", redis_url=url)
    rows = json.loads(ran.out)
    assert [(row["rank"], row["customer_id"], row["value_minor"]) for row in rows] == [
        (1, "[red]x", 2_000),
        (2, "42", 930),
    ]
    assert rows[1]["score"]["tier"] == "gold"


def test_an_empty_ranking_is_one_sentence(clv, redis_url):
    ran = clv("top", redis_url=redis_url)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == "clv: Nobody is ranked yet: publish events and run a worker.\n"
    assert clv("top", "--json", redis_url=redis_url).out == "[]\n"
