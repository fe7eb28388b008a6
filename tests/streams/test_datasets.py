import hashlib
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest

from streams.csv_rows import Row, read_rows
from streams.datasets import CURRENCY, FILES, open_dataset

ORIGINALS = {"cdnow": ("CDNOW_sample.txt", 1), "cdnow-full": ("CDNOW_master.txt", 0)}


@pytest.mark.parametrize(
    ("name", "customers", "orders"), [("cdnow", 2357, 6919), ("cdnow-full", 23570, 69659)]
)
def test_every_row_is_a_transaction(name, customers, orders):
    with open_dataset(name) as text:
        rows = list(read_rows(text, CURRENCY))
    assert all(isinstance(row, Row) for row in rows)
    assert len(rows) == orders
    assert len({row.customer_id for row in rows}) == customers


@pytest.mark.parametrize("name", FILES)
def test_it_is_the_original_line_by_line(name):
    original, column = ORIGINALS[name]
    folder = Path(find_spec("lifetimes").submodule_search_locations[0]) / "datasets"
    theirs = [line.split() for line in (folder / original).read_text().splitlines()]
    theirs = [
        (cells[column], f"{cells[-3][:4]}-{cells[-3][4:6]}-{cells[-3][6:]}", cells[-1])
        for cells in theirs
        if cells and cells[0] != "customer_id"
    ]
    with open_dataset(name) as text:
        assert text.readline() == "customer_id,occurred_at,amount\n"
        assert [tuple(line.rstrip("\n").split(",")) for line in text] == theirs


@pytest.mark.parametrize("name", FILES)
def test_provenance_names_the_file_by_its_hash(name):
    folder = files("streams.datasets")
    digest = hashlib.sha256(folder.joinpath(FILES[name]).read_bytes()).hexdigest()
    assert f"`{FILES[name]}`" in folder.joinpath("PROVENANCE.md").read_text()
    assert digest in folder.joinpath("PROVENANCE.md").read_text()
