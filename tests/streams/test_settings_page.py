"""docs/settings.md: every setting once, as the settings themselves say it."""

import os
import re
from pathlib import Path

import pytest

from streams.settings import Settings
from streams.settings_page import page

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    for name in os.environ:
        if name.startswith("CLV_"):
            monkeypatch.delenv(name)


def test_the_page_is_what_the_settings_say():
    stale = f"run python -m streams.settings_page > {PAGE.relative_to(PAGE.parents[1])}"
    assert PAGE.read_text() == page(), stale


def test_every_setting_has_one_row_with_nothing_left_out():
    rows = re.findall(r"^\| `CLV_(\w+)` \| (.+) \| (.+) \| (.+) \|$", page(), re.MULTILINE)
    assert sorted(name.lower() for name, *_ in rows) == sorted(Settings.model_fields)
    for _, default, may_be, what in rows:
        assert default == "not set" or re.fullmatch(r"`[^`]+`", default)
        assert may_be
        assert re.fullmatch(r".{10,}\.", what)


def test_defaults_and_bounds_are_those_of_the_program():
    """Counted by hand from `Settings`, one of each kind."""
    rows = [line for line in page().splitlines() if line.startswith("| `CLV_")]
    row = {line.split("`")[1]: line.split(" | ")[1:3] for line in rows}
    assert row["CLV_RETENTION"] == ["`730d`", "a duration from 1d to 3660d, of whole days"]
    assert row["CLV_PARTITIONS"] == ["`4`", "a whole number, at least 1 and at most 10000"]
    assert row["CLV_CLOCK"] == ["`wall`", "wall or events"]
    assert row["CLV_CHURN_LEVELS"][0] == "`medium:0.25,high:0.5`"
    assert row["CLV_REDIS_URL"][0] == "`redis://localhost:6379/0`"
    assert row["CLV_RATES"][0] == row["CLV_INSTANCE"][0] == "not set"
    assert row["CLV_KAFKA_SASL_PASSWORD"][1] == "any text"


def test_the_page_does_not_depend_on_what_is_set(monkeypatch):
    written = page()
    monkeypatch.setenv("CLV_PARTITIONS", "8")
    monkeypatch.setenv("CLV_CLOCK", "sundial")
    monkeypatch.setenv("CLV_KAFKA_SASL_PASSWORD", "hunter2")
    assert page() == written
