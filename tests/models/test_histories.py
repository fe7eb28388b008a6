import numpy as np

from models.histories import PurchaseDays, histories, per_customer


def of(*orders):
    columns = np.array(orders, dtype=np.int64).reshape(-1, 3).T
    return PurchaseDays.of_orders(*columns)


SHOP = of(
    (1, 110, 500),
    (0, 100, 1000),
    (0, 130, 2000),
    (0, 130, 400),  # the same day: one purchase
    (0, 120, 600),
    (2, 141, 9900),  # after the end
    (1, 110, 700),
)


def test_same_day_orders_are_one_purchase():
    assert SHOP.customer.tolist() == [0, 0, 0, 1, 2]
    assert SHOP.day.tolist() == [100, 120, 130, 110, 141]
    assert SHOP.amount_minor.tolist() == [1000, 600, 2400, 1200, 9900]


def test_histories_at_the_end_of_a_day():
    seen = histories(SHOP, 140)
    assert seen.customer.tolist() == [0, 1]
    assert seen.first_day.tolist() == [100, 110]
    assert seen.frequency.tolist() == [2, 0]
    assert seen.recency.tolist() == [30, 0]
    assert seen.age.tolist() == [40, 30]
    assert seen.monetary_value.tolist() == [1500, 0]  # of the repeat days: 600 and 2400
    assert histories(SHOP, 129).frequency.tolist() == [1, 0]
    assert histories(SHOP, 130).frequency.tolist() == [2, 0]


def test_before_the_first_order_there_is_nobody():
    assert all(len(column) == 0 for column in histories(SHOP, 99))
    assert all(len(column) == 0 for column in histories(of(), 99))


def test_sums_by_customer_leave_others_out():
    count, value = per_customer(SHOP.between(110, 141), np.array([0, 1]))
    assert count.tolist() == [2, 0]
    assert value.tolist() == [3000, 0]
    assert all(len(column) == 0 for column in per_customer(SHOP, np.array([], dtype=np.int64)))


def test_it_is_the_published_summary_of_cdnow(cdnow_weeks, cdnow_spend):
    from datetime import date

    from streams.csv_rows import read_rows
    from streams.datasets import CURRENCY, open_dataset

    with open_dataset("cdnow") as text:
        rows = list(read_rows(text, CURRENCY))
    orders = [
        (int(r.customer_id) - 1, r.occurred_at_ms // 86_400_000, r.amount_minor) for r in rows
    ]
    end = date(1997, 9, 30).toordinal() - date(1970, 1, 1).toordinal()
    seen = histories(of(*orders), end)
    np.testing.assert_array_equal(seen.frequency, cdnow_weeks.frequency)
    np.testing.assert_array_equal(seen.recency, np.rint(cdnow_weeks.recency * 7))
    np.testing.assert_array_equal(seen.age, np.rint(cdnow_weeks.age * 7))
    np.testing.assert_allclose(seen.monetary_value / 100, cdnow_spend.monetary_value, atol=0.0051)
