"""Which customers of a partition are due, at a cost that grows with what is due.

A timing wheel of two kinds of slots: one for each hour or so ahead, and, once that hour has come,
one for each of its seconds. A deadline that moves away, as it does with each event of an active
customer, leaves the entry where it is: it comes up early, the customer's state says so, and the
customer is put in again. So nothing piles up.
"""

from array import array
from collections.abc import Iterable
from heapq import heappop, heappush
from typing import Final

from models.times import MS_PER_S

_SLOT_BITS: Final = 12  # a slot is 4,096 seconds
_SLOT_START: Final = -1 << _SLOT_BITS  # what of a second tells where its slot begins
_SWEEP_MIN: Final = 1_024


class _Slot:
    """Customers and their seconds, side by side: twelve bytes each."""

    __slots__ = ("customers", "number", "seconds", "start_s")

    def __init__(self, number: int) -> None:
        self.number = number
        self.start_s = number << _SLOT_BITS
        self.customers: list[bytes] = []
        self.seconds = array("I")


class Schedule:
    """Pending deadlines of one partition, by epoch second.

    `_queued` says of each customer which entry counts: by its second, or, in a slot that is still
    closed, by the slot's beginning, one number that all of its customers share.
    """

    __slots__ = ("_closed", "_closed_heap", "_gone", "_late", "_now_ms", "_open", "_queued",
                 "_ripe", "_ripe_from_s", "_seconds", "_seconds_heap")  # fmt: skip

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forgets everything, the time included."""
        self._queued: dict[bytes, int] = {}
        self._closed: dict[int, _Slot] = {}
        self._closed_heap: list[int] = []
        self._seconds: dict[int, list[bytes]] = {}
        self._seconds_heap: list[int] = []
        self._ripe: list[bytes] = []  # of slots that have passed
        self._ripe_from_s = 0  # the earliest second of those, or of some taken out before
        self._late: dict[int, list[bytes]] = {}  # put in as due after time had come to it
        self._gone = 0  # entries that do not count
        self._open = -1  # number of the slot that is, or was last, spread over its seconds
        self._now_ms = -1

    def __len__(self) -> int:
        return len(self._queued)

    def put(self, customer: bytes, deadline_s: int) -> None:
        """Sets a customer's deadline; an entry that comes up earlier anyway is left.

        Args:
            customer: Kafka key.
            deadline_s: epoch second from which the customer is due; 0 for never.
        """
        queued = self._queued.get(customer)
        if deadline_s == 0:
            if queued is not None:
                del self._queued[customer]
                self._forget()
            return
        number = deadline_s >> _SLOT_BITS
        if number <= self._open:
            if queued is not None and queued <= deadline_s:
                return
            self._queued[customer] = deadline_s
            self._enter(customer, deadline_s)
        else:
            slot = self._slot(number)
            if queued is not None and queued < slot.start_s:
                return
            self._queued[customer] = slot.start_s
            slot.customers.append(customer)
            slot.seconds.append(deadline_s)
        if queued is not None:
            self._forget()

    def put_all(self, deadlines: Iterable[tuple[bytes, int]]) -> None:
        """Sets the deadlines of customers, as `put` does."""
        queued, slot_of, put = self._queued, self._closed.get, self.put
        for customer, deadline_s in deadlines:
            entry_s = queued.get(customer)
            if (
                entry_s is None
                and deadline_s
                and (slot := slot_of(deadline_s >> _SLOT_BITS)) is not None
            ):
                # Most are new to the schedule where a table was read.
                queued[customer] = slot.start_s
                slot.customers.append(customer)
                slot.seconds.append(deadline_s)
            # Most others have only moved away: an entry of an earlier slot stays.
            elif entry_s is None or entry_s >= deadline_s & _SLOT_START:
                put(customer, deadline_s)

    def due(self, now_ms: int, limit: int) -> list[bytes]:
        """Takes out customers that are due, each once.

        Call it until fewer than the limit come. What is put in meanwhile and is due at the same
        time is kept until time moves on, so that this ends.

        Args:
            now_ms: the partition's time, epoch ms.
            limit: how many at most, above 0.
        """
        if now_ms > self._now_ms:
            self._now_ms = now_ms
            late, self._late = self._late, {}
            for second, entries in late.items():
                self._ripen(entries, second)
        now_s = self._now_ms // MS_PER_S
        self._open_slots(now_s >> _SLOT_BITS)
        while self._seconds_heap and self._seconds_heap[0] <= now_s:
            second = heappop(self._seconds_heap)
            self._ripen(self._seconds.pop(second), second)
        found: list[bytes] = []
        queued = self._queued
        while self._ripe and len(found) < limit:
            customer = self._ripe.pop()
            if queued.get(customer, now_s + 1) <= now_s:
                del queued[customer]
                found.append(customer)
            else:
                self._gone -= 1
        return found

    def earliest_s(self) -> int | None:
        """Epoch second of the earliest entry, or up to an hour earlier; None where none is.

        Entries that do not count any more are seen, too, until they are swept.
        """
        earliest = [self._ripe_from_s] if self._ripe else []
        earliest += self._late
        earliest += self._seconds_heap[:1]
        earliest += [number << _SLOT_BITS for number in self._closed_heap[:1]]
        return min(earliest, default=None)

    def _ripen(self, entries: list[bytes], second: int) -> None:
        """Takes those of a second's entries that count."""
        ripe = self._counting(entries, second)
        self._gone -= len(entries) - len(ripe)
        self._take_as_ripe(ripe, second)

    def _take_as_ripe(self, customers: Iterable[bytes], from_s: int) -> None:
        if not self._ripe or from_s < self._ripe_from_s:
            self._ripe_from_s = from_s
        self._ripe += customers

    def _counting(self, entries: list[bytes], second: int) -> list[bytes]:
        queued = self._queued
        return [c for c in dict.fromkeys(entries) if queued.get(c) == second]

    def _slot(self, number: int) -> _Slot:
        slot = self._closed.get(number)
        if slot is None:
            slot = self._closed[number] = _Slot(number)
            heappush(self._closed_heap, number)
        return slot

    def _enter(self, customer: bytes, second: int) -> None:
        if second * MS_PER_S <= self._now_ms:
            self._late.setdefault(second, []).append(customer)
            return
        entries = self._seconds.get(second)
        if entries is None:
            self._seconds[second] = [customer]
            heappush(self._seconds_heap, second)
        else:
            entries.append(customer)

    def _open_slots(self, number: int) -> None:
        """Opens the slots up to this one; those before it are ripe as a whole."""
        if number <= self._open:
            return
        self._open = number
        while self._closed_heap and self._closed_heap[0] <= number:
            slot = self._closed.pop(heappop(self._closed_heap))
            seconds = self._earliest_of(slot)
            self._gone -= len(slot.customers) - len(seconds)
            for customer, second in seconds.items():
                self._queued[customer] = second
            if slot.number < number:
                self._take_as_ripe(seconds, min(seconds.values(), default=slot.start_s))
                continue
            for customer, second in seconds.items():
                entries = self._seconds.setdefault(second, [])
                if not entries:
                    heappush(self._seconds_heap, second)
                entries.append(customer)

    def _earliest_of(self, slot: _Slot) -> dict[bytes, int]:
        """Whose entries in a closed slot count, and their earliest seconds."""
        seconds: dict[bytes, int] = {}
        queued, start_s = self._queued, slot.start_s
        for customer, second in zip(slot.customers, slot.seconds, strict=True):
            if queued.get(customer) == start_s and second < seconds.get(customer, second + 1):
                seconds[customer] = second
        return seconds

    def _forget(self) -> None:
        """Counts an entry that is of no use; when they outnumber the others, sweeps."""
        self._gone += 1
        if self._gone <= len(self._queued) + _SWEEP_MIN:
            return
        for slot in self._closed.values():
            seconds = self._earliest_of(slot)
            slot.customers = list(seconds)
            slot.seconds = array("I", seconds.values())
        for kept in (self._seconds, self._late):
            for second, entries in kept.items():
                entries[:] = self._counting(entries, second)
        now_s = self._now_ms // MS_PER_S
        queued = self._queued
        self._ripe = [c for c in self._ripe if queued.get(c, now_s + 1) <= now_s]
        self._gone = 0
