"""`clv state-hash`: one hash of all customers' facts, from the changelog."""

import asyncio
from typing import Annotated

import msgspec
import typer

from models.state import UnknownVersion
from streams import topics
from streams.cli.output import AsJson, console, print_json, progress
from streams.complaint import Complaint
from streams.reading import read_to_end
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
    states = asyncio.run(_states(settings))
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


async def _states(settings: Settings) -> dict[bytes, bytes]:
    name = topics.changelog(settings)
    partitions = await topics.existing_partitions(settings, [name])
    states: dict[bytes, bytes] = {}
    with progress(1.0) as bar:
        task = bar.add_task(f"reading {name}", total=None, note="")
        async for records in read_to_end(
            settings,
            name,
            partitions[name],
            lambda done, size: bar.update(
                task, completed=done, total=size, note=f"{len(states):,} customers"
            ),
        ):
            for record in records:
                if record.value:
                    states[record.key] = record.value
                else:
                    states.pop(record.key, None)
    # What time a partition has reached is kept under an empty key: it is no customer.
    states.pop(b"", None)
    return states
