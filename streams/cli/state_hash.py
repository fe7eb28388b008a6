"""`clv state-hash`: one hash of all customers' facts, from the changelog."""

from typing import Annotated

import msgspec
import typer

from models.state import UnknownVersion
from streams import topics
from streams.cli import stored
from streams.cli.output import AsJson, console, print_json
from streams.complaint import Complaint
from streams.settings import Settings
from streams.state_hash import hash_states


def state_hash(
    whole: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Hash whole states: tiers, churn levels and revisions too, which depend on the "
            "order of events.",
        ),
    ] = False,
    json: AsJson = False,
) -> None:
    """Print one hash of all customers' facts, and how many customers there are.

    Facts are day buckets, lifetime totals, first and last purchase and engagement counts. The
    hash is equal for equal inputs, however they were batched, ordered, redelivered or
    interrupted.
    """
    settings = Settings.load()
    states = stored.states(settings).states
    try:
        result = hash_states(states, whole=whole)
    except UnknownVersion as error:
        raise Complaint(f"{topics.changelog(settings)}: {error}.") from error
    except msgspec.DecodeError as error:
        raise Complaint(
            f"{topics.changelog(settings)} holds a value that is no state ({error}): see "
            "grafana/RUNBOOK.md."
        ) from error
    if json:
        print_json({"hash": result.hash, "customers": result.customers, "all": whole})
    else:
        console().print(f"{result.hash}  {result.customers:,} customers")
