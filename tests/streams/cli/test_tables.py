"""No figure is cut, however narrow the terminal is, and no id moves the others away."""

import io

import pytest
from rich.console import Console
from rich.table import Table

from streams.cli.tables import CUSTOMER_CELLS_MAX, add_customer_column, print_table
from tests.streams.test_lookups import score, store


def printed(table: Table, width: int) -> list[str]:
    out = io.StringIO()
    print_table(table, Console(file=out, width=width))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_a_narrow_terminal_gets_longer_lines():
    table = Table("total", "tier", box=None, pad_edge=False)
    table.add_row("1,234,567.89 EUR", "platinum")
    assert printed(table, 12) == ["total             tier", "1,234,567.89 EUR  platinum"]


@pytest.mark.parametrize("width", [60, 40, 30, 5])
def test_words_are_folded_and_not_cut(width):
    says = "fitted parameters, one of each model"
    table = Table("a", box=None, pad_edge=False)
    table.add_column("holds", overflow="fold")
    table.add_column("state")
    table.add_row("1", says, "right")
    shown = printed(table, width)
    words = " ".join(shown).split()
    assert sorted(words) == sorted(["a", "holds", "state", "1", "right", *says.split()])
    assert max(map(len, shown)) <= max(width, len("1  parameters,  state"))


def test_a_long_id_is_cut_and_nothing_else():
    table = Table(box=None, pad_edge=False)
    add_customer_column(table)
    table.add_column("total")
    table.add_row("L" * 256, "50.08 EUR")
    assert printed(table, 40)[1] == "L" * (CUSTOMER_CELLS_MAX - 1) + "…  50.08 EUR"


def test_top_has_every_column_in_forty_columns(clv, redis_url, monkeypatch):
    store(redis_url, [score(), score("L" * 256, 1_000_000_005_008)])
    monkeypatch.setenv("COLUMNS", "40")
    _, large, usual = clv("top", redis_url=redis_url).out.splitlines()
    assert usual.split() == ["2", "42", "526.95", "EUR", "9.30", "EUR", "gold", "low", "2026-01-29"]
    assert "10,000,000,050.08 EUR" in large
    shown = clv("show", "42", redis_url=redis_url).out
    assert "four in five   21.00 to 384.00 EUR  last purchase" in shown
