"""Data that ships with the project, as CSVs of transactions; see PROVENANCE.md beside it."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from io import TextIOWrapper
from types import MappingProxyType
from typing import Final, TextIO

CURRENCY: Final = "USD"
FILES: Final = MappingProxyType({"cdnow": "cdnow.csv.gz", "cdnow-full": "cdnow-full.csv.gz"})


@contextmanager
def open_dataset(name: str) -> Iterator[TextIO]:
    """The text of a data set, `customer_id,occurred_at,amount` in US dollars.

    Args:
        name: `cdnow` (2,357 customers, 6,919 orders) or `cdnow-full` (23,570; 69,659).

    Raises:
        KeyError: there is no such data set.
    """
    with (
        files(__name__).joinpath(FILES[name]).open("rb") as packed,
        gzip.open(packed) as unpacked,
        TextIOWrapper(unpacked, encoding="utf-8", newline="") as text,
    ):
        yield text
