"""What publishers wrote moves no cursor and ends no line."""

import pytest

from streams.cli.visible import visible
from tests.streams.test_lookups import score, store

WRITES = "\x1b[2J\x9b31m\u202egold\nlow"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("42 é 日本 😀 [red]", "42 é 日本 😀 [red]"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\x00\x7f\x9b", r"\x00\x7f\x9b"),
        ("\u202eabc\u2028", r"\u202eabc\u2028"),
        ("'\"\\", "'\"\\"),
    ],
)
def test_what_is_no_letter_is_written_out(text, shown):
    assert visible(text) == shown


@pytest.mark.parametrize("arguments", [["top"], ["show", WRITES]])
def test_an_id_is_only_shown(clv, redis_url, arguments):
    store(redis_url, [score(WRITES)])
    ran = clv(*arguments, redis_url=redis_url)
    assert ran.status == 0
    assert r"\x1b[2J\x9b31m\u202egold\nlow" in ran.out.replace("\n", "")
    assert all(one.isprintable() or one == "\n" for one in ran.out)


def test_a_line_that_was_refused_is_only_shown(clv, tmp_path):
    file = tmp_path / "f.csv"
    file.write_text("customer_id,occurred_at,amount,currency\n1,2026-03-01,5,\x1b[2J\n")
    ran = clv("publish", str(file), "--dry-run")
    assert ran.status == 1
    assert "\x1b" not in ran.err
