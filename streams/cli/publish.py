"""`clv publish FILE`: a CSV or JSON lines to Kafka."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from streams.cli.output import AsJson
from streams.cli.sending import Source, report, send, validate
from streams.complaint import Complaint
from streams.csv_lines import csv_lines
from streams.event_lines import Router
from streams.settings import Settings

_STDIN = "-"


def publish(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A .csv file, or JSON lines; - for stdin.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what could not be read; no Kafka needed.")
    ] = False,
    refuse_bad: Annotated[
        bool,
        typer.Option(
            "--refuse-bad",
            help="Leave out JSON lines that are no events. Without it they are published as they "
            "are, and the worker makes them dead letters.",
        ),
    ] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Read stdin, or any file, as CSV.")] = False,
    rate: Annotated[
        float | None,
        typer.Option("--rate", metavar="N", min=0.1, help="Lines a second; default: all at once."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Publish a CSV or JSON lines to Kafka, each line to the topic that its type belongs to.

    A CSV has the columns customer_id, occurred_at, amount[, currency, id, type], amounts in major
    units. A row without an id gets one that is made of its content, so that publishing the same
    file twice adds nothing (as far back as a customer's last 64 purchases).

    Nothing is left out in silence: what could not be read is counted and named, and the exit
    status is 1 where something was left out. An amount with more decimals than its currency is
    rounded, halves to the even minor unit, and counted and named as well.
    """
    settings = Settings.load()
    started = time.monotonic()
    is_csv = csv or file.lower().endswith(".csv")
    # A row of a CSV is no event yet, so there is nothing that a dead letter could keep.
    router = Router(settings, refuse_bad=refuse_bad or is_csv)
    with _opened(file) as stream:
        source = _source(stream, router, settings.currency, csv=is_csv)
        if dry_run:
            validate(router, source)
        else:
            send(settings, router, source, rate)
    tally = router.tally
    report(tally, time.monotonic() - started, json=json, dry_run=dry_run)
    if dry_run and tally.bad:
        named = "stdin" if file == _STDIN else file
        raise Complaint(f"{named} holds lines that are no events: repair them, or leave them out.")
    if tally.left_out:
        raise Complaint(f"{tally.left_out:,} lines were left out: repair them and publish again.")


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == _STDIN:
        yield sys.stdin.buffer
        return
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(Path(file).open("rb"))
        except OSError as error:
            raise Complaint(f"{file} cannot be read: {error.strerror}.") from error
        yield stream


def _source(stream: BinaryIO, router: Router, currency: str, *, csv: bool) -> Source:
    size = os.fstat(stream.fileno()).st_size if stream.seekable() else None
    lines = csv_lines(stream, currency, router.tally) if csv else _numbered(stream)
    return Source(lines, size or None, stream.tell if size else lambda: 0)


def _numbered(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(stream, start=1):
        value = line.strip()
        if value:
            yield number, value
