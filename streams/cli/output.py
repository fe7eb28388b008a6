"""What commands print: tables for people, JSON for programs, progress beside them on stderr."""

import sys
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models.money import minor_digits

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def console() -> Console:
    """Where tables go: stdout, as wide as the terminal."""
    return Console(highlight=False)


def side_console() -> Console:
    """Where everything goes that is no result: stderr."""
    return Console(stderr=True, highlight=False)


def progress(unit: str) -> Progress:
    """A progress bar on stderr, only where that is a terminal.

    Args:
        unit: what is counted, such as `lines`.
    """
    side = side_console()
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
        console=side,
        disable=not side.is_terminal,
    )


def print_json(document: Any) -> None:
    """Print one JSON document, indented, with its end of line."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS
    sys.stdout.write(orjson.dumps(document, option=options).decode())
    sys.stdout.flush()


def money(minor: int, currency: str) -> str:
    """An amount as people write it, such as `1,234.50 EUR`."""
    digits = minor_digits(currency)
    return f"{minor / 10**digits:,.{digits}f} {currency}"
