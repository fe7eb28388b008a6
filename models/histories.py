"""From orders to what the models are fitted to: each customer's purchase days and their values.

Everything here is in whole days: same-day orders are one purchase, as in this literature, and a
customer's time runs from the day of the first purchase.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from models.arrays import Floats, Ints

# Days fit into this many, so that a customer and a day are one sortable number.
_DAYS = 1 << 24


@dataclass(frozen=True)
class PurchaseDays:
    """Every (customer, day) with an order, ordered by customer, then day; arrays are (m,)."""

    customer: Ints
    """Index of the customer, from 0."""
    day: Ints
    """Day number; days from 1970-01-01."""
    amount_minor: Ints
    """Sum of the day's orders, minor units."""

    @classmethod
    def of_orders(cls, customer: Ints, day: Ints, amount_minor: Ints) -> "PurchaseDays":
        """Put the orders of each customer and day together.

        Args:
            customer: (k,) index of the customer, >= 0.
            day: (k,) day number.
            amount_minor: (k,) minor units.
        """
        if customer.size == 0:
            return cls(customer, day, amount_minor)
        first = int(day.min())
        assert int(day.max()) - first < _DAYS
        key = customer * _DAYS + (day - first)
        order = np.argsort(key, kind="stable")
        key = key[order]
        begins = np.flatnonzero(np.diff(key, prepend=key[0] - 1))
        return cls(
            customer=key[begins] // _DAYS,
            day=key[begins] % _DAYS + first,
            amount_minor=np.add.reduceat(amount_minor[order], begins),
        )

    def between(self, after_day: int, until_day: int) -> "PurchaseDays":
        """Those after one day and until another, that one included."""
        kept = (self.day > after_day) & (self.day <= until_day)
        return PurchaseDays(self.customer[kept], self.day[kept], self.amount_minor[kept])


class Histories(NamedTuple):
    """Customers with at least one purchase, summed up at the end of a day; arrays are (n,)."""

    customer: Ints
    """Index of the customer."""
    first_day: Ints
    """Day number of the first purchase."""
    frequency: Floats
    """Repeat purchase days, x."""
    recency: Floats
    """Days from first to last purchase, t_x."""
    age: Floats
    """Days from first purchase to the end, T."""
    monetary_value: Floats
    """Mean value of the repeat purchase days in minor units; 0 where there is none."""


def histories(purchases: PurchaseDays, end_day: int) -> Histories:
    """Each customer as the models see them at the end of a day.

    Args:
        purchases: of all customers, also later ones, which are left out.
        end_day: day number.
    """
    known = purchases.between(np.iinfo(np.int64).min, end_day)
    if known.customer.size == 0:
        nothing, none = np.empty(0), np.empty(0, dtype=np.int64)
        return Histories(none, none, nothing, nothing, nothing, nothing)
    begins = np.flatnonzero(np.diff(known.customer, prepend=-1))
    ends = np.append(begins[1:], known.customer.size) - 1
    first_day = known.day[begins]
    frequency = (ends - begins).astype(np.float64)
    repeat_minor = np.add.reduceat(known.amount_minor, begins) - known.amount_minor[begins]
    return Histories(
        customer=known.customer[begins],
        first_day=first_day,
        frequency=frequency,
        recency=(known.day[ends] - first_day).astype(np.float64),
        age=(end_day - first_day).astype(np.float64),
        monetary_value=repeat_minor / np.maximum(frequency, 1.0),
    )


def per_customer(purchases: PurchaseDays, customer: Ints) -> tuple[Floats, Floats]:
    """Purchase days and their value in minor units of each of these customers, both (n,).

    Args:
        purchases: any; those of other customers are left out.
        customer: (n,) indices, ascending.
    """
    if customer.size == 0:
        return np.empty(0), np.empty(0)
    place = np.minimum(np.searchsorted(customer, purchases.customer), customer.size - 1)
    known = customer[place] == purchases.customer
    count = np.bincount(place[known], minlength=customer.size)
    value = np.bincount(
        place[known], weights=purchases.amount_minor[known], minlength=customer.size
    )
    return count.astype(np.float64), value.astype(np.float64)
