import pytest

from streams.complaint import Complaint
from streams.shop_history import day_of, load


def write(tmp_path, text):
    file = tmp_path / "shop.csv"
    file.write_bytes(text.encode())
    return str(file)


def test_what_is_left_out_is_counted(tmp_path):
    file = write(
        tmp_path,
        "\ufeffcustomer_id,occurred_at,amount,currency,id,type\r\n"
        "a,2026-03-01T23:30:00Z,10,EUR,1,\r\n"
        "a,2026-03-05,2.50,EUR,2,purchase\r\n"
        "a,2026-03-05,2.50,EUR,2,purchase\r\n"
        "a,2026-03-06,1,EUR,3,refund\r\n"
        "b,2026-03-01,10,USD,4,\r\n"
        "b,never,10,EUR,5,\r\n",
    )
    shop = load(file, "EUR", "UTC")
    assert shop.rows == 6
    assert shop.left_out == {"duplicate": 1, "refund": 1, "other_currency": 1, "bad_time": 1}
    assert [bad.line for bad in shop.first_bad] == [7]
    assert shop.customers == 1
    assert shop.currency == "EUR"
    assert shop.purchases.amount_minor.tolist() == [1000, 250]
    assert (str(day_of(shop.first_day)), str(day_of(shop.last_day))) == ("2026-03-01", "2026-03-05")


def test_a_day_ends_at_the_zones_midnight(tmp_path):
    file = write(tmp_path, "customer_id,occurred_at,amount\na,2026-03-01T23:30:00Z,10\n")
    assert str(day_of(load(file, "EUR", "Europe/Berlin").first_day)) == "2026-03-02"


def test_cdnow_is_in_dollars_whatever_is_set():
    assert load("cdnow", "EUR", "UTC").currency == "USD"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("customer_id,occurred_at,amount\n", "no purchase"),
        ("customer_id,occurred_at,amount\na,never,1\n", "line 2.*never"),
        ("a,b\n", "must name the columns"),
    ],
)
def test_a_file_without_purchases_is_a_complaint(tmp_path, text, says):
    with pytest.raises(Complaint, match=says):
        load(write(tmp_path, text), "EUR", "UTC")


def test_a_missing_file_names_what_there_is(tmp_path):
    with pytest.raises(Complaint, match="cdnow-full"):
        load(str(tmp_path / "none.csv"), "EUR", "UTC")
