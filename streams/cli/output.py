"""What commands print: tables for people, JSON for programs, progress beside them on stderr."""

import re
import sys
from typing import IO, Annotated, Any, Final, TextIO, cast

import orjson
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from models.money import minor_digits

_FILLING: Final = re.compile(" +$", re.MULTILINE)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def console() -> Console:
    """Where tables go: stdout, as wide as the terminal; in a pipe without trailing blanks."""
    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(highlight=False, file=cast("IO[str]", _Trimmed(sys.stdout)))


class _Trimmed:
    """Takes whole lines, each filled to the table's width, and leaves out what fills them."""

    def __init__(self, to: TextIO) -> None:
        self._to = to
        self.encoding = to.encoding
        self.isatty = to.isatty
        self.flush = to.flush

    def write(self, lines: str) -> int:
        return self._to.write(_FILLING.sub("", lines))


def side_console() -> Console:
    """Where everything goes that is no result: stderr; in a file each sentence is one line."""
    return Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())


def progress(total: float | None) -> Progress:
    """A progress bar on stderr, only where that is a terminal.

    Its tasks have a field `note`: what is said beside the bar.

    Args:
        total: what is all of it, in any unit; None where nobody knows.
    """
    side = side_console()
    share = [BarColumn(bar_width=24), TaskProgressColumn()] if total else []
    return Progress(
        TextColumn("{task.description}"),
        *share,
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn() if total else TimeElapsedColumn(),
        console=side,
        disable=not side.is_terminal,
    )


def print_json(document: Any) -> None:
    """Print one JSON document, indented, with its end of line; UTF-8 whatever the terminal has."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS
    sys.stdout.flush()
    sys.stdout.buffer.write(orjson.dumps(document, option=options))
    sys.stdout.buffer.flush()


def amount(minor: int, currency: str) -> str:
    """An amount as people write it, such as `1,234.50 EUR`."""
    digits = minor_digits(currency)
    return f"{minor / 10**digits:,.{digits}f} {currency}"


def share(value: float | None) -> str:
    """A probability as people write it, such as `12 %`; a dash where there is none."""
    return "-" if value is None else f"{100 * value:.0f} %"


def shortly(time: str | None) -> str:
    """An RFC 3339 time to the minute, UTC, such as `2026-03-01 09:30`; a dash for none."""
    return "-" if time is None else time[:16].replace("T", " ")
