"""A file that does not name its columns is refused at once, with what to change."""

import io
import re

import pytest

from streams.csv_header import NotTransactions
from streams.csv_rows import read_rows


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", "customer_id"),
        ("customer_id;occurred_at;amount\n", "commas"),
        ("id,amount\n", "occurred_at"),
    ],
)
def test_a_file_without_the_columns_is_refused_at_once(text, names):
    with pytest.raises(NotTransactions, match=names):
        list(read_rows(io.StringIO(text, newline=""), "EUR"))


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("CustomerID,InvoiceDate,Total", "rename 'CustomerID' to customer_id, 'InvoiceDate' to"),
        ("household_id,occurred_at,sales_value", "rename 'household_id' to customer_id, 'sales_"),
        ("customer_id;occurred_at;amount", "separated by semicolons; save the file with commas"),
        ("customer_id\toccurred_at\tamount", "separated by tabs"),
        ("customer_id,occurred_at,UnitPrice", "amount is not there; it has 'customer_id,occurred"),
        ("customer_id,occurred_at,amount,Amount ", "names amount 2 times: rename all but the one"),
        ("c\x00u\x00s\x00t\x00", "not UTF-8 text; save the file as UTF-8"),
        ("", "it is empty"),
    ],
)
def test_a_wrong_first_line_says_what_to_change(header, says):
    with pytest.raises(NotTransactions, match=re.escape(says)):
        list(read_rows([header + "\n", "a,2026-03-01,1\n"], "EUR"))
