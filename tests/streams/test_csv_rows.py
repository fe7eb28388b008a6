import io

import pytest

from streams.csv_rows import BadRow, Row, read_rows

HEADER = "customer_id,occurred_at,amount,currency,id,type\n"
MARCH = 1_772_323_200_000  # 2026-03-01T00:00:00Z


def read(text, currency="EUR"):
    return list(read_rows(io.StringIO(text, newline=""), currency))


def one(cells, header=HEADER):
    (row,) = read(header + cells + "\n")
    return row


def test_a_row_in_full():
    row = one("42,2026-03-01T09:30:00+01:00,49.99,USD,o-1,refund")
    assert row == Row(2, "42", MARCH + 8 * 3_600_000 + 1_800_000, 4999, "USD", "o-1", "refund")


def test_three_columns_in_any_order_are_enough():
    (row,) = read("amount , Occurred_At,note,customer_id\r\n1.5,2026-03-01,x,é\r\n\r\n")
    assert row == Row(2, "é", MARCH, 150, "EUR", "", "purchase")


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("2026-03-01", MARCH),
        ("20260301", MARCH),
        (" 2026-03-01 00:00:01.234 ", MARCH + 1234),
        ("2026-03-01T00:00:00Z", MARCH),
        ("1772323200000", MARCH),
        ("2026-02-28T23:59:60Z", MARCH - 1),
        ("1969-12-31T23:59:59.999Z", -1),
    ],
)
def test_times(text, at_ms):
    assert one(f"1,{text},1,,,").occurred_at_ms == at_ms


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("0", "", 0),
        ("29.33", "", 2933),
        ("17.849999999999998", "", 1785),  # what a spreadsheet makes of 3 times 5.95
        ("0.125", "", 12),
        ("0.135", "", 14),
        ("500", "JPY", 500),
        ("1.234", "KWD", 1234),
        ("1E+2", "", 10000),
    ],
)
def test_amounts_are_minor_units_to_the_nearest_half_to_even(amount, currency, minor):
    assert one(f"1,2026-03-01,{amount},{currency},,").amount_minor == minor


@pytest.mark.parametrize(
    ("amount", "currency", "rounded_from"),
    [
        ("5.005", "", "5.005"),
        (" 5.0050 ", "", "5.0050"),
        ("0.5", "JPY", "0.5"),
        ("0.5", "USD", ""),
        ("1.234", "KWD", ""),
        ("5.0001", "", "5.0001"),
        ("5.000", "", ""),
        ("17.849999999999998", "", ""),
        ("9999999999.989999771", "", ""),  # the nearest number of 64 bits
    ],
)
def test_an_amount_that_had_to_be_rounded_is_kept_as_it_stood_there(amount, currency, rounded_from):
    assert one(f"1,2026-03-01,{amount},{currency},,").rounded_from == rounded_from


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (",2026-03-01,1,,,", "empty_id"),
        ("é" * 129 + ",2026-03-01,1,,,", "id_too_long"),
        ("1,2026-03-01,1,," + "x" * 257 + ",", "id_too_long"),
        ("1\udcff,2026-03-01,1,,,", "bad_type"),
        ("1,yesterday,1,,,", "bad_time"),
        ("1,,1,,,", "bad_time"),
        ("1," + "9" * 5000 + ",1,,,", "bad_time"),
        ("1,2026-02-30,1,,,", "bad_time"),
        ("1,2026-03-01,ten,,,", "bad_amount"),
        ("1,2026-03-01,,,,", "bad_amount"),
        ("1,2026-03-01,-1,,,", "bad_amount"),
        ("1,2026-03-01,NaN,,,", "bad_amount"),
        ("1,2026-03-01,1e999999,,,", "bad_amount"),
        ("1,2026-03-01,10000000000.01,,,", "bad_amount"),
        ("1,2026-03-01,1,euro,,", "bad_currency"),
        ("1,2026-03-01,1,,,gift", "unknown_type"),
        ("1,2026-03-01", "missing_field"),
        ("1,2026-03-01,1,,,\0", "unknown_type"),
        ("x" * 200_000 + ",2026-03-01,1,,,", "bad_type"),
    ],
)
def test_a_bad_row_says_which_and_why_and_the_next_is_read(cells, reason):
    bad, good = read(HEADER + cells + "\n2,2026-03-01,1,,,\n")
    assert isinstance(bad, BadRow)
    assert (bad.line, bad.reason) == (2, reason)
    assert bad.detail
    assert isinstance(good, Row)
    assert good.line == 3


@pytest.mark.parametrize("cells", ["1,2026-03-01,1,234.50", "Shop, Inc,2026-03-01,5"])
def test_a_comma_without_quotes_moves_no_cell_into_another_column(cells):
    """1,234.50 is no order of 1.00."""
    row = one(cells, "customer_id,occurred_at,amount\n")
    assert isinstance(row, BadRow)
    assert row.reason == "bad_type"
    assert "4 columns, and the first line names 3: quote" in row.detail


def test_commas_that_end_a_line_and_cells_that_are_ignored_are_no_fault():
    rows = read("customer_id,occurred_at,amount,note\n1,2026-03-01,5,x,,\n1,2026-03-01,5\n")
    assert [row.amount_minor for row in rows] == [500, 500]


def test_a_negative_amount_says_what_a_refund_is():
    assert "type refund" in one("1,2026-03-01,-1,,,").detail


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ("a,01/12/2010 08:26,1", "write it as 2026-03-31"),
        ('a,2026-03-01,"12,50"', "write decimals with a point"),
    ],
)
def test_a_bad_cell_says_how_to_write_it(cells, says):
    (row,) = read_rows(["customer_id,occurred_at,amount\n", cells + "\n"], "EUR")
    assert isinstance(row, BadRow)
    assert says in row.detail
