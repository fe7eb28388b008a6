"""The `clv` command: one file a command, imported when it is called.

What all commands share is here: their names, `--version`, and how errors become one sentence on
stderr and an exit status: 1 for a failure, 2 for wrong usage or settings.
"""

import errno
import importlib
import io
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated, Any, Final

import typer

from streams.cli.usage import plain
from streams.complaint import Complaint

FAILED: Final = 1
INTERRUPTED: Final = 128 + signal.SIGINT

_FULL: Final = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True)
class Command:
    """One command: where its code is, and what `clv --help` says before it is imported.

    Attributes:
        name: as it is typed.
        module: under `streams.cli`.
        help: what it does, in one line.
        commands: whether the module holds commands of its own (`app`), instead of a function
            that is called like the module.
    """

    name: str
    module: str
    help: str
    commands: bool = False


COMMANDS: Final = (
    Command("demo", "demo", "Play CDNOW through a worker, with everything embedded."),
    Command("worker", "worker", "Run the agents."),
    Command("topics", "topics", "Create or verify every topic.", commands=True),
    Command("publish", "publish", "Publish a CSV or JSON lines to Kafka."),
    Command("simulate", "simulate", "Draw customers from the model, and their events."),
    Command("show", "show", "Show a customer's score, now or at another instant."),
    Command("top", "top", "Rank customers by value, or by value at risk."),
    Command("calendar", "calendar", "Tell who will fall on which day, if nobody buys."),
    Command("fit", "fit", "Fit a model to purchases, and publish it to workers."),
    Command("evaluate", "evaluate", "Measure held-out accuracy on a CSV of purchases."),
    Command(
        "dead-letters", "dead_letters", "List or replay what could not be read.", commands=True
    ),
    Command("repair", "repair", "Make a damaged state again from the input."),
    Command("state-hash", "state_hash", "Hash all customers' facts, from the changelog."),
    Command("schema", "schema", "Print JSON Schemas and the AsyncAPI document."),
)


def build(called: str | None = None) -> typer.Typer:
    """The command line, with the code of one command.

    Args:
        called: name of the command that is imported; the others only have their help line.
    """
    app = typer.Typer(
        name="clv",
        help="Customer lifetime value and churn risk, per event.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",  # fills lines to the terminal's width
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for command in COMMANDS:
        if command.name != called:
            app.command(command.name, help=command.help)(_not_called)
            continue
        module = importlib.import_module(f"streams.cli.{command.module}")
        if command.commands:
            app.add_typer(module.app, name=command.name, help=command.help)
        else:
            function: Callable[..., Any] = getattr(module, command.module)
            app.command(command.name)(function)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run a command line.

    Args:
        arguments: what follows `clv`.

    Returns:
        The exit status: 0, 1 (failed), 2 (wrong usage or settings).
    """
    # aiokafka's log would stand beside our sentence; a worker sets up its own logging.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    called = next((word for word in arguments if not word.startswith("-")), None)
    try:
        status = build(called)(list(arguments), prog_name="clv", standalone_mode=False)
    except Complaint as error:
        return _complain(str(error), error.status)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (BrokenPipeError, SystemExit) as error:  # the latter is typer's and rich's answer
        if not isinstance(error.__context__ or error, BrokenPipeError):
            raise
        _write_no_more()  # `clv simulate | head`: who reads has had enough
        return 0
    except Exception as error:  # noqa: BLE001  an unknown one is raised again
        return _failed(error, called)
    return status if isinstance(status, int) else 0


def main() -> None:
    """Run what was typed, and leave with its exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Where the terminal's encoding lacks a letter of a customer's id, its number is shown.
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))


def _failed(error: Exception, called: str | None) -> int:
    """Say in one sentence what is no bug."""
    if isinstance(error, OSError) and error.errno in _FULL:
        _write_no_more()
        return _complain("The disk that this writes to is full: make room, and try again.", FAILED)
    say = getattr(error, "format_message", None)  # typer's errors of usage, of any version
    if say is None:
        raise error
    # Without a message it was help itself that was shown.
    sentence = f"{plain(say())}: see `{_help_for(called)}`." if say() else ""
    return _complain(sentence, getattr(error, "exit_code", FAILED))


def _write_no_more() -> None:
    """What is left in the buffer would be tried again at the very end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(sentences: str, status: int) -> int:
    for sentence in sentences.splitlines():
        sys.stderr.write(f"clv: {sentence}\n")
    return status


def _help_for(called: str | None) -> str:
    known = called in {command.name for command in COMMANDS}
    return f"clv {called} --help" if known else "clv --help"


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"clv {version('clv-stream')}")
        raise typer.Exit


def _options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Customer lifetime value and churn risk, per event."""


def _not_called() -> None:
    raise AssertionError("the command that is called is imported")


if __name__ == "__main__":
    main()
