"""`clv repair`: make a damaged state again from the input."""

from typing import Annotated

import typer

from streams.cli import stored
from streams.cli.output import AsJson, console, print_json
from streams.repair import Place
from streams.settings import Settings


def repair(
    partition: Annotated[int, typer.Argument(help="Partition that the worker named.", min=0)],
    offset: Annotated[int, typer.Argument(help="Offset that the worker named.", min=0)],
    as_found: Annotated[
        bool,
        typer.Option(
            "--as-found", help="Accept what the input still holds, be it less than there was."
        ),
    ] = False,
    json: AsJson = False,
) -> None:
    """Make a damaged state again from the input.

    For a worker that ended as a record of the changelog holds no state. The customer's facts are
    counted again from the input topics, up to where the partition had come; revision, tier and
    churn level are those of the last score. Then start the worker again.
    """
    settings = Settings.load()
    done = stored.repaired(settings, settings.policy(), Place(partition, offset), as_found=as_found)
    customer = done.customer.decode(errors="replace")
    if json:
        print_json(
            {
                "customer_id": customer,
                "orders": done.orders,
                "historic_clv_minor": done.historic_minor,
            }
        )
    else:
        console().print(
            f"The state of customer {customer} was made again: {done.orders:,} orders, "
            f"{done.historic_minor:,} minor units. Start the worker."
        )
