"""The first line of a CSV: which column is where, and what to change where one is not there."""

import csv
from collections.abc import Iterator
from typing import Final, NamedTuple

from streams.complaint import Complaint

REQUIRED: Final = ("customer_id", "occurred_at", "amount")
OPTIONAL: Final = ("currency", "id", "type")

# What exports call these columns, without case, blanks and underscores. A refusal says what to
# rename: to guess would fit a model to the wrong column one day.
_ALIASES: Final = {
    "customer_id": "customerid customer custid cust userid user clientid client memberid "
    "householdid householdkey buyerid shopperid accountid",
    "occurred_at": "occurredat date datetime time timestamp invoicedate orderdate orderedat "
    "transactiondate transactiontimestamp purchasedate purchasedat createdat day",
    "amount": "total price value sales salesvalue revenue orderamount ordervalue ordertotal "
    "totalprice totalamount spend spent monetaryvalue grandtotal",
}
_SEPARATORS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}
_NAMED_MAX: Final = 60


class NotTransactions(Complaint):
    """A file that is no CSV of transactions at all."""


class Columns(NamedTuple):
    """What the first line says of the others."""

    at: dict[str, int]
    """Positions, from 0, of those of `REQUIRED` and `OPTIONAL` that are there."""
    width: int
    """How many columns there are, the ignored ones among them."""


def columns_of(reader: Iterator[list[str]], required: tuple[str, ...] = REQUIRED) -> Columns:
    """Read the first row, and find where each column is.

    Args:
        reader: rows of cells, none of them read yet.
        required: names without which the file is refused.

    Raises:
        NotTransactions: no header, or a required column is not in it, or one is there twice.
    """
    try:
        names = [name.strip() for name in next(reader)]
    except (StopIteration, csv.Error):
        names = []
    header = [name.lower() for name in names]
    columns: dict[str, int] = {
        name: header.index(name) for name in (*REQUIRED, *OPTIONAL) if name in header
    }
    if any(name not in columns for name in required):
        raise NotTransactions(_what_to_change(names, required))
    for name in columns:
        if header.count(name) > 1:
            raise NotTransactions(
                f"the file's first line names {name} {header.count(name)} times: rename all but "
                "the one that is meant"
            )
    return Columns(columns, len(header))


def _what_to_change(header: list[str], required: tuple[str, ...]) -> str:
    """The sentence about a first line that does not name the columns."""
    needs = f"the file's first line must name the columns {','.join(required)}, separated by commas"
    first = ",".join(header)
    if "\x00" in first or "\ufffe" in first or first.startswith("\udcff"):
        return f"{needs}: it is not UTF-8 text; save the file as UTF-8"
    if len(header) == 1:
        for separator, name in _SEPARATORS.items():
            if separator in first:
                return f"{needs}: here they are separated by {name}; save the file with commas"
    known = [name.lower() for name in header]
    missing = [name for name in required if name not in known]
    renames = [
        f"{found!r} to {name}"
        for name in missing
        if (found := next((cell for cell in header if _plain(cell) in _ALIASES[name].split()), ""))
    ]
    says = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not there"
    if renames:
        return f"{needs}: {says}; rename {', '.join(renames)}"
    shown = first if len(first) <= _NAMED_MAX else f"{first[:_NAMED_MAX]}…"
    return f"{needs}: {says}; it has {shown!r}" if shown else f"{needs}: it is empty"


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace(" ", "").replace("-", "")
