"""What a model is fitted to: a file of purchases, or what workers have stored."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date

import msgspec

from models.arrays import Floats
from models.days import Days
from models.histories import Histories, histories, per_customer
from models.state import UnknownVersion
from models.stored_histories import stored_histories
from models.tiers import ROLLING_DAYS
from streams.chosen_once import hold_chosen
from streams.complaint import Complaint
from streams.csv_rows import BadRow
from streams.settings import Settings
from streams.shop_history import ShopHistory, day_number, load
from streams.stored import StoredStates
from streams.topics import changelog


@dataclass(frozen=True)
class FitData:
    """Customers as they were at the end of a day.

    Attributes:
        source: how errors name it.
        currency: of all amounts.
        customers: with at least one purchase.
        trailing_minor: (n,) their revenue of the 365 days that end with that day, minor units.
        end_day: its number.
        left_out: what is not in it, by reason.
        first_bad: the first rows that could not be read.
        shop: the file's purchases one by one; None of what is stored.
    """

    source: str
    currency: str
    customers: Histories
    trailing_minor: Floats
    end_day: int
    left_out: Counter[str]
    first_bad: list[BadRow] = field(default_factory=list)
    shop: ShopHistory | None = None


def from_file(file: str, settings: Settings, until: date | None) -> FitData:
    """The purchases of a CSV, or of a data set that ships with the project.

    Args:
        file: see `streams.shop_history.load`.
        settings: the currency where a row names none, and whose midnight ends a day.
        until: last day; None: the file's last.

    Raises:
        Complaint: the file cannot be read, or holds no purchase.
    """
    shop = load(file, settings.currency, settings.timezone)
    end_day = shop.last_day if until is None else day_number(until)
    customers = histories(shop.purchases, end_day)
    trailing = shop.purchases.between(end_day - ROLLING_DAYS, end_day)
    _, revenue = per_customer(trailing, customers.customer)
    return FitData(
        file, shop.currency, customers, revenue, end_day, shop.left_out, shop.first_bad, shop
    )


def from_states(found: StoredStates, settings: Settings) -> FitData:
    """All customers as workers have stored them, at the newest time that a partition reached.

    Args:
        found: what the changelog holds.
        settings: those of the workers: group, currency, time zone.

    Raises:
        Complaint: a value is no state, or of a newer program; or the states are of another
            currency or time zone.
    """
    hold_chosen(found.chosen, settings.currency, settings.timezone)
    name, days = changelog(settings), Days(settings.timezone)
    try:
        stored = stored_histories(found.states.values(), days, days.day(found.reached_ms))
    except UnknownVersion as error:
        raise Complaint(f"{name}: {error}.") from error
    except msgspec.DecodeError as error:
        raise Complaint(
            f"{name} holds a value that is no state ({error}): see grafana/RUNBOOK.md."
        ) from error
    left_out = Counter({"no purchase yet": stored.without_purchase})
    return FitData(
        name,
        settings.currency,
        stored.histories,
        stored.trailing_minor,
        stored.end_day,
        +left_out,
    )
