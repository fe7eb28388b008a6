"""What is known of a customer, and how an event changes it.

Facts are sums, minima, maxima and sets, so that within the retention they do not depend on the
order in which events arrive, nor on how they are batched. Two things are given up with age, both
counted back from the customer's newest day: amounts per day after 366 days, and after the
retention the set of purchase days, of which only the number stays. Neither can be missed: an
event that would need what was given up is `LATE`, and only adds to lifetime totals.
"""

from bisect import insort
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

import msgspec

from models import day_list
from models.event_ids import id_hash, remember, remembers
from models.events import Event, Kind
from models.reasons import BadEvent, Reason
from models.state_head import Summary

BUCKET_DAYS: Final = 366
"""Days for which amounts are kept, today included: the 365-day window and a day to spare."""

TOTAL_MINOR_MAX: Final = 2**62
"""No sum of money goes beyond it, so a difference of two always fits 64 bits."""

_PURCHASE: Final = int(Kind.PURCHASE)
_ENGAGEMENT: Final = int(Kind.ENGAGEMENT)


class Outcome(StrEnum):
    """What an event did to the facts; values of the metric label `outcome`."""

    PROCESSED = "processed"
    DUPLICATE = "duplicate"
    LATE = "late"


_PROCESSED: Final = Outcome.PROCESSED
_DUPLICATE: Final = Outcome.DUPLICATE
_LATE: Final = Outcome.LATE


