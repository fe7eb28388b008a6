"""`clv schema`: JSON Schemas of the messages, and the AsyncAPI document."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import orjson
import typer

from streams.cli.output import print_json, side_console
from streams.schemas import asyncapi, dead_letter_headers, message_schemas

_ASYNCAPI = "asyncapi"


def schema(
    name: Annotated[
        str,
        typer.Argument(
            metavar="[NAME]",
            help="asyncapi, purchase, engagement, score, tier-change, churn-risk-change, or "
            "dead-letter: its headers, as its value may be any bytes.",
        ),
    ] = _ASYNCAPI,
    directory: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", file_okay=False, help="Write all of them there, as NAME.json."
        ),
    ] = None,
) -> None:
    """Print one JSON Schema, or the AsyncAPI document, which holds them all.

    Both are made from the code that reads and writes the messages.
    """
    documents = {
        _ASYNCAPI: asyncapi(version("clv-stream")),
        **message_schemas(),
        "dead-letter": dead_letter_headers(),
    }
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
        for each, document in documents.items():
            content = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
            (directory / f"{each}.json").write_bytes(content)
        side_console().print(f"wrote {len(documents)} files to {directory}")
    elif name in documents:
        print_json(documents[name])
    else:
        raise typer.BadParameter(
            f"there is no {name!r}; there are {', '.join(documents)}", param_hint="NAME"
        )
