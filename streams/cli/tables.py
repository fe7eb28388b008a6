"""Tables that are never cut: figures with digits left out are other figures."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement, measure_renderables
from rich.segment import Segment
from rich.table import Column, Table

CUSTOMER_CELLS_MAX: Final = 40
"""Longer customer ids (256 bytes are allowed) are cut, or one would move all else off the screen;
with `--json` they are whole."""

_WIDE: Final = 100_000


def print_table(table: Table, to: Console) -> None:
    """Print a table with all that it holds.

    Columns whose overflow is `fold` give way where the terminal is narrow. Where that is not
    enough, lines are longer than the terminal, which wraps them.

    Args:
        table: what is printed.
        to: where.
    """
    to.print(_Whole(table), crop=False)


def add_customer_column(table: Table) -> None:
    """Add the column of customer ids."""
    table.add_column("customer", max_width=CUSTOMER_CELLS_MAX)


@dataclass(frozen=True)
class _Whole:
    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        wide = options.update_width(_WIDE)
        columns = self.table.columns
        for column in columns:
            column.no_wrap = column.overflow != "fold"
        width = Measurement.get(console, wide, self.table).maximum
        for column in columns:
            if column.overflow == "fold":
                least, most = _measured(console, wide, column)
                column.width = max(least, most - max(0, width - options.max_width))
                width -= most - column.width
        yield from console.render(self.table, options.update_width(max(width, options.max_width)))


def _measured(console: Console, wide: ConsoleOptions, column: Column) -> Measurement:
    """The width of a column's longest word, and that of all that it holds."""
    cells: list[RenderableType] = [column.header, *column.cells, column.footer]
    return measure_renderables(console, wide, cells)