class Facts(Summary, array_like=True, gc=False):
    """Bounded sufficient statistics of one customer.

    Day numbers are those of the reporting time zone, `models.days`; days as in `models.day_list`.

    Attributes:
        first_at_ms: first purchase that was not late, epoch milliseconds UTC; 0 for none.
        last_at_ms: last purchase that was not late, epoch milliseconds UTC; 0 for none.
        first_day: day of the first purchase; 0 for none.
        first_day_spend_minor: sum of the purchases on that day, minor units.
        purchase_days: number of distinct purchase days, however long ago.
        old_days: purchase days within the retention that are too old for a bucket, ascending.
        purchase_last_day: newest day with a purchase or refund that has a bucket; 0 for none.
        purchase_gaps: days between one purchase bucket and the next.
        purchase_orders: purchases of each bucket; 0 where there are only refunds.
        purchase_net_minor: purchases less refunds of each bucket, minor units.
        engagement_last_day: newest day with an engagement that has a bucket; 0 for none.
        engagement_gaps: days between one engagement bucket and the next.
        engagement_day_counts: engagements of each bucket.
        engagement_counts: lifetime engagements by index into `ENGAGEMENT_TYPES`.
        purchase_ids: hashes of the last 64 ids of purchases and refunds, `models.event_ids`.
        engagement_ids: hashes of the last 64 ids of engagements.
        last_event_id: id of the event applied last; empty for none.
    """

    first_at_ms: int = 0
    last_at_ms: int = 0
    first_day: int = 0
    first_day_spend_minor: int = 0
    purchase_days: int = 0
    old_days: list[int] = msgspec.field(default_factory=list)
    purchase_last_day: int = 0
    purchase_gaps: list[int] = msgspec.field(default_factory=list)
    purchase_orders: list[int] = msgspec.field(default_factory=list)
    purchase_net_minor: list[int] = msgspec.field(default_factory=list)
    engagement_last_day: int = 0
    engagement_gaps: list[int] = msgspec.field(default_factory=list)
    engagement_day_counts: list[int] = msgspec.field(default_factory=list)
    engagement_counts: dict[int, int] = msgspec.field(default_factory=dict)
    purchase_ids: bytes = b""
    engagement_ids: bytes = b""
    last_event_id: str = ""

    @property
    def frequency(self) -> int:
        """Repeat purchase days x: distinct purchase days less one, 0 without a purchase."""
        return self.purchase_days - 1 if self.purchase_days else 0

    @property
    def repeat_spend_minor(self) -> int:
        """Sum of the purchases after the first purchase day, late ones left out, minor units.

        Divided by `frequency` it is the mean repeat order value, `monetary_value`.
        """
        return self.spend_minor - self.first_day_spend_minor

    def purchase_buckets(self) -> Iterator[tuple[int, int, int]]:
        """(day, orders, net minor units) of each day that has a bucket, ascending."""
        orders = self.purchase_orders
        days = day_list.days_of(self.purchase_last_day, self.purchase_gaps, len(orders))
        return zip(days, orders, self.purchase_net_minor, strict=True)

    def engagement_buckets(self) -> Iterator[tuple[int, int]]:
        """(day, engagements) of each day that has a bucket, ascending."""
        counts = self.engagement_day_counts
        days = day_list.days_of(self.engagement_last_day, self.engagement_gaps, len(counts))
        return zip(days, counts, strict=True)

    def apply(self, event: Event, day: int, retention_days: int) -> Outcome:
        """Adds one event to the facts, in place.

        Args:
            event: a checked event of this customer.
            day: number of the day that it happened on, in the reporting time zone.
            retention_days: how far an event may be behind the customer's newest day, >= 0.

        Returns:
            PROCESSED; DUPLICATE, where nothing was changed; or LATE, where only lifetime totals
            were.

        Raises:
            BadEvent: `bad_amount`, a total would pass 2^62; nothing was changed.
        """
        hashed = id_hash(event.id)
        kind = event.kind
        engaged = kind == _ENGAGEMENT
        memory = self.engagement_ids if engaged else self.purchase_ids
        if remembers(memory, hashed):
            return _DUPLICATE
        if engaged:
            self.engagement_ids = remember(memory, hashed)
            counts = self.engagement_counts
            counts[event.engagement] = counts.get(event.engagement, 0) + 1
        else:
            total = self.refunded_minor
            if kind == _PURCHASE:
                total = self.spend_minor + self.late_spend_minor
            if total + event.amount_minor > TOTAL_MINOR_MAX:
                raise _too_much(event)
            self.purchase_ids = remember(memory, hashed)
        self.last_event_id = event.id
        newest = self.purchase_last_day
        if self.engagement_last_day > newest:  # noqa: PLR1730 - max() takes three times as long
            newest = self.engagement_last_day
        if day < newest - retention_days:
            self._add_late(event)
            return _LATE
        if engaged:
            self._add_engagement(day, newest)
        elif kind == _PURCHASE:
            self._add_purchase(event, day, newest)
        else:
            self.refunds += 1
            self.refunded_minor += event.amount_minor
            self._add_to_bucket(day, newest, 0, -event.amount_minor)
        if day > newest:
            self._forget(day, retention_days)
        return _PROCESSED

    def _add_late(self, event: Event) -> None:
        if event.kind == _PURCHASE:
            self.orders += 1
            self.late_spend_minor += event.amount_minor
        elif event.kind != _ENGAGEMENT:
            self.refunds += 1
            self.refunded_minor += event.amount_minor

    def _add_engagement(self, day: int, newest: int) -> None:
        counts = self.engagement_day_counts
        last = self.engagement_last_day
        if day == last:
            counts[-1] += 1
        elif day <= newest - BUCKET_DAYS:
            return  # too old for a bucket: the lifetime counts have it
        elif day > last:
            if last:
                self.engagement_gaps.append(day - last)
            counts.append(1)
            self.engagement_last_day = day
        else:
            index, found = day_list.find(last, self.engagement_gaps, day)
            if found == day:
                counts[index] += 1
            else:
                day_list.insert(self.engagement_gaps, index, found - day)
                counts.insert(index, 1)

    def _add_purchase(self, event: Event, day: int, newest: int) -> None:
        amount = event.amount_minor
        at_ms = event.at_ms
        self.orders += 1
        self.spend_minor += amount
        if at_ms > self.last_at_ms:  # noqa: PLR1730 - as above
            self.last_at_ms = at_ms
        if day == self.first_day:
            self.first_day_spend_minor += amount
            self.first_at_ms = min(self.first_at_ms, at_ms)
        elif day < self.first_day or not self.first_day:
            self.first_day = day
            self.first_day_spend_minor = amount
            self.first_at_ms = at_ms
        self._add_to_bucket(day, newest, 1, amount)

    def _add_to_bucket(self, day: int, newest: int, orders: int, net_minor: int) -> None:
        """Adds to the bucket of a day, or to the old days, and counts a new purchase day."""
        last = self.purchase_last_day
        if day == last:
            index, found = -1, day
        elif day <= newest - BUCKET_DAYS:
            if orders and day not in self.old_days:
                insort(self.old_days, day)
                self.purchase_days += 1
            return
        elif day > last:
            if last:
                self.purchase_gaps.append(day - last)
            self.purchase_orders.append(orders)
            self.purchase_net_minor.append(net_minor)
            self.purchase_last_day = day
            self.purchase_days += orders
            return
        else:
            index, found = day_list.find(last, self.purchase_gaps, day)
        if found == day:
            if orders and not self.purchase_orders[index]:
                self.purchase_days += 1
            self.purchase_orders[index] += orders
            self.purchase_net_minor[index] += net_minor
        else:
            day_list.insert(self.purchase_gaps, index, found - day)
            self.purchase_orders.insert(index, orders)
            self.purchase_net_minor.insert(index, net_minor)
            self.purchase_days += orders

    def _forget(self, newest: int, retention_days: int) -> None:
        """Gives up buckets older than 366 days, and purchase days older than the retention."""
        horizon = newest - BUCKET_DAYS
        last = self.engagement_last_day
        if last:
            gaps = self.engagement_gaps
            first = last - sum(gaps)
            if first <= horizon:
                dropped = day_list.drop_until(first, gaps, horizon)
                del self.engagement_day_counts[: len(dropped)]
                if not self.engagement_day_counts:
                    self.engagement_last_day = 0
        last = self.purchase_last_day
        if last:
            gaps = self.purchase_gaps
            first = last - sum(gaps)
            if first <= horizon:
                self._forget_purchases(day_list.drop_until(first, gaps, horizon))
        old = self.old_days
        while old and old[0] < newest - retention_days:
            del old[0]  # its day stays counted in purchase_days: nothing can reach it any more

    def _forget_purchases(self, dropped: list[int]) -> None:
        orders, gone = self.purchase_orders, len(dropped)
        for index, day in enumerate(dropped):  # mostly one
            if orders[index]:
                self.old_days.append(day)
        del orders[:gone]
        del self.purchase_net_minor[:gone]
        if not orders:
            self.purchase_last_day = 0


def _too_much(event: Event) -> BadEvent:
    return BadEvent(
        Reason.BAD_AMOUNT, f"{event.amount_minor} would lift the customer's total over 2^62"
    )
